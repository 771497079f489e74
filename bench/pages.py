"""Pages: the server's time for each, with 1,000 and with 100,000 bundles in the workspace.

Every section of the console is asked for in both workspaces by turns; the sections of the desk and
the operators' pages, which look at all workspaces, before and after the large one is there. The
median time of the larger must be at most twice that of the smaller, beside a millisecond that no
clock can be trusted with. Run it with nothing else going on; ``python bench/pages.py [--many N]``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from uuid import UUID

import aiohttp
import uvloop
from harness.browser import let_in, sign_in
from harness.report import Report, reporting
from harness.stage import Tenant, api, connected, order, postgres, settle_in

from tokportal_server.lib.db import Connection
from tokportal_server.pages.navigation import ADMIN, CONSOLE, DESK, Group
from tokportal_server.workspaces.operations.create_person import create_manager

LIMIT, SLACK_SECONDS, ROUNDS = 2.0, 0.001, 15
FEW, MANY = 1_000, 100_000
# Of a hundred bundles, ninety are done. Each day has ninety slots: more bundles go further back.
FILL = """
INSERT INTO bundles (workspace_id, bundle_type, platform, country, status, title, external_ref,
    videos_quantity, edits_quantity, auto_finalize_videos, wants_niche_warming, wants_deep_warming,
    wants_moderation, cost_breakdown, sold_prices, published_at, created_at, updated_at)
SELECT $1, 'videos_only', 'tiktok', 'USA',
       CASE WHEN n % 100 < 90 THEN 'completed' WHEN n % 100 < 93 THEN 'published'
            WHEN n % 100 < 97 THEN 'accepted' ELSE 'pending_setup' END,
       'Bundle ' || n, 'ref-' || n, 1, 0, true, false, false, false, b.cost_breakdown,
       b.sold_prices, CASE WHEN n % 100 < 97 THEN now() END, now() - make_interval(hours => n / 8),
       now()
  FROM generate_series(1, $2::integer) n,
       (SELECT cost_breakdown, sold_prices FROM bundles WHERE id = $3) b
"""
SLOTS = """
INSERT INTO slots (workspace_id, bundle_id, position, status, price, video_type, target_start,
    target_end, media_status, created_at, updated_at)
SELECT workspace_id, id, 1,
       CASE status WHEN 'completed' THEN 'finalized' WHEN 'pending_setup' THEN 'pending'
            ELSE status END,
       1, 'video', day, day + 1, 'ready', created_at, updated_at
  FROM (SELECT *, current_date + 10 - (row_number() OVER (ORDER BY ordinal) / 90)::integer AS day
          FROM bundles WHERE workspace_id = $1 AND id <> $2) b
"""
JOURNAL = """
INSERT INTO journal (workspace_id, kind, object_id, root_id, to_status, actor_kind, at)
SELECT workspace_id, 'bundle', id, id, status, 'customer', created_at
  FROM bundles, generate_series(1, 3) WHERE workspace_id = $1
"""
COUNT = """
INSERT INTO counters (workspace_id, kind, status, n)
SELECT workspace_id, 'bundle', status, count(*) FROM bundles WHERE workspace_id = $1 GROUP BY 1, 3
    ON CONFLICT (workspace_id, kind, status) DO UPDATE SET n = excluded.n
"""
MAKE_OPERATOR = "UPDATE people SET operator = true WHERE id = $1"
JOIN = "INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, 'owner')"


async def _fill(conn: Connection, tenant: Tenant, count: int) -> UUID:
    """Put so many bundles into a workspace; give one of them."""
    bundle = await order(conn, tenant)
    await conn.execute(FILL, tenant.workspace, count, bundle)
    await conn.execute("ANALYZE bundles")
    await conn.execute(SLOTS, tenant.workspace, bundle)
    for statement in (JOURNAL, COUNT):
        await conn.execute(statement, tenant.workspace)
    await conn.execute("VACUUM ANALYZE")
    return bundle


def _sections(root: str, groups: Sequence[Group]) -> list[str]:
    return [f"{root}{section.path}" for group in groups for section in group.sections]


async def _time(session: aiohttp.ClientSession, address: str) -> float:
    began = time.perf_counter()
    async with session.get(address, allow_redirects=False) as answer:
        await answer.read()
        assert answer.status == 200, (address, answer.status)
    return time.perf_counter() - began


async def _medians(session: aiohttp.ClientSession, addresses: Sequence[str]) -> dict[str, float]:
    """Ask for the pages by turns; give the median time of each."""
    times: dict[str, list[float]] = {address: [] for address in addresses}
    for number in range(ROUNDS + 2):
        for address in addresses:
            took = await _time(session, address)
            if number >= 2:  # the first prepare statements and fill caches
                times[address].append(took)
    return {address: statistics.median(taken) for address, taken in times.items()}


def _judge(report: Report, name: str, small: float, large: float) -> None:
    report.add(
        f"page {name}",
        1000 * large,
        "ms",
        ratio=large / small,
        versus=f"the time with {FEW:,}",
        at_most=LIMIT,
        kept=large <= small * LIMIT + SLACK_SECONDS,
    )


async def _measure(report: Report, dsn: str, port: int, many: int) -> None:
    origin = f"http://127.0.0.1:{port}"
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        connected(dsn) as conn,
        aiohttp.ClientSession(origin, cookie_jar=jar) as session,
    ):
        few, much = await settle_in(conn, "few"), await settle_in(conn, "many")
        await let_in(conn, [few.owner])
        await conn.execute(MAKE_OPERATOR, few.owner)
        await conn.execute(JOIN, much.workspace, few.owner)
        await create_manager(
            conn=conn,
            person_id=few.owner,
            display_name="M",
            countries=["USA"],
            platforms=["tiktok"],
        )
        bundle = await _fill(conn, few, FEW)
        await sign_in(session, "few@example.com")
        shared = [*_sections("/desk", DESK), *_sections("/admin", ADMIN), "/search?q=bundle"]
        before = await _medians(session, shared)
        other = await _fill(conn, much, many)
        after = await _medians(session, shared)
        roots = [f"/console/{one.workspace}" for one in (few, much)]
        pairs = list(zip(*(_sections(root, CONSOLE) for root in roots), strict=True))
        pairs.append((f"{roots[0]}/bundles/{bundle}", f"{roots[1]}/bundles/{other}"))
        own = await _medians(session, [address for pair in pairs for address in pair])
    for path in shared:
        _judge(report, path, before[path], after[path])
    for small, large in pairs:
        place = small.removeprefix(roots[0]).replace(str(bundle), "{bundle}") or "/"
        _judge(report, f"/console/{{workspace}}{place}", own[small], own[large])


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=MANY)
    many: int = parser.parse_args().many
    with (
        reporting(__file__, __doc__) as report,
        postgres() as (home, dsn),
        api(home, dsn) as (port, _),
    ):
        uvloop.run(_measure(report, dsn, port, many))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
