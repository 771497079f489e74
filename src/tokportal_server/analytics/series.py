"""A metric over time, from the daily rollups (``getAnalyticsSeries``).

The time that it takes depends on the days asked for, not on how often anything was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from tokportal_server.analytics.filters import ACCOUNTS, Filters, Ids
from tokportal_server.analytics.period import Boundary, Period
from tokportal_server.analytics.wire import (
    NOT_YET,
    Coverage,
    Granularity,
    MetricMeta,
    Mode,
    Point,
    Series,
    SeriesMetric,
)
from tokportal_server.lib.clock import wire_day
from tokportal_server.lib.db import Connection, existing
from tokportal_server.orders.locks import Row

_PARTS = """sum(gain)::bigint AS gain, sum(fall)::bigint AS fall, sum(seen)::bigint AS seen"""
_NET = "COALESCE(sum(baseline + gain - fall), 0)::bigint"
_OF_WORKSPACE = """
  FROM workspace_days
 WHERE workspace_id = $1 AND metric = $2
   AND ($3::text[] IS NULL OR platform = ANY ($3)) AND ($4::text[] IS NULL OR country = ANY ($4))
"""
_OF_ACCOUNTS = """
  FROM account_days d
 WHERE workspace_id = $1 AND metric = $2 AND saved_account_id = ANY ($5::uuid[])
   AND ($3::text[] IS NULL AND $4::text[] IS NULL OR EXISTS (
       SELECT FROM saved_accounts a
        WHERE a.workspace_id = d.workspace_id AND a.id = d.saved_account_id
          AND ($3 IS NULL OR a.platform = ANY ($3)) AND ($4 IS NULL OR a.country = ANY ($4))))
"""
_DAY_PARTS = f"day, {_NET} AS net, {_PARTS}"
WORKSPACE_BEFORE = f"SELECT {_NET}{_OF_WORKSPACE} AND day < $5"
ACCOUNTS_BEFORE = f"SELECT {_NET}{_OF_ACCOUNTS} AND day < $6"
WORKSPACE_DAYS = f"""
SELECT {_DAY_PARTS}, sum(accounts_seen)::integer AS accounts{_OF_WORKSPACE}
   AND day BETWEEN $5 AND $6
 GROUP BY day ORDER BY day
"""
ACCOUNTS_DAYS = f"""
SELECT {_DAY_PARTS}, count(*)::integer AS accounts{_OF_ACCOUNTS}
   AND day BETWEEN $6 AND $7
 GROUP BY day ORDER BY day
"""
# How many accounts begin on which day; those without any number have none.
BEGUN = f"""
SELECT (l.begun ->> $5)::date AS day, count(*)::integer AS accounts
  FROM saved_accounts a
  LEFT JOIN account_latest l ON l.workspace_id = a.workspace_id AND l.saved_account_id = a.id
 WHERE {ACCOUNTS}
 GROUP BY 1
"""
SOURCES = f"""
SELECT min(m ->> 'collected_at') FILTER (WHERE NOT m ? 'reason') AS collected_at,
       min(m ->> 'source') FILTER (WHERE NOT m ? 'reason') AS source,
       max(m ->> 'source') FILTER (WHERE NOT m ? 'reason') AS other_source,
       (array_agg(m ORDER BY m ->> 'collected_at' DESC) FILTER (WHERE m ? 'reason'))[1] AS missing
  FROM (SELECT l.meta -> $5 AS m FROM saved_accounts a
          JOIN account_latest l ON l.workspace_id = a.workspace_id AND l.saved_account_id = a.id
         WHERE {ACCOUNTS}) metas
 WHERE m IS NOT NULL
"""


class SeriesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which series; without ``from`` and ``to`` the last 30 days."""

    metric: Annotated[SeriesMetric, Meta(description="What is counted.")] = "views"
    granularity: Annotated[Granularity, Meta(description="Weeks begin on Monday.")] = "day"
    mode: Annotated[
        Mode, Meta(description="The value as it stands, what was added, or what was read.")
    ] = "cumulative"
    account: Annotated[Ids | None, Meta(description="Repeat it for several.")] = None
    from_: Boundary | None = msgspec.field(default=None, name="from")
    to: Boundary | None = None


