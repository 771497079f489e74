"""Which accounts and posts a read is about: the filters of contract section 11."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.analytics.belonging import require_own_accounts
from tokportal_server.analytics.errors import workspace_not_found
from tokportal_server.analytics.period import Boundary, Period, read_period
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.reference import country_filter

Name = Annotated[str, Meta(min_length=1, max_length=60)]
_MOST = 100
Names = Annotated[list[Name], Meta(max_length=_MOST)]
Ids = Annotated[list[UUID], Meta(max_length=_MOST)]


class FilterQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters that narrow each other; values of one filter widen it."""

    workspace: Annotated[UUID | None, Meta(description="Your own workspace, or nothing.")] = None
    platform: Annotated[Names | None, Meta(description="Repeat it for several.")] = None
    country: Annotated[Names | None, Meta(description="Repeat it for several.")] = None
    account: Annotated[Ids | None, Meta(description="Repeat it for several.")] = None
    from_: Annotated[
        Boundary | None, Meta(description="Leave out posts that were published before.")
    ] = msgspec.field(default=None, name="from")
    to: Annotated[
        Boundary | None, Meta(description="Leave out posts that were published after.")
    ] = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters as queries take them; None does not filter."""

    workspace_id: UUID
    platforms: Sequence[str] | None = None
    countries: Sequence[str] | None = None
    accounts: Sequence[UUID] | None = None
    period: Period | None = None

    @property
    def of_accounts(self) -> tuple[object, ...]:
        """The parameters $1 to $4 of :data:`ACCOUNTS`."""
        return self.workspace_id, self.platforms, self.countries, self.accounts

    @property
    def of_posts(self) -> tuple[object, ...]:
        """The parameters $1 to $6 of :data:`POSTS`."""
        period = self.period
        return *self.of_accounts, period and period.since, period and period.until


# Conditions on accounts `a` and posts `t`.
ACCOUNTS = """
       a.workspace_id = $1
   AND ($2::text[] IS NULL OR a.platform = ANY ($2))
   AND ($3::text[] IS NULL OR a.country = ANY ($3))
   AND ($4::uuid[] IS NULL OR a.id = ANY ($4))
"""
POSTS = f"""{ACCOUNTS}
   AND ($5::timestamptz IS NULL OR t.published_at >= $5 AND t.published_at < $6)
"""


async def read_filters(
    conn: Connection, workspace_id: UUID, query: FilterQuery, *, now: datetime
) -> Filters:
    """Check filters against the workspace, and give them as queries take them.

    Raises:
        ValidationError: the period is none.
        AnalyticsNotFoundError: ``workspace`` is another one than the key's.
        SavedAccountNotFoundError: an account is not the workspace's.
    """
    period = None
    if query.from_ is not None or query.to is not None:
        period = read_period(query.from_, query.to, now=now)
    if query.workspace is not None and query.workspace != workspace_id:
        raise workspace_not_found(query.workspace)
    await require_own_accounts(conn, workspace_id, query.account)
    countries = query.country and [await _country(conn, name) for name in query.country]
    return Filters(workspace_id, query.platform or None, countries or None, query.account, period)


async def _country(conn: Connection, given: str) -> str:
    return await country_filter(conn, given) or given
