"""After the traffic: everything that is under way comes to its end, and the books are read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
import msgspec

from tokportal_server.lib.db import Connection
from traffic.cast import Cast, Customer
from traffic.receiver import Seen

_PATIENCE_SECONDS: Final = 180.0
# What waits, by what it is.
WAITING: Final = {
    "events to be dispatched": "SELECT count(*) FROM events WHERE dispatched_at IS NULL",
    "deliveries": "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'",
    "jobs": """
SELECT count(*) FROM pgqueuer
 WHERE status = 'picked' OR (status = 'queued' AND execute_after <= now())
""",
}
HELD: Final = "SELECT count(*) FROM pgqueuer WHERE status = 'failed'"
FAILED: Final = "SELECT count(*) FROM webhook_deliveries WHERE status = 'failed'"
# Tests of an endpoint are no events of the workspace.
EVENTS: Final = """
SELECT e.id FROM events e JOIN webhook_endpoints w ON w.workspace_id = e.workspace_id
 WHERE e.workspace_id = $1 AND e.type = ANY (w.events) AND e.recorded_at >= w.created_at
"""
COUNTED: Final = """
SELECT (SELECT count(*) FROM bundles) AS bundles,
       (SELECT count(*) FROM bundles WHERE published_at IS NOT NULL) AS published,
       (SELECT count(*) FROM saved_accounts) AS accounts, (SELECT count(*) FROM uploads) AS uploads,
       (SELECT count(*) FROM events) AS events
"""


class Settled(msgspec.Struct, kw_only=True):
    """What was left when nothing moved any more; all but ``made`` and ``received`` should be 0."""

    waiting: dict[str, int]
    held_jobs: int
    failed_deliveries: int
    received: int
    lost: int
    again: int
    refused: int
    complaints: list[str]
    made: dict[str, int]


async def settle(dsn: str, cast: Cast, hooks: int, logs: Sequence[Path]) -> Settled:
    """Wait until nothing is under way, for three minutes at most; then compare and count."""
    conn: Connection = await asyncpg.connect(dsn)
    try:
        waiting = await _until_quiet(conn)
        seen = [await _seen(hooks, one) for one in cast.customers]
        lost = [
            await _lost(conn, one.workspace, own.ids)
            for one, own in zip(cast.customers, seen, strict=True)
        ]
        return Settled(
            waiting=waiting,
            held_jobs=await conn.fetchval(HELD),
            failed_deliveries=await conn.fetchval(FAILED),
            received=sum(len(own.ids) for own in seen),
            lost=sum(lost),
            again=sum(own.again for own in seen),
            refused=sum(own.refused for own in seen),
            complaints=list(_complaints(logs)),
            made=dict(await conn.fetchrow(COUNTED) or {}),
        )
    finally:
        await conn.close()


async def _until_quiet(conn: Connection) -> dict[str, int]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while True:
        waiting = {name: int(await conn.fetchval(query)) for name, query in WAITING.items()}
        if not any(waiting.values()) or loop.time() > deadline:
            return waiting
        await asyncio.sleep(0.25)


async def _seen(hooks: int, one: Customer) -> Seen:
    address = f"http://127.0.0.1:{hooks}/seen/{one.number}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return msgspec.json.decode(await answer.read(), type=Seen)


async def _lost(conn: Connection, workspace: UUID, seen: set[str]) -> int:
    return sum(row["id"] not in seen for row in await conn.fetch(EVENTS, workspace))


def _complaints(logs: Iterable[Path]) -> Iterable[str]:
    """Give the lines of the logs that are errors, or that nobody formatted."""
    for log in logs:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:
                yield line[:300]
            else:
                if entry.get("level") in {"error", "critical"}:
                    yield line[:600]
