"""The database is lost during a commit: nobody is told what may be false, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.conftest import free_port
from tests.faults.proxy import Proxy, proxying, through
from tests.lib.databases import connected
from tests.lib.outbound_rig import receiver
from tests.lib.waiting import SAFETY_NET, until_found
from tests.orders.walk import order
from tests.uploads import media
from tests.uploads.forms import form
from tests.uploads.test_fetch import Rig, Site, answer
from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.lib.db import Connection, OutcomeUnknownError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings

# Whoever commits a row of the table waits for this lock first.
SLOW_COMMITS = """
CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4711);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_for_the_test()
"""
KEY = {"Idempotency-Key": "one"}
GIVING_BACK = """
SELECT count(*) FROM pg_stat_activity
 WHERE cardinality(pg_blocking_pids(pid)) > 0 AND query LIKE 'DELETE FROM idempotency_keys%'
"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    async with proxying(dsn) as opened:
        yield opened


@pytest.fixture
def settings(dsn: str, home: Path, proxy: Proxy) -> Settings:
    """Settings of a server that reaches its database through the proxy."""
    return Settings(
        home=home,
        database_url=through(dsn, proxy.port),
        port=free_port(),
        log_level="error",
        webhooks_allow_loopback=True,
        key_bucket_capacity=100_000,
        create_bucket_per_minute=100_000,
    )


@asynccontextmanager
async def commits_wait(dsn: str, table: str) -> AsyncIterator[Connection]:
    """Hold back the commits of those who write to the table, until the block ends."""
    async with connected(dsn) as conn:
        await conn.execute(SLOW_COMMITS.format(table=table))
        await conn.execute("SELECT pg_advisory_lock(4711)")
        yield conn
        await conn.execute("SELECT pg_advisory_unlock(4711)")


async def committing(conn: Connection) -> int:
    """Wait until somebody commits; give the process that does."""
    async with asyncio.timeout(SAFETY_NET):
        while (pid := await conn.fetchval(WAITING)) is None:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
    return int(pid)


def assert_unknown(reply: Reply) -> None:
    assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")
    assert reply.details["outcome"] == "unknown"
    assert "Nothing was changed" not in reply.json["error"]["message"]


async def test_an_order_that_was_rolled_back_in_its_commit_is_not_said_to_be_undone(
    alice: Client, dsn: str, conn: Connection
) -> None:
    async with commits_wait(dsn, "bundles") as holder:
        ordering = asyncio.create_task(alice.post("/bundles", order(1), headers=KEY))
        await conn.execute("SELECT pg_terminate_backend($1)", await committing(holder))
        assert_unknown(await ordering)
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 0
    assert (await alice.post("/bundles", order(1), headers=KEY)).status == 201


async def test_an_order_that_was_committed_unheard_is_made_once(
    alice: Client, dsn: str, conn: Connection, proxy: Proxy
) -> None:
    async with commits_wait(dsn, "bundles") as holder:
        ordering = asyncio.create_task(alice.post("/bundles", order(1), headers=KEY))
        await committing(holder)
        proxy.answering.clear()
    await until_found(conn, "SELECT count(*) FROM bundles")
    proxy.hang_up()
    proxy.heal()
    assert_unknown(await ordering)
    again = await alice.post("/bundles", order(1), headers=KEY)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 1


async def test_a_file_whose_row_is_committed_after_the_answer_is_still_there(
    alice: Client, dsn: str, conn: Connection, proxy: Proxy, tmp_path: Path
) -> None:
    bundle = (await alice.post("/bundles", order(1))).data["id"]
    video = tmp_path / "sample.mp4"
    write_sample_video(video)
    content = video.read_bytes()
    async with commits_wait(dsn, "uploads") as holder:
        sending = asyncio.create_task(send(alice, content, bundle))
        await committing(holder)
        # The server hears nothing more, and gives up; its transaction goes on without it.
        proxy.hang_up()
        await until_found(conn, GIVING_BACK)
    assert_unknown(await sending)
    again = await send(alice, content, bundle)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
    async with aiohttp.ClientSession() as session, session.get(again.data["public_url"]) as reply:
        assert (reply.status, await reply.read()) == (200, content)


async def test_a_fetched_file_whose_row_is_committed_unheard_is_still_there(
    alice: Client, dsn: str, conn: Connection, world: World, ports: Ports, proxy: Proxy
) -> None:
    bundle = UUID((await alice.post("/bundles", order(1))).data["id"])
    async with receiver(Site(answer(media.jpeg()))) as port:
        rig = Rig(ports, conn, world.acme, bundle)
        payload = {
            "workspace_id": str(world.acme),
            "media_id": str(await rig.link(f"http://127.0.0.1:{port}/a.jpg")),
        }
        async with commits_wait(dsn, "uploads") as holder:
            fetching = asyncio.create_task(rig.fetcher().run(payload))
            await committing(holder)
            proxy.hang_up()
            with pytest.raises(OutcomeUnknownError):
                await fetching
    await until_found(conn, "SELECT count(*) FROM uploads")
    path = await conn.fetchval("SELECT storage_key FROM uploads")
    assert await ports.storage.head(path) is not None
    # Done again, the job finds that there is nothing left to do.
    await rig.fetcher().run(payload)
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1


async def send(alice: Client, content: bytes, bundle: str) -> Reply:
    body, headers = form(content, {"bundle_id": bundle})
    return await alice.post("/upload/video/direct", body=body, headers=headers | KEY)
