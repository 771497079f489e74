"""Accounts with their latest numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.analytics.account_sums import POST_SUMS
from tokportal_server.analytics.figures import Figures
from tokportal_server.analytics.filters import ACCOUNTS, POSTS, Filters
from tokportal_server.analytics.observations import METRICS
from tokportal_server.analytics.wire import AccountNumbers, Freshness
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

_SELECT = f"""
SELECT a.id, a.username, a.visible_name, a.platform, a.country, a.status, a.profile_url,
       {", ".join(f"l.{metric}" for metric in METRICS)}, l.engagements, l.engaged_views,
       COALESCE(l.tracked_posts, 0) AS tracked_posts, COALESCE(l.meta, '{{}}') AS meta,
       l.collected_at
  FROM saved_accounts a
  LEFT JOIN account_latest l ON l.workspace_id = a.workspace_id AND l.saved_account_id = a.id
"""
LIST_ACCOUNTS = f"{_SELECT} WHERE {ACCOUNTS} ORDER BY l.views DESC NULLS LAST, a.ordinal DESC"
GET_ACCOUNT = f"{_SELECT} WHERE a.workspace_id = $1 AND a.id = $2"
# The sums over the posts of a period, by account; accounts without such a post are not there.
SUMS_OF_PERIOD = f"""
SELECT t.saved_account_id, {POST_SUMS}
  FROM tracked_posts t
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
 WHERE {POSTS}
 GROUP BY t.saved_account_id
"""


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """An account with its figures; ``collected_at`` is the last time that anything of it came."""

    row: Row
    figures: Figures
    collected_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        return cls(row, Figures.of(row), row["collected_at"])

    def numbers(self) -> AccountNumbers:
        """Write it as the contract has it."""
        row, figures = self.row, self.figures
        return AccountNumbers(
            account_id=row["id"],
            username=row["username"],
            visible_name=row["visible_name"],
            platform=row["platform"],
            country=row["country"],
            status=row["status"],
            profile_url=row["profile_url"],
            tracked_posts=figures.tracked_posts,
            **figures.values,
            engagement_rate=figures.rate,
            collected_at=wire_time(self.collected_at),
            metrics_meta=figures.wire_meta(),
        )


async def read_account(conn: Connection, workspace_id: UUID, account_id: UUID) -> ReadAccount:
    """Give one account with its latest numbers.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    row = await conn.fetchrow(GET_ACCOUNT, workspace_id, account_id)
    if row is None:
        raise account_not_found(account_id)
    return ReadAccount.of(row)


async def read_accounts(conn: Connection, filters: Filters) -> list[ReadAccount]:
    """Give the accounts that a read is about, those with the most views first.

    With a period, what they have of posts is of those that were published in it.
    """
    accounts = [
        ReadAccount.of(row) for row in await conn.fetch(LIST_ACCOUNTS, *filters.of_accounts)
    ]
    if filters.period is None:
        return accounts
    rows = await conn.fetch(SUMS_OF_PERIOD, *filters.of_posts)
    sums = {row["saved_account_id"]: row for row in rows}
    found = [
        ReadAccount(
            account.row,
            account.figures.with_posts(sums.get(account.row["id"])),
            account.collected_at,
        )
        for account in accounts
    ]
    return sorted(found, key=lambda account: -(account.figures.values["views"] or 0))


def freshness(accounts: list[ReadAccount], *, now: datetime, target_hours: int | None) -> Freshness:
    """Say how old the numbers of accounts are; what is past the target is stale."""
    times = [account.collected_at for account in accounts if account.collected_at is not None]
    limit = None if target_hours is None else now - timedelta(hours=target_hours)
    return Freshness(
        target_hours=target_hours,
        newest_collected_at=wire_time(max(times, default=None)),
        oldest_collected_at=wire_time(min(times, default=None)),
        accounts_stale=0 if limit is None else sum(moment < limit for moment in times),
        accounts_never_collected=len(accounts) - len(times),
    )
