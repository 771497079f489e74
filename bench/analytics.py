"""Analytics: how fast series, dashboard and ingest are, against DuckDB over the raw snapshots.

1. An embedded PostgreSQL, and a generated workspace: 1,000 accounts, 20,000 posts, a reading of
   each on 365 days (one in fifty is missing, one in a hundred falls): 7.2 million snapshots, by
   COPY. The rollups are made by ``rebuild_rollups``, as ``analytics rebuild`` does.
2. Series of a year and the dashboard over HTTP, in turns; the 95th percentile of each.
3. The peer: the same snapshots as Parquet sorted by date, and a series of a year computed from them
   by DuckDB, with every core. The results are equal, day by day; what counts is the ratio of the
   medians, ours measured over HTTP.
4. Ingest: ``store_observations`` of an account with 500 posts, the most that a refresh reads, and
   of one with 20.
5. Flatness: the series of a workspace that is read once a day, and of one read eight times.

Run it with nothing else going on: ``python bench/analytics.py``; ``--quick`` takes a minute.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
import duckdb
import uvloop
from harness.report import QUICK, Report, reporting
from harness.stage import api, connected, postgres, settle_in

from tokportal_server.analytics.observations import Collected, PostReading, Reading
from tokportal_server.analytics.operations.rebuild_rollups import rebuild_rollups
from tokportal_server.analytics.operations.store_observations import store_observations
from tokportal_server.analytics.snapshots import pack
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.process import spare_the_collector
from tokportal_server.lib.unit_of_work import unit_of_work

ACCOUNTS: Final = 100 if QUICK else 1_000
POSTS_EACH: Final = 20
DAYS: Final = 60 if QUICK else 365
CALLS: Final = 60 if QUICK else 300
PEER_CALLS: Final = 3 if QUICK else 5
INGESTS: Final = 10 if QUICK else 60
FLAT_ACCOUNTS: Final = 10 if QUICK else 50

P95_LIMIT_MS: Final = 100
RATIO_LIMIT: Final = 1.0
INGEST_LIMIT: Final = 10_000
FLAT_LIMIT: Final = 1.25

PAYLOAD: Final = pack(b'{"id":"7300000000000000000","view_count":1234567,"like_count":7654}')
INSERT_ACCOUNTS: Final = """
WITH made AS (
    INSERT INTO saved_accounts (workspace_id, id, platform, country, username, visible_name,
                                profile_url, bundle_id, delivered_at, created_at)
    SELECT $1, a.id, (ARRAY['tiktok', 'instagram'])[1 + n % 2],
           (ARRAY['USA', 'FR', 'DE'])[1 + n % 3], 'account' || n, 'Account',
           'https://example.com/' || n, gen_random_uuid(), now(), now()
      FROM unnest($2::uuid[]) WITH ORDINALITY AS a(id, n)
    RETURNING workspace_id, id, platform, country, bundle_id
), ordered AS (
    INSERT INTO bundles (workspace_id, id, bundle_type, platform, country, status, videos_quantity,
                         edits_quantity, auto_finalize_videos, wants_niche_warming,
                         wants_deep_warming, wants_moderation, cost_breakdown, sold_prices,
                         saved_account_id, created_at, updated_at)
    SELECT workspace_id, bundle_id, 'account_only', platform, country, 'completed', 0, 0, true,
           false, false, false, '{}', '{}', id, now(), now()
      FROM made
)
INSERT INTO account_latest (workspace_id, saved_account_id, collected_at)
SELECT workspace_id, id, now() FROM made
"""
# Views grow ever more slowly; now and then a platform takes some back, or a day is missing.
GENERATE: Final = """
COPY (
    SELECT $workspace AS workspace_id, p.id AS tracked_post_id,
           $first::TIMESTAMP + to_days(d::INTEGER) + to_minutes((m * 1440 // $daily)::INTEGER)
             + to_seconds((hash(p.id) % 3600)::INTEGER) AS collected_at,
           'simulator' AS source,
           (1000 + hash(p.id, 1) % 9000) * ln(2 + d + m / $daily)::BIGINT
             - CASE WHEN hash(p.id, d, m) % 100 = 0 THEN hash(p.id, d) % 500 ELSE 0 END AS views,
           100 + d AS likes, 10 + d // 2 AS comments, d // 10 AS shares, 5 AS bookmarks,
           $payload AS payload,
           $first::TIMESTAMP + to_days(d::INTEGER) AS recorded_at
      FROM posts p, range($days) t(d), range($daily) u(m)
     WHERE hash(p.id, d, m, 7) % 50 > 0
     ORDER BY d, m
) TO '{file}' (FORMAT csv, HEADER false)
"""
EXPORT: Final = """
SELECT tracked_post_id, collected_at, views FROM post_snapshots WHERE workspace_id = $1
"""
TO_PARQUET: Final = """
COPY (
    SELECT * FROM read_csv('{csv}', header = false, columns = {{
        'post': 'UUID', 'collected_at': 'TIMESTAMPTZ', 'views': 'BIGINT'}})
     ORDER BY collected_at, post
) TO '{parquet}' (FORMAT parquet)
"""
# What a series means, said over the raw snapshots: each reading against the one before it.
PEER: Final = """
WITH steps AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::DATE AS day,
           views - coalesce(lag(views) OVER (PARTITION BY post ORDER BY collected_at), 0) AS net
      FROM read_parquet('{parquet}')
), days AS (SELECT day, sum(net) AS net FROM steps GROUP BY day)
SELECT day, sum(net) OVER (ORDER BY day)::BIGINT AS value FROM days ORDER BY day
"""
LATEST: Final = """
UPDATE tracked_posts t
   SET views = s.views, likes = s.likes, comments = s.comments, shares = s.shares,
       bookmarks = s.bookmarks, first_read_at = s.first_at, read_at = s.collected_at,
       read_source = s.source, meta = (
           SELECT jsonb_object_agg(name, jsonb_build_object(
                      'source', s.source, 'collected_at',
                      to_char(s.collected_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
             FROM unnest(ARRAY['views', 'likes', 'comments', 'shares', 'bookmarks']) name)
  FROM (SELECT p.id, f.collected_at AS first_at, l.*
          FROM tracked_posts p
         CROSS JOIN LATERAL (
             SELECT * FROM post_snapshots WHERE workspace_id = $1 AND tracked_post_id = p.id
              ORDER BY collected_at DESC LIMIT 1) l
         CROSS JOIN LATERAL (
             SELECT collected_at FROM post_snapshots
              WHERE workspace_id = $1 AND tracked_post_id = p.id
              ORDER BY collected_at LIMIT 1) f
         WHERE p.workspace_id = $1) s
 WHERE t.workspace_id = $1 AND t.id = s.id
"""
SET_PLAN: Final = "UPDATE workspaces SET plan = 'full' WHERE id = $1"
COLUMNS: Final = (
    "workspace_id",
    "tracked_post_id",
    "collected_at",
    "source",
    "views",
    "likes",
    "comments",
    "shares",
    "bookmarks",
    "payload",
    "recorded_at",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a workspace is, and how often a day its posts are read."""

    accounts: int
    posts_each: int
    days: int
    daily: int = 1

    @property
    def first(self) -> datetime:
        """Midnight of the first day; the last one is yesterday."""
        today = real_now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=self.days)


# 1. The workspaces.


async def generate(conn: Connection, workspace: UUID, shape: Shape, folder: Path) -> int:
    """Fill a workspace; give how many snapshots it has."""
    await conn.execute(SET_PLAN, workspace)
    for parent in ("post_snapshots", "account_snapshots"):
        await _make_months(conn, parent, shape.first)
    accounts = sorted(uuid4() for _ in range(shape.accounts))
    await conn.execute(INSERT_ACCOUNTS, workspace, accounts)
    posts = [(uuid4(), account) for account in accounts for _ in range(shape.posts_each)]
    await conn.copy_records_to_table(
        "tracked_posts",
        records=[
            (workspace, post, account, str(n), f"https://example.com/{n}", True, shape.first)
            for n, (post, account) in enumerate(posts)
        ],
        columns=(
            "workspace_id",
            "id",
            "saved_account_id",
            "post_key",
            "platform_url",
            "imported",
            "tracked_at",
        ),
    )
    csv = folder / "snapshots.csv"
    await asyncio.to_thread(_write_csv, csv, workspace, [post for post, _ in posts], shape)
    await conn.copy_to_table("post_snapshots", source=csv, columns=COLUMNS, format="csv")
    csv.unlink()
    await conn.execute("ANALYZE")
    await conn.execute(LATEST, workspace)
    await rebuild_rollups(conn=conn, workspace_id=workspace)
    await conn.execute("VACUUM ANALYZE")
    count: int = await conn.fetchval(
        "SELECT count(*) FROM post_snapshots WHERE workspace_id = $1", workspace
    )
    return count


async def _make_months(conn: Connection, parent: str, first: datetime) -> None:
    """Make the partitions of months that are past, as they would be if it had run then."""
    month = first.replace(day=1)
    while month < real_now():
        following = (month + timedelta(days=32)).replace(day=1)
        await conn.execute(
            f"CREATE TABLE IF NOT EXISTS {parent}_{month:%Y%m} PARTITION OF {parent}"
            f" FOR VALUES FROM ('{month:%Y-%m-%d}') TO ('{following:%Y-%m-%d}')"
        )
        month = following


def _write_csv(csv: Path, workspace: UUID, posts: Sequence[UUID], shape: Shape) -> None:
    with duckdb.connect() as duck:
        duck.execute("CREATE TABLE posts (id UUID)")
        listed = csv.with_suffix(".posts")
        listed.write_text("\n".join(map(str, posts)))
        duck.execute(f"COPY posts FROM '{listed}' (FORMAT csv, HEADER false)")
        duck.execute(
            GENERATE.replace("{file}", str(csv)),
            {
                "workspace": str(workspace),
                "first": shape.first.replace(tzinfo=None),
                "days": shape.days,
                "daily": shape.daily,
                "payload": "\\x" + PAYLOAD.hex(),
            },
        )


# 2. Reads.


async def timed(calls: int, call: Callable[[], Awaitable[Any]]) -> list[float]:
    """Make a call so often; give the milliseconds of each."""
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        times.append(1000 * (time.perf_counter() - began))
    return times


class Reader:
    """A client of one workspace."""

    def __init__(self, session: aiohttp.ClientSession, port: int, key: str) -> None:
        self._session = session
        self._base = f"http://127.0.0.1:{port}/api/ext"
        self._headers = {"X-API-Key": key}

    async def get(self, path: str) -> Any:
        """Give the data of an answer."""
        async with self._session.get(self._base + path, headers=self._headers) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            return body["data"]


def year(shape: Shape) -> str:
    """Give the times of all of a workspace's days."""
    last = shape.first + timedelta(days=shape.days - 1)
    return f"from={shape.first:%Y-%m-%d}&to={last:%Y-%m-%d}"


async def reads(report: Report, reader: Reader, shape: Shape) -> None:
    """Tell of the 95th percentile of each read."""
    paths = {
        "series, cumulative": f"/analytics/series?{year(shape)}",
        "series, gained by week": f"/analytics/series?mode=gained&granularity=week&{year(shape)}",
        "series, snapshot": f"/analytics/series?mode=snapshot&metric=likes&{year(shape)}",
        "dashboard": "/analytics",
        "dashboard, filtered": "/analytics?platform=tiktok&country=USA",
    }
    for name, path in paths.items():
        await timed(5, partial(reader.get, path))
        times = await timed(CALLS, partial(reader.get, path))
        report.add(
            f"{name}, 95th percentile over HTTP",
            quantiles(times, n=20)[18],
            "ms",
            at_most=P95_LIMIT_MS,
            note=f"median {median(times):.1f} ms",
        )


# 3. The peer.


async def against_duckdb(
    report: Report, conn: Connection, workspace: UUID, reader: Reader, shape: Shape, folder: Path
) -> None:
    """Compare results, then times, of the same series."""
    csv, parquet = folder / "raw.csv", folder / "raw.parquet"
    await conn.copy_from_query(EXPORT, workspace, output=csv, format="csv")
    with duckdb.connect() as duck:
        duck.execute(TO_PARQUET.format(csv=csv, parquet=parquet))
        csv.unlink()
        query = PEER.format(parquet=parquet)
        expected = [(str(day), value) for day, value in duck.execute(query).fetchall()]
        path = f"/analytics/series?{year(shape)}"
        points = (await reader.get(path))["points"]
        assert [(point["date"], point["value"]) for point in points] == expected
        theirs = []
        for _ in range(PEER_CALLS):
            began = time.perf_counter()
            duck.execute(query).fetchall()
            theirs.append(1000 * (time.perf_counter() - began))
    ours = await timed(CALLS, partial(reader.get, path))
    report.add(
        f"series of {len(expected)} days over HTTP, equal day by day",
        median(ours),
        "ms",
        ratio=median(ours) / median(theirs),
        versus="DuckDB over the snapshots as Parquet",
        at_most=RATIO_LIMIT,
        note=f"DuckDB: {median(theirs):,.0f} ms over {parquet.stat().st_size / 2**20:.0f} MiB",
    )


# 4. Ingest.


async def ingest(report: Report, conn: Connection, workspace: UUID) -> None:
    """Store collections of large and of small accounts."""
    rates = {}
    for posts in (500, 20):
        [account] = await empty_accounts(conn, workspace, 1)
        await collect(conn, workspace, account, posts, 0)
        began = time.perf_counter()
        for number in range(INGESTS):
            await collect(conn, workspace, account, posts, number + 1)
        rates[posts] = posts * INGESTS / (time.perf_counter() - began)
    report.add(
        "snapshots stored, accounts of 500 posts, one connection",
        rates[500],
        "snapshots/s",
        at_least=INGEST_LIMIT,
        note=f"{rates[20]:,.0f}/s of accounts of 20",
    )


async def empty_accounts(conn: Connection, workspace: UUID, count: int) -> list[UUID]:
    """Make accounts of which nothing was collected yet."""
    made = [uuid4() for _ in range(count)]
    await conn.execute(INSERT_ACCOUNTS, workspace, made)
    return made


async def collect(
    conn: Connection, workspace: UUID, account: UUID, posts: int, number: int
) -> None:
    """Store the reading of an account that is the ``number``-th, an hour after the one before."""
    at = real_now() + timedelta(hours=number)
    payload = b'{"view_count": %d, "like_count": 12, "share_url": "https://example.com/"}' % number
    readings = [
        PostReading(
            str(post),
            f"https://www.tiktok.com/@a/video/{7300000000000000000 + post}",
            "A description of some length, as posts have it, with #tags",
            at,
            Reading(
                {"views": 100 * number + post, "likes": number, "comments": 3, "shares": 1},
                {"bookmarks": "not_supported"},
                payload,
            ),
        )
        for post in range(posts)
    ]
    async with unit_of_work(conn, workspace, now=at) as tx:
        await store_observations(
            tx=tx,
            account_id=account,
            collected=Collected("tiktok_api", at, None, readings),
            bootstrap=number == 0,
        )


# 5. Flatness.


async def flatness(
    report: Report, conn: Connection, session: aiohttp.ClientSession, port: int, folder: Path
) -> None:
    """Ask two workspaces in turns that differ only in how often they are read."""
    readers: dict[int, Reader] = {}
    counts, times = {}, {}
    for daily in (1, 8):
        tenant = await settle_in(conn, f"flat{daily}")
        shape = Shape(FLAT_ACCOUNTS, POSTS_EACH, 60, daily)
        counts[daily] = await generate(conn, tenant.workspace, shape, folder)
        readers[daily], times[daily] = Reader(session, port, tenant.key), list[float]()
    path = f"/analytics/series?{year(Shape(FLAT_ACCOUNTS, POSTS_EACH, 60))}"
    for _ in range(CALLS):
        for daily, reader in readers.items():
            times[daily] += await timed(1, partial(reader.get, path))
    report.add(
        f"series over {counts[8]:,} snapshots, eight readings a day",
        median(times[8]),
        "ms",
        ratio=median(times[8]) / median(times[1]),
        versus="the time with one a day",
        at_most=FLAT_LIMIT,
    )


async def measure(report: Report, home: Path, dsn: str, folder: Path) -> None:
    """Measure one part after the other."""
    async with connected(dsn) as conn:
        tenant = await settle_in(conn, "measured")
        shape = Shape(ACCOUNTS, POSTS_EACH, DAYS)
        began = time.perf_counter()
        count = await generate(conn, tenant.workspace, shape, folder)
        report.add(
            f"generated: snapshots of {ACCOUNTS * POSTS_EACH:,} posts, with their rollups",
            count,
            "snapshots",
            note=f"in {time.perf_counter() - began:.0f} s",
        )
        with api(home, dsn) as (port, _):
            async with aiohttp.ClientSession() as session:
                reader = Reader(session, port, tenant.key)
                await reads(report, reader, shape)
                await against_duckdb(report, conn, tenant.workspace, reader, shape, folder)
                await flatness(report, conn, session, port, folder)
        spare_the_collector()  # as the worker does, in which collections are stored
        await ingest(report, conn, (await settle_in(conn, "ingest")).workspace)


def main() -> int:
    """Measure; give 1 if a limit was broken."""
    with (
        reporting(__file__, __doc__) as report,
        postgres() as (home, dsn),
        tempfile.TemporaryDirectory() as folder,
    ):
        uvloop.run(measure(report, home, dsn, Path(folder)))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
