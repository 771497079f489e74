"""What a workspace's accounts have achieved, on one page (``getAnalyticsDashboard``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.analytics.account_list import ReadAccount, freshness, read_accounts
from tokportal_server.analytics.definitions import CONTRACT_VERSION, LEVELS
from tokportal_server.analytics.figures import Figures, add_up, known_sum
from tokportal_server.analytics.filters import Filters
from tokportal_server.analytics.levels import Level, level_of
from tokportal_server.analytics.post_list import top_posts
from tokportal_server.analytics.wire import (
    Access,
    AccountNumbers,
    ContractRef,
    Count,
    Freshness,
    MetricMeta,
    Numbers,
    PostNumbers,
)
from tokportal_server.lib.db import Connection

# The rest of a larger workspace is in the totals, and each account has its own page.
MOST_ACCOUNTS: Final = 200
CONTRACT: Final = ContractRef(CONTRACT_VERSION, "/api/ext/analytics/contract")
FACETS = """
SELECT platform, country, count(*) AS n FROM saved_accounts WHERE workspace_id = $1
 GROUP BY platform, country ORDER BY platform, country
"""


class Totals(Numbers, frozen=True, kw_only=True):
    """What accounts add up to; followers of several accounts may be the same people."""

    account_count: Count
    tracked_posts: Count
    followers: Count | None


class Facet(msgspec.Struct, frozen=True):
    """A value that one can filter by, and how many accounts of the workspace have it."""

    value: str
    account_count: Count


class Facets(msgspec.Struct, frozen=True):
    """What one can filter by, whatever is filtered by now."""

    platforms: list[Facet]
    countries: list[Facet]


class AudiencePart(msgspec.Struct, frozen=True):
    """The followers of the accounts of one platform or country."""

    value: str
    account_count: Count
    followers: Count | None


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Who follows. No platform tells this server more of them, so the rest is null."""

    followers: Count | None
    by_platform: list[AudiencePart]
    by_country: list[AudiencePart]
    demographics: None
    metrics_meta: dict[str, MetricMeta]


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The overview; ``accounts`` are the 200 with the most views, ``totals`` are of all."""

    tier: Level
    access: Access
    totals: Totals
    accounts: Annotated[list[AccountNumbers], Meta(max_length=MOST_ACCOUNTS)]
    top_posts: list[PostNumbers]
    audience: Audience
    facets: Facets
    freshness: Freshness
    contract: ContractRef


async def read_dashboard(
    conn: Connection, filters: Filters, *, now: datetime, target_hours: int | None
) -> Dashboard:
    """Give the overview of the accounts that ``filters`` leave."""
    level = await level_of(conn, filters.workspace_id)
    accounts = await read_accounts(conn, filters)
    total = add_up([account.figures for account in accounts])
    return Dashboard(
        tier=level,
        access=access_of(level),
        totals=_totals(total, len(accounts)),
        accounts=[account.numbers() for account in accounts[:MOST_ACCOUNTS]],
        top_posts=await top_posts(conn, filters),
        audience=_audience(accounts, total),
        facets=await _facets(conn, filters.workspace_id),
        freshness=freshness(accounts, now=now, target_hours=target_hours),
        contract=CONTRACT,
    )


def access_of(level: Level) -> Access:
    """Say what a plan includes, and what the larger ones would add."""
    above = list(LEVELS)[list(LEVELS).index(level) + 1 :]
    added = [f"{name} adds {', '.join(LEVELS[name])}" for name in above]
    reason = f"The plan is {level}; {'; '.join(added)}." if added else None
    return Access(level=level, plan_tier=level, reason=reason)


def _totals(total: Figures, account_count: int) -> Totals:
    meta = total.wire_meta()
    values = {m: total.values[m] for m in Totals.__struct_fields__ if m in total.values}
    return Totals(
        account_count=account_count,
        tracked_posts=total.tracked_posts,
        **values,
        engagement_rate=total.rate,
        metrics_meta={name: meta[name] for name in (*values, "engagement_rate")},
    )


def _audience(accounts: Sequence[ReadAccount], total: Figures) -> Audience:
    return Audience(
        followers=total.values["followers"],
        by_platform=_parts(accounts, "platform"),
        by_country=_parts(accounts, "country"),
        demographics=None,
        metrics_meta={
            "followers": total.wire_meta()["followers"],
            "demographics": MetricMeta(None, None, "not_supported"),
        },
    )


def _parts(accounts: Sequence[ReadAccount], column: str) -> list[AudiencePart]:
    groups: dict[str, list[int | None]] = {}
    for account in accounts:
        followers = account.figures.values["followers"]
        groups.setdefault(account.row[column], []).append(followers)
    parts = [AudiencePart(value, len(group), known_sum(group)) for value, group in groups.items()]
    return sorted(parts, key=lambda part: (-(part.followers or 0), part.value))


async def _facets(conn: Connection, workspace_id: UUID) -> Facets:
    platforms: Counter[str] = Counter()
    countries: Counter[str] = Counter()
    for row in await conn.fetch(FACETS, workspace_id):
        platforms[row["platform"]] += row["n"]
        countries[row["country"]] += row["n"]
    return Facets(_facet(platforms), _facet(countries))


def _facet(counts: Counter[str]) -> list[Facet]:
    return [Facet(value, count) for value, count in sorted(counts.items())]
