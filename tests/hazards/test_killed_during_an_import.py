"""``kill -9`` during a CSV import leaves all or nothing, and its media are fetched afterwards."""

from __future__ import annotations

import asyncio
from uuid import UUID

import aiohttp
import pytest

from tests.cast import people_the_world
from tests.client import Client
from tests.entry.installation import Installation, Program, installed_on, kill
from tests.lib.databases import connected
from tests.lib.outbound_rig import receiver
from tests.lib.waiting import until_blocked, until_found
from tests.orders.walk import in_days, ordered
from tests.uploads import media
from tests.videos.steps import imported
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine

ROWS = 3
HEAD = "position,video_type,description,target_publish_date,video_url,volume_added_sound"
TABLES = ("media", "pgqueuer", "slot_options", "credit_entries", "journal", "events")
# What half a minute of waiting does: the dead worker's jobs are anybody's.
LAPSE = "UPDATE pgqueuer SET heartbeat = now() - interval '1 hour' WHERE status = 'picked'"
ARRIVED = "SELECT count(*) = $2 FROM slots WHERE bundle_id = $1 AND media_status = 'ready'"


class Host:
    """Serves a film to everybody, once it is let go."""

    def __init__(self) -> None:
        self.film = media.video()
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, _head: bytes, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        await self.let_go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.film))
        writer.write(self.film)
        await writer.drain()


async def counts(conn: Connection) -> list[int]:
    return [int(await conn.fetchval(f"SELECT count(*) FROM {table}")) for table in TABLES]


async def _killed_in_the_middle(
    conn: Connection, alice: Client, program: Program, bundle: str, csv: str, key: dict[str, str]
) -> None:
    """Let the import stand still where it pays, with every row written, and kill everything."""
    async with conn.transaction():
        await conn.execute("SELECT 1 FROM wallets FOR UPDATE")
        call = asyncio.create_task(imported(alice, bundle, csv, headers=key))
        await until_blocked(conn, call)
        kill(program.parts())
    with pytest.raises(aiohttp.ClientError):
        await call


async def _serve(installation: Installation) -> Program:
    return await asyncio.to_thread(installation.serve, "--with-worker")


@pytest.mark.hazard(38)
@pytest.mark.proof
async def test_an_import_that_was_killed_left_nothing_and_the_media_of_its_repetition_arrive(
    dsn: str,
) -> None:
    settings = {
        "TOKPORTAL_KEY_BUCKET_CAPACITY": "100000",
        "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
    }
    host, key = Host(), {"Idempotency-Key": "csv-1"}
    async with connected(dsn) as conn, receiver(host) as port:
        world = await people_the_world(conn)
        rows = [
            f"{n},video,Look.,{in_days(5)},http://127.0.0.1:{port}/{n}.mp4,1"
            for n in range(1, ROWS + 1)
        ]
        csv = "\n".join([HEAD, *rows]) + "\n"
        with installed_on(dsn, **settings) as installation:
            program = await _serve(installation)
            async with Client(program.address, world.alice_key) as alice:
                bundle = await ordered(alice, videos=ROWS)
                before = await counts(conn)
                await _killed_in_the_middle(conn, alice, program, bundle, csv, key)
                program = await _serve(installation)
                assert await counts(conn) == before
                again = await imported(alice, bundle, csv, headers=key)
                assert (again.data["imported"], again.json["credits_charged"]) == (ROWS, ROWS)
                # And the worker dies while it fetches.
                await asyncio.wait_for(host.asked.wait(), 60)
                kill(program.parts())
                host.let_go.set()
                await conn.execute(LAPSE)
                program = await _serve(installation)
                await until_found(conn, ARRIVED, UUID(bundle), ROWS, within=120)
            assert await asyncio.to_thread(program.stop) == 0
        assert [f.check.name for f in await examine(conn) if f.contradictions] == []
