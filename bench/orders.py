"""Orders: createBundle against pgbench, lists against FastAPI, lists over a million bundles.

1. createBundle over HTTP, one API process, against pgbench with the very statements that the
   process sends (limit 0.35), with one client and with eight, each in a workspace of its own; once
   as usual, and once without waiting for the disk, where the process itself weighs most.
2. GET /bundles and GET /bundles/{id} against ``peers/fastapi_app.py``, which admits the key by the
   same statement and answers the same JSON from SQLAlchemy's models (at least 3 times as many).
   Its packages are in an environment of its own, ``build/peers/python``; ``make peers`` makes it.
3. Page 1 of GET /bundles, all and of one status, with 1,000 and with 1,000,000 bundles in the
   workspace: the time of the larger at most 1.5 times that of the smaller.

What counts is the median of interleaved pairs. Run it with nothing else going on; ``python
bench/orders.py [create] [peers] [rows]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import aiohttp
import asyncpg
import uvloop
from harness import pgbench
from harness.load import Side, asking, compare, in_pairs, request
from harness.report import ROOT, Report, Spread, reporting
from harness.stage import (
    BODY,
    Tenant,
    api,
    connected,
    free_port,
    order,
    postgres,
    server,
    settle_in,
    settle_in_with_bundles,
)

CLIENTS = 8
CREATE_LIMIT = 0.35
PEER_LIMIT = 3.0
FLAT_LIMIT = 1.5
ROWS = 25
PEERS = ROOT / "build" / "peers" / "python" / "bin" / "python"
FEW, MANY = 1_000, 1_000_000
# As many bundles as wanted in one statement, half of them published; then the door's counters.
FILL = """
INSERT INTO bundles (workspace_id, bundle_type, platform, country, status, title, videos_quantity,
    edits_quantity, auto_finalize_videos, wants_niche_warming, wants_deep_warming, wants_moderation,
    cost_breakdown, sold_prices, created_at, updated_at)
SELECT $1, 'videos_only', 'tiktok', 'USA',
       CASE n % 2 WHEN 0 THEN 'published' ELSE 'pending_setup' END, 'Bundle ' || n, 1, 0, true,
       false, false, false, b.cost_breakdown, b.sold_prices, now(), now()
  FROM generate_series(1, $2::integer) n,
       (SELECT cost_breakdown, sold_prices FROM bundles WHERE workspace_id = $3 LIMIT 1) b
