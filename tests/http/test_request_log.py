"""The request log's own promises; what a workspace reads of it is tested with its page."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tokportal_server.http.request_log import (
    LoggedRequest,
    RequestLog,
    purge_requests,
    request_log,
)
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import UNAVAILABLE, Connection, Database

COUNT = "SELECT count(*) FROM api_requests"
WAITING = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1
"""
OLD_MONTH = """
CREATE TABLE api_requests_202001 PARTITION OF api_requests
   FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z')
"""


def line(request_id: str = "req_1") -> LoggedRequest:
    """Give a line of some workspace."""
    return LoggedRequest(
        workspace_id=uuid4(),
        request_id=request_id,
        api_key_id=uuid4(),
        operation="getCurrentUser",
        method="GET",
        path="/api/ext/me",
        query="",
        status=200,
        error_code=None,
        error_message=None,
        duration_ms=3,
        dry_run=False,
        replayed=False,
        idempotency_key=None,
        client=None,
        user_agent=None,
        address="127.0.0.1",
        recorded_at=real_now(),
    )


async def test_what_waits_at_the_end_is_written(conn: Connection, database: Database) -> None:
    async with request_log(database) as log:
        for number in range(1001):
            log.note(line(f"req_{number}"))
    assert await conn.fetchval(COUNT) == 1001


async def test_a_connection_that_is_lost_while_writing_loses_no_line(
    conn: Connection, database: Database
) -> None:
    log = RequestLog(database)
    for number in range(3):
        log.note(line(f"req_{number}"))
    async with conn.transaction():
        await conn.execute("LOCK TABLE api_requests")
        writing = asyncio.create_task(log.write())
        while (waiting := await conn.fetchval(WAITING)) is None:
            await conn.execute("SELECT pg_sleep(0.01)")
        await conn.execute("SELECT pg_terminate_backend($1)", waiting)
        with pytest.raises(UNAVAILABLE):
            await writing
    assert await log.write() == 3
    order = "SELECT array_agg(request_id ORDER BY ordinal) FROM api_requests"
    assert await conn.fetchval(order) == ["req_0", "req_1", "req_2"]


async def test_what_waits_has_an_end_and_the_oldest_goes_first(
    conn: Connection, database: Database
) -> None:
    log = RequestLog(database)
    for number in range(20_001):
        log.note(line(f"req_{number}"))
    assert await log.write() == 20_000
    first = "SELECT request_id FROM api_requests ORDER BY ordinal LIMIT 1"
    assert await conn.fetchval(first) == "req_1"


async def test_text_that_postgresql_cannot_keep_does_not_lose_the_line(
    alice: Client, conn: Connection, world: World
) -> None:
    reply = await alice.get("/bundles/%00%ED%A0%80")
    assert reply.status == 400
    for _ in range(600):
        rows = await conn.fetch("SELECT path, workspace_id FROM api_requests")
        if rows:
            break
        await conn.execute("SELECT pg_sleep(0.05)")
    assert [row["workspace_id"] for row in rows] == [world.acme]
    assert "\ufffd" in rows[0]["path"]


async def test_months_that_have_had_their_time_are_dropped(conn: Connection) -> None:
    assert await purge_requests(conn) == 0
    await conn.execute(OLD_MONTH)
    assert await purge_requests(conn) == 1
