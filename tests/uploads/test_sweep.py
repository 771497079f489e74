"""What nobody uses goes, and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.uploads.test_media import link, uploaded
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import make_key
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.uploads.media import MediaNotFoundError
from tokportal_server.uploads.operations.presign_upload import presign_upload
from tokportal_server.uploads.presigned import quarantine_key
from tokportal_server.uploads.sweep import LOCK_UNUSED, MediaSweep

BASE = "https://tokens.example.net"
AGE = "UPDATE {table} SET recorded_at = now() - $1::interval"
INSERT_ACCOUNT = """
INSERT INTO saved_accounts (workspace_id, platform, country, username, visible_name, profile_url,
                            profile_picture_url, bundle_id, created_at)
VALUES ($1, 'tiktok', 'USA', 'a', 'A', 'https://example.com/a', $3, $2, now())
"""
INSERT_PROFILE = """
INSERT INTO profiles (workspace_id, bundle_id, status, profile_picture_url)
VALUES ($1, $2, 'configured', $3)
"""
INSERT_SLOT = """
INSERT INTO slots (workspace_id, bundle_id, position, status, price, evidence_url, created_at,
                   updated_at)
VALUES ($1, $2, 1, 'finalized', 2, $3, now(), now())
"""
INSERT_CORRECTION = """
INSERT INTO corrections (workspace_id, bundle_id, round, comment, fields, requested_at)
VALUES ($1, $2, 1, 'This one.', jsonb_build_object('profile_picture', $3::text), now())
"""
INSERT_THUMBNAIL = """
INSERT INTO thumbnails (workspace_id, upload_id, storage_key, size_bytes, width, height, sha256)
SELECT workspace_id, id, $1, 1, 1, 1, '' FROM uploads
"""
# Where a stored file's address can stand in a text, and how a row with one is written.
MENTIONS = {
    "the proof of a story": INSERT_SLOT,
    "a delivered account's picture": INSERT_ACCOUNT,
    "a wanted profile's picture": INSERT_PROFILE,
    "a correction's new picture": INSERT_CORRECTION,
}
# Whoever writes these links media as well, and the links stay.
LINKED = {("edit_requests", "requested_profile_picture_url")}
TEXTS = """
SELECT table_name, column_name FROM information_schema.columns
 WHERE table_schema = 'public' AND data_type = 'text' AND column_name ~ '(picture|evidence|image)'
   AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')
"""
IN_VIEW = """
SELECT table_name, column_name FROM information_schema.view_column_usage
 WHERE view_name = 'media_mentions'