@dataclass(frozen=True, slots=True)
class SeriesShape:
    """What a series shows, whatever it is of."""

    metric: SeriesMetric = "views"
    granularity: Granularity = "day"
    mode: Mode = "cumulative"


async def read_series(
    conn: Connection, filters: Filters, shape: SeriesShape, period: Period, *, today: date
) -> Series:
    """Give a series of the accounts that ``filters`` leave; what is after today is not in it.

    Whole days in UTC, also where the period begins or ends within one.
    """
    first, last = period.first_day, min(period.last_day, today)
    before, rows = await _days(conn, filters, shape.metric, first, last)
    begun = await conn.fetch(BEGUN, *filters.of_accounts, shape.metric)
    starts = Counter({row["day"]: row["accounts"] for row in begun if row["day"] is not None})
    days = list(_walk(first, last, before, {row["day"]: row for row in rows}, starts))
    meta = existing(await conn.fetchrow(SOURCES, *filters.of_accounts, shape.metric))
    return Series(
        metric=shape.metric,
        granularity=shape.granularity,
        mode=shape.mode,
        points=[_point(on, facts, shape.mode) for on, facts in _buckets(days, shape.granularity)],
        coverage=Coverage(
            accounts_total=sum(row["accounts"] for row in begun),
            accounts_with_data=sum(n for day, n in starts.items() if day <= last),
            days_total=len(days),
            days_observed=len(rows),
            first_day=wire_day(min(starts, default=None)),
            last_day=wire_day(rows[-1]["day"] if rows else None),
        ),
        metrics_meta={shape.metric: _meta(meta)},
    )


async def _days(
    conn: Connection, filters: Filters, metric: SeriesMetric, first: date, last: date
) -> tuple[int, list[Row]]:
    """Give the value before the first day, and the days that have a reading."""
    head = filters.workspace_id, metric, filters.platforms, filters.countries
    if filters.accounts is None:
        before = await conn.fetchval(WORKSPACE_BEFORE, *head, first)
        return before, await conn.fetch(WORKSPACE_DAYS, *head, first, last)
    before = await conn.fetchval(ACCOUNTS_BEFORE, *head, filters.accounts, first)
    return before, await conn.fetch(ACCOUNTS_DAYS, *head, filters.accounts, first, last)


@dataclass(frozen=True, slots=True)
class _DayFacts:
    """One day: the value at its end, how many accounts it speaks for, and what was read."""

    day: date
    value: int
    known: int
    read: Row | None


def _walk(
    first: date, last: date, before: int, rows: Mapping[date, Row], starts: Mapping[date, int]
) -> Iterator[_DayFacts]:
    value, known = before, sum(n for day, n in starts.items() if day < first)
    day = first
    while day <= last:
        row = rows.get(day)
        value += row["net"] if row else 0
        known += starts.get(day, 0)
        yield _DayFacts(day, value, known, row)
        day += timedelta(days=1)


def _buckets(
    days: Sequence[_DayFacts], granularity: Granularity
) -> Iterator[tuple[date, list[_DayFacts]]]:
    """Give each day, or the days of each week under its Monday; a week may be cut off."""
    buckets: dict[date, list[_DayFacts]] = {}
    for facts in days:
        into_week = facts.day.weekday() if granularity == "week" else 0
        buckets.setdefault(facts.day - timedelta(days=into_week), []).append(facts)
    yield from buckets.items()


def _point(on: date, bucket: Sequence[_DayFacts], mode: Mode) -> Point:
    last, read = bucket[-1], [facts.read for facts in bucket if facts.read is not None]
    value: int | None = None
    counted = last.known
    if mode == "cumulative":
        value = last.value if last.known else None
    elif mode == "gained":
        value = sum(row["gain"] for row in read) if read else None
    else:
        value, counted = (read[-1]["seen"], read[-1]["accounts"]) if read else (None, 0)
    return Point(
        date=wire_day(on),
        value=value,
        accounts_counted=counted,
        corrections=sum(row["fall"] for row in read),
    )


def _meta(row: Row) -> MetricMeta:
    if row["source"] is not None:
        same = row["source"] == row["other_source"]
        return MetricMeta(row["source"] if same else "mixed", row["collected_at"])
    return NOT_YET if row["missing"] is None else MetricMeta(**row["missing"])
