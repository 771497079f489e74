"""Reports as contract section 11 has them. Their names are the reference's, in camel case."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.analytics.period import Boundary
from tokportal_server.analytics.reports.content import Template
from tokportal_server.lib.clock import Timestamp

DEFAULT_TEMPLATE: Final[Template] = "executive"
DEFAULT_ACCENT: Final = "#1d4fd7"
_MOST_ACCOUNTS: Final = 1000
_Word = Annotated[str, Meta(min_length=1, max_length=60)]


class CreateAnalyticsReportRequest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={
        "brand_name": "brandName",
        "brand_accent": "brandAccent",
        "account_ids": "accountIds",
        "workspace_id": "workspaceId",
        "from_": "from",
    },
):
    """What a report is about and how it looks; what is left out, or null, has a default."""

    title: (
        Annotated[
            str, Meta(max_length=120, description="The heading; by default what it is and of when.")
        ]
        | None
    ) = None
    template: Annotated[
        Template | None, Meta(description="The layout; `executive` by default.")
    ] = None
    brand_name: (
        Annotated[
            str,
            Meta(max_length=80, description="Whose report it is; by default the workspace's name."),
        ]
        | None
    ) = None
    brand_accent: (
        Annotated[
            str,
            Meta(
                pattern=r"^#[0-9a-fA-F]{6}\Z",
                description="The brand's colour; text in it is darkened until it can be read.",
                examples=["#e4572e"],
                extra={"accepts": "# and six hexadecimal digits"},
            ),
        ]
        | None
    ) = None
    account_ids: (
        Annotated[list[UUID], Meta(max_length=_MOST_ACCOUNTS, description="Only these accounts.")]
        | None
    ) = None
    workspace_id: Annotated[
        UUID | None, Meta(description="The key's own workspace, if it is named at all.")
    ] = None
    platforms: (
        Annotated[list[_Word], Meta(max_length=10, description="Only accounts on these.")] | None
    ) = None
    countries: (
        Annotated[list[_Word], Meta(max_length=100, description="Only accounts of these.")] | None
    ) = None
    query: (
        Annotated[str, Meta(max_length=200, description="Only posts and accounts with this text.")]
        | None
    ) = None
    from_: Boundary | None = None
    to: Boundary | None = None


class CreatedAnalyticsReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was made. Whoever has ``url`` can see it; a dry run has neither."""

    id: UUID
    token: Annotated[str | None, Meta(description="The secret part of `url`; shown this once.")]
    url: Annotated[str | None, Meta(description="Where it can be seen, without a key.")]
    expires_at: Timestamp
