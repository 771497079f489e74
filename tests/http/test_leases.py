"""Keys of calls with work outside the database: a lease, renewed, and taken over once it lapsed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.http.seed import clip
from tests.orders.walk import ordered
from tests.uploads.forms import form
from tokportal_server.http import idempotency
from tokportal_server.http.answers import Rendered
from tokportal_server.http.errors import IdempotencyInProgressError
from tokportal_server.http.idempotency import Keyed, Lease, leased
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.settings import Settings

KEY = {"Idempotency-Key": "upload"}


async def upload(alice: Client, bundle: str, file: bytes | None = None, **more: Any) -> Reply:
    body, headers = form(clip() if file is None else file, {"bundle_id": bundle}, **more)
    return await alice.post("/upload/video/direct", body=body, headers=headers | KEY)


def media_files(settings: Settings) -> list[Path]:
    return [path for path in (settings.home / "media").rglob("*") if path.is_file()]


def keyed(world: World, fingerprint: bytes = b"a request") -> Keyed:
    """Give a key of Alice's as the pipeline makes it."""
    return Keyed(
        workspace_id=world.acme,
        api_key_id=world.alice_key_id,
        key="upload",
        fingerprint=fingerprint,
        keep=idempotency.KEPT,
    )


async def test_an_upload_replays_whatever_boundary_and_order_its_form_has(
    alice: Client, conn: Connection, settings: Settings
) -> None:
    bundle = await ordered(alice)
    first = await upload(alice, bundle)
    again = await upload(alice, bundle, file_first=False)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
    assert len(media_files(settings)) == 1


async def test_another_file_or_field_with_the_key_is_refused(alice: Client) -> None:
    bundle, other = await ordered(alice), await ordered(alice)
    await upload(alice, bundle)
    for refused in (await upload(alice, bundle, b"another"), await upload(alice, other)):
        assert (refused.status, refused.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_many_uploads_at_once_with_one_key_store_one_file(
    alice: Client, conn: Connection, settings: Settings
) -> None:
    bundle = await ordered(alice)
    replies = await asyncio.gather(*(upload(alice, bundle) for _ in range(10)))
    assert {reply.status for reply in replies} <= {200, 409}
    assert len({reply.body for reply in replies if reply.status == 200}) == 1
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
    assert len(media_files(settings)) == 1


async def test_a_refused_upload_gives_its_key_back(alice: Client, conn: Connection) -> None:
    bundle = await ordered(alice)
    assert (await upload(alice, bundle, b"no film")).status == 400
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    assert (await upload(alice, bundle)).status == 200


async def test_a_held_lease_makes_the_next_call_wait_and_then_come_back_later(
    database: Database, world: World
) -> None:
    async with leased(database, keyed(world)) as held:
        assert isinstance(held, Lease)
        with pytest.raises(IdempotencyInProgressError) as caught:
            async with leased(database, keyed(world)):
                pass
    assert caught.value.retry_after == 1
    async with leased(database, keyed(world)) as free:
        assert isinstance(free, Lease)


async def test_a_lapsed_lease_is_taken_over_and_its_first_holder_may_not_commit(
    database: Database, world: World, conn: Connection
) -> None:
    stored = Rendered(200, b'{"data":1}')
    async with leased(database, keyed(world)) as first:
        assert isinstance(first, Lease)
        # As if its process had stood still for longer than the lease.
        await conn.execute("UPDATE idempotency_keys SET lease_until = now(), expires_at = now()")
        async with leased(database, keyed(world)) as second:
            assert isinstance(second, Lease)
            async with conn.transaction():
                await second.fence(conn)
                await idempotency.store(conn, keyed(world), stored)
            with pytest.raises(IdempotencyInProgressError):
                await first.fence(conn)
    # Neither holder's end took the stored answer away.
    async with leased(database, keyed(world)) as replayed:
        assert isinstance(replayed, Rendered)
        assert replayed.body == stored.body


async def test_a_lease_left_by_a_dead_process_lets_the_upload_through_once_it_lapsed(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle = await ordered(alice)
    await conn.execute(
        "INSERT INTO idempotency_keys (workspace_id, key, fingerprint, lease_token, lease_until,"
        " expires_at) VALUES ($1, 'upload', 'of the dead', gen_random_uuid(),"
        " now() + interval '30 s', now() + interval '30 s')",
        world.acme,
    )
    assert (await upload(alice, bundle)).code == "IDEMPOTENCY_KEY_REUSED"
    await conn.execute("UPDATE idempotency_keys SET lease_until = now(), expires_at = now()")
    assert (await upload(alice, bundle)).status == 200
    assert await conn.fetchval("SELECT lease_token IS NULL AND status = 200 FROM idempotency_keys")


async def test_a_lease_is_renewed_while_the_work_runs(
    database: Database, world: World, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 0.3)
    async with leased(database, keyed(world)) as held:
        assert isinstance(held, Lease)
        first = await conn.fetchval("SELECT lease_until FROM idempotency_keys")
        async with asyncio.timeout(20):
            # The renewal is a task of the lease's own, which tells nobody.
            while await conn.fetchval("SELECT lease_until FROM idempotency_keys") == first:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await held.fence(conn)
