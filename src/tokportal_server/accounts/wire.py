"""Accounts, their secrets, edit requests and bans as contract section 9 has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.accounts.states import EditRequestStatus
from tokportal_server.http.paging import PageQuery
from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import Timestamp, in_utc

Platform = Literal["tiktok", "instagram"]
BanResolution = Literal["refunded", "not_refunded"]
Username = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=24,
        pattern=r"^[A-Za-z0-9_.]+\Z",
        extra={"accepts": "letters from A to Z, digits, _ and . alone, without blanks"},
    ),
]
_VisibleName = Annotated[str, Meta(min_length=1, max_length=30)]
_Biography = Annotated[str, Meta(max_length=80)]
_Address = Annotated[str, Meta(max_length=2048)]
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#@]+([/?#]\S*)?")


class ManagerFacts(msgspec.Struct, frozen=True):
    """The manager who looks after an account."""

    id: UUID
    display_name: str


class SavedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that a manager has set up; ``delivered_at`` is null until it is finalized."""

    id: UUID
    platform: Platform
    country: str
    username: str
    visible_name: str
    profile_url: str
    profile_picture_url: str | None
    biography: str | None
    status: Literal["active", "banned", "detached"]
    banned: bool
    bundle_id: UUID
    delivered_at: Timestamp | None
    credentials_revealed_at: Timestamp | None
    manager: ManagerFacts | None
    created_at: Timestamp


class ListAccountsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exact filters of the list."""

    platform: Annotated[str, Meta(max_length=60)] | None = None
    country: Annotated[str, Meta(max_length=60)] | None = None
    banned: bool | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What opens an account; only ever sealed in the vault."""

    password: str
    email: str
    email_password: str
    recovery_codes: list[str] = []


class CredentialRevealAcceptance(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Agreement to what revealing costs and ends; not needed where nothing asks for it."""

    acknowledge_support_forfeit: Annotated[
        bool, Meta(description="Whether the fee and the end of management are agreed to.")
    ] = False
    policy_version: (
        Annotated[
            str,
            Meta(max_length=100, description="The `policy_version` of the refusal's details."),
        ]
        | None
    ) = None

    more_schema: ClassVar[dict[str, Any]] = {
        "if": {
            "properties": {"acknowledge_support_forfeit": {"const": True}},
            "required": ["acknowledge_support_forfeit"],
        },
        "then": {
            "properties": {"policy_version": {"type": "string"}},
            "required": ["policy_version"],
        },
    }

    def problems(self) -> Iterator[Problem]:
        """Yield an agreement that does not say to what."""
        if self.acknowledge_support_forfeit and self.policy_version is None:
            yield Problem(
                "policy_version", "is required: the version that the refusal's details name"
            )


class RevealedCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What opens an account; in a dry run the secrets are null."""

    username: str
    password: str | None
    email: str | None
    email_password: str | None
    recovery_codes: list[str] | None
    revealed_at: Timestamp


class VerificationCode(msgspec.Struct, frozen=True, kw_only=True):
    """The newest code that came for an account; in a dry run only when it came."""

    code: str | None
    received_at: Timestamp
    sender: str | None
    subject: str | None


class AccountEditRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the profile of a delivered account is to look."""

    requested_username: Username
    requested_visible_name: _VisibleName
    requested_biography: _Biography | None = None
    requested_profile_picture_url: _Address | None = None
    requested_link_in_bio: (
        Annotated[str, Meta(max_length=2048, description="http(s) URL; Instagram only.")] | None
    ) = None

    def problems(self) -> Iterator[Problem]:
        """Yield the rules that types and bounds cannot express."""
        link = self.requested_link_in_bio
        if link and not _WEB_ADDRESS.fullmatch(link):
            yield Problem("requested_link_in_bio", "must be an http or https URL with a host", link)


class EditRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was asked for; ``reason`` says why it was rejected."""

    id: UUID
    edit_request_id: UUID
    account_id: UUID
    status: EditRequestStatus
    requested_username: str
    requested_visible_name: str
    requested_biography: str | None
    requested_profile_picture_url: str | None
    requested_link_in_bio: str | None
    reason: str | None
    created_at: Timestamp
    completed_at: Timestamp | None


class ListAccountBansQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exact filters of the list; no screenshots are kept, so asking for them adds nothing."""

    status: Annotated[str, Meta(max_length=60)] | None = None
    resolution: Annotated[str, Meta(max_length=60)] | None = None
    account_id: UUID | None = None
    since: (
        Annotated[
            str, Meta(max_length=40, description="First day, or instant, of those to list; in UTC.")
        ]
        | None
    ) = None
    include_screenshots: bool | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield a time that is none."""
        if self.since is not None and _instant(self.since) is None:
            yield Problem("since", "must be a day or an ISO 8601 timestamp", self.since)

    @property
    def earliest(self) -> datetime | None:
        """``since`` as an instant."""
        return None if self.since is None else _instant(self.since)


class AccountBan(msgspec.Struct, frozen=True, kw_only=True):
    """A ban of an account by its platform; ``resolution`` is what became of what was paid.

    There are no appeals here: ``status`` stays ``active``, ``appeal_status`` null.
    """

    id: UUID
    account_id: UUID
    bundle_id: UUID
    username: str
    platform: Platform
    country: str
    reason: str
    status: Literal["active"]
    appeal_status: str | None
    resolution: BanResolution
    credits_refunded: int
    bundles_cancelled: list[UUID]
    banned_at: Timestamp


def _instant(text: str) -> datetime | None:
    """Read a day or a timestamp, in UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return in_utc(moment)