"""
COUNT = """
INSERT INTO counters (workspace_id, kind, status, n)
SELECT workspace_id, 'bundle', status, count(*) FROM bundles WHERE workspace_id = $1 GROUP BY 1, 3
"""


async def _tenants(dsn: str) -> list[Tenant]:
    async with connected(dsn) as conn:
        return [await settle_in(conn, f"tenant-{number}") for number in range(CLIENTS)]


# createBundle against pgbench.


async def _recorded(home: Path, dsn: str, tenants: Sequence[Tenant]) -> list[pgbench.Statement]:
    """Create a bundle over HTTP three times; give the statements of the last."""
    async with pgbench.recording(dsn, home) as statements, aiohttp.ClientSession() as session:
        with api(home, dsn) as (port, _):
            url = f"http://127.0.0.1:{port}/api/ext/bundles"
            headers = {"X-API-Key": tenants[0].key, "Content-Type": "application/json"}
            for _ in range(3):
                async with session.post(url, data=BODY, headers=headers) as answer:
                    assert answer.status == 201, await answer.text()
    return pgbench.last_request(statements)


async def _compare_create(report: Report, home: Path, dsn: str) -> None:
    tenants = await _tenants(dsn)
    statements = await _recorded(home, dsn, tenants)
    report.add("POST /bundles, statements", len(statements), "round trips")
    conn = await asyncpg.connect(dsn)
    try:
        text = await pgbench.script_of(conn, statements, tenants)
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()
    script = home / "create.sql"
    script.write_text(text)
    for commit in ("on", "off"):
        await _set_commit(dsn, commit)
        with api(home, dsn) as (port, process):
            for clients in (1, CLIENTS):
                requests = [request("/bundles", t.key, BODY) for t in tenants[:clients]]
                await compare(
                    report,
                    f"POST /bundles, {clients} client(s), synchronous_commit {commit}",
                    asking(port, process, requests, seconds=1.0),
                    _replaying(dsn, script, clients),
                    against="pgbench with the same statements",
                    at_least=CREATE_LIMIT,
                )


async def _set_commit(dsn: str, value: str) -> None:
    """Choose whether a commit waits for the disk, which may hide all else."""
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(f"ALTER DATABASE tokportal SET synchronous_commit = {value}")
    finally:
        await conn.close()


def _replaying(dsn: str, script: Path, clients: int) -> Side:
    return lambda: pgbench.run(dsn, script, clients)


# Lists against FastAPI and SQLAlchemy.


async def _compare_peers(report: Report, home: Path, dsn: str) -> None:
    tenant, bundle_id = await settle_in_with_bundles(dsn, "reader", ROWS)
    port = free_port()
    argv = [str(PEERS), str(Path(__file__).parent / "peers" / "fastapi_app.py")]
    with (
        api(home, dsn) as (our_port, ours),
        server([*argv, str(port)], port, {"BENCH_DSN": dsn}) as peer,
    ):
        for name, path in (("/bundles", "/bundles"), ("/bundles/{id}", f"/bundles/{bundle_id}")):
            await _same_answer((our_port, port), path, tenant.key)
            for clients in (1, CLIENTS):
                requests = [request(path, tenant.key)] * clients
                await compare(
                    report,
                    f"GET {name}, {clients} client(s)",
                    asking(our_port, ours, requests, seconds=1.0),
                    asking(port, peer, requests, seconds=1.0),
                    against="FastAPI and SQLAlchemy",
                    at_least=PEER_LIMIT,
                )


async def _same_answer(ports: tuple[int, int], path: str, key: str) -> None:
    """Make sure that both sides do the same work."""
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as session:
        answers = []
        for port in ports:
            async with session.get(f"http://127.0.0.1:{port}/api/ext{path}") as answer:
                assert answer.status == 200, await answer.text()
                answers.append(await answer.json())
    assert answers[0] == answers[1], f"the two answers of {path} differ: {answers}"


# Page 1 over few and many bundles.


async def _compare_rows(report: Report, home: Path, dsn: str) -> None:
    async with connected(dsn) as conn:
        model = await settle_in(conn, "model")
        await order(conn, model)
        small, large = await settle_in(conn, "small"), await settle_in(conn, "large")
        for tenant, rows in ((small, FEW), (large, MANY)):
            await conn.execute(FILL, tenant.workspace, rows, model.workspace, timeout=600)
            await conn.execute(COUNT, tenant.workspace, timeout=600)
        await conn.execute("VACUUM ANALYZE", timeout=600)
        await conn.execute("CHECKPOINT", timeout=600)
    with api(home, dsn) as (port, process):
        for path in ("/bundles", "/bundles?status=published"):
            large_side = asking(port, process, [request(path, large.key)])
            small_side = asking(port, process, [request(path, small.key)])
            ratios, (many, _) = await in_pairs(large_side, small_side)
            times = [1 / ratio for ratio in ratios]
            report.add(
                f"GET {path}, page 1 of {MANY:,} bundles",
                1000 / median(one.per_second for one in many),
                "ms",
                ratio=median(times),
                versus=f"the time with {FEW:,}",
                spread=Spread.of(times),
                at_most=FLAT_LIMIT,
            )


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=["create", "peers", "rows", []])
    parts = parser.parse_args().parts or ["create", "peers", "rows"]
    with reporting(__file__, __doc__) as report, postgres(pgbench.LOGGING) as (home, dsn):
        if "create" in parts:
            uvloop.run(_compare_create(report, home, dsn))
        if "peers" in parts and PEERS.exists():
            uvloop.run(_compare_peers(report, home, dsn))
        elif "peers" in parts:
            report.skip("against FastAPI and SQLAlchemy", f"make peers has not made {PEERS.parent}")
        if "rows" in parts:
            uvloop.run(_compare_rows(report, home, dsn))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