"""


@pytest.fixture
def sweep(ports: Ports) -> MediaSweep:
    return MediaSweep(ports)


async def put(ports: Ports, key: str) -> str:
    async def one() -> AsyncIterator[bytes]:
        yield b"x"

    await ports.storage.put_stream(key, one())
    return key


async def keys(ports: Ports) -> set[str]:
    return {listed.key async for listed in ports.storage.listing()}


async def stored_upload(conn: Connection, ports: Ports, workspace: UUID, bundle: UUID) -> str:
    return await put(ports, await uploaded(conn, workspace, bundle))


async def age(conn: Connection, table: str, **interval: int) -> None:
    [(unit, count)] = interval.items()
    await conn.execute(f"{AGE.format(table=table)}".replace("$1", f"'{count} {unit}'"))


async def test_an_upload_that_nothing_refers_to_goes_after_seven_days(
    conn: Connection, ports: Ports, world: World, bundle: UUID, sweep: MediaSweep
) -> None:
    await stored_upload(conn, ports, world.acme, bundle)
    await conn.execute(INSERT_THUMBNAIL, await put(ports, make_key(world.acme.hex, ".jpg")))
    await age(conn, "uploads", hours=7 * 24 - 1)
    assert await sweep.delete_unused() == 0
    assert len(await keys(ports)) == 2
    await age(conn, "uploads", hours=7 * 24 + 1)
    assert await sweep.delete_unused() == 2
    assert await keys(ports) == set()
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 0


async def test_an_upload_that_a_slot_shows_never_goes(
    conn: Connection, ports: Ports, world: World, bundle: UUID, sweep: MediaSweep
) -> None:
    key = await stored_upload(conn, ports, world.acme, bundle)
    owner = uuid4()
    await link(conn, world.acme, bundle, [key], owner=owner)
    await age(conn, "uploads", days=4000)
    assert await sweep.delete_unused() == 0
    # It is free again once the slot shows something else.
    await link(conn, world.acme, bundle, [], owner=owner)
    assert await sweep.delete_unused() == 1


@pytest.mark.parametrize("place", MENTIONS)
@pytest.mark.parametrize("written", ["{base}/media/{key}", "{key}", "{base}/media/{key}?t=1#x"])
async def test_an_upload_that_is_named_in_a_text_never_goes(
    conn: Connection,
    ports: Ports,
    world: World,
    bundle: UUID,
    sweep: MediaSweep,
    place: str,
    written: str,
) -> None:
    key = await stored_upload(conn, ports, world.acme, bundle)
    await conn.execute(MENTIONS[place], world.acme, bundle, written.format(base=BASE, key=key))
    await age(conn, "uploads", days=4000)
    assert await sweep.delete_unused() == 0
    assert await keys(ports) == {key}


async def test_another_workspaces_text_keeps_nothing(
    conn: Connection,
    ports: Ports,
    world: World,
    bundle: UUID,
    charlies_bundle: UUID,
    sweep: MediaSweep,
) -> None:
    key = await stored_upload(conn, ports, world.acme, bundle)
    await conn.execute(INSERT_SLOT, world.other, charlies_bundle, key)
    await age(conn, "uploads", days=8)
    assert await sweep.delete_unused() == 1


async def test_every_text_that_may_name_an_upload_is_asked(conn: Connection) -> None:
    asked = {(row[0], row[1]) for row in await conn.fetch(IN_VIEW)}
    texts = {(row[0], row[1]) for row in await conn.fetch(TEXTS)}
    assert len(texts) > 2
    # One that is missing belongs into the view, by the migration that made its table.
    assert texts - asked == LINKED


async def test_an_upload_that_is_being_used_at_this_moment_stays(
    conn: Connection,
    ports: Ports,
    world: World,
    bundle: UUID,
    sweep: MediaSweep,
) -> None:
    key = await stored_upload(conn, ports, world.acme, bundle)
    await age(conn, "uploads", days=8)
    async with ports.database.connection() as other, other.transaction():
        await link(other, world.acme, bundle, [key])
        assert await sweep.delete_unused() == 0
    assert await sweep.delete_unused() == 0
    assert await keys(ports) == {key}


async def test_what_the_sweep_takes_is_not_found_by_the_one_who_comes_too_late(
    conn: Connection, ports: Ports, world: World, bundle: UUID
) -> None:
    key = await stored_upload(conn, ports, world.acme, bundle)
    await age(conn, "uploads", days=8)
    async with ports.database.connection() as sweeping:
        async with sweeping.transaction():
            assert await sweeping.fetch(LOCK_UNUSED, 10)
            late = asyncio.create_task(link(conn, world.acme, bundle, [key]))
            await asyncio.sleep(0)
            await sweeping.execute("DELETE FROM uploads")
        with pytest.raises(MediaNotFoundError):
            await late


async def presigned(conn: Connection, ports: Ports, world: World, bundle: UUID) -> str:
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        key = await presign_upload(tx=tx, bundle_id=bundle, purpose="video", filename="a.mp4")
    await put(ports, quarantine_key(key))
    return key


async def test_a_presigned_upload_that_nobody_used_goes_after_a_day(
    conn: Connection, ports: Ports, world: World, bundle: UUID, sweep: MediaSweep
) -> None:
    await presigned(conn, ports, world, bundle)
    await age(conn, "presigned_uploads", hours=23)
    assert await sweep.forget_presigned() == 0
    await age(conn, "presigned_uploads", hours=25)
    assert await sweep.forget_presigned() == 1
    assert await keys(ports) == set()
    assert await conn.fetchval("SELECT count(*) FROM presigned_uploads") == 0


async def test_a_presigned_upload_that_is_on_its_way_stays(
    conn: Connection, ports: Ports, world: World, bundle: UUID, sweep: MediaSweep
) -> None:
    key = await presigned(conn, ports, world, bundle)
    await link(conn, world.acme, bundle, [key])
    await age(conn, "presigned_uploads", hours=25)
    assert await sweep.forget_presigned() == 0
    assert await keys(ports) == {quarantine_key(key)}


@pytest.fixture
def a_day_old(ports: Ports) -> Callable[[str], None]:
    def make_old(key: str) -> None:
        path: Path = ports.settings.home / "media" / key
        yesterday = time.time() - 25 * 3600
        os.utime(path, (yesterday, yesterday))

    return make_old


async def test_objects_that_no_row_knows_go_after_a_day(
    conn: Connection,
    ports: Ports,
    world: World,
    bundle: UUID,
    sweep: MediaSweep,
    a_day_old: Callable[[str], None],
) -> None:
    lost = await put(ports, make_key(world.acme.hex, ".mp4"))
    forgotten = await put(ports, quarantine_key(make_key(world.acme.hex)))
    new = await put(ports, make_key(world.acme.hex, ".mp4"))
    of_another_installation = await put(ports, make_key(uuid4().hex, ".mp4"))
    of_somebody_else = await put(ports, "backups/monday.tar")
    known = await stored_upload(conn, ports, world.acme, bundle)
    small = await put(ports, make_key(world.acme.hex, ".jpg"))
    await conn.execute(INSERT_THUMBNAIL, small)
    awaited = quarantine_key(await presigned(conn, ports, world, bundle))
    promised = await put(ports, make_key(world.acme.hex, ".mp4"))
    other = await uploaded(conn, world.acme, bundle)
    await conn.execute("UPDATE uploads SET object_key = $1 WHERE storage_key = $2", promised, other)
    for key in await keys(ports) - {new}:
        a_day_old(key)
    assert await sweep.delete_orphans() == 2
    kept = {new, of_another_installation, of_somebody_else, known, small, awaited, promised}
    assert await keys(ports) == kept
    assert not {lost, forgotten} & kept


@pytest.mark.hazard(8)
async def test_one_of_all_workers_sweeps_once_a_day(
    conn: Connection, ports: Ports, world: World, bundle: UUID
) -> None:
    await stored_upload(conn, ports, world.acme, bundle)
    await age(conn, "uploads", days=8)
    assert await MediaSweep(ports).run_once() == 1
    await stored_upload(conn, ports, world.acme, bundle)
    await age(conn, "uploads", days=8)
    for _ in range(2):
        assert await MediaSweep(ports).run_once() == 0
    await conn.execute("UPDATE sweeps SET due_at = now()")
    again = MediaSweep(ports)
    assert await again.run_once() == 1
    assert await again.run_once() == 0
