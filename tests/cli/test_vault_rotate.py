"""``tokportal-server vault rotate`` beside a running server, and starts with the wrong key."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from tests.accounts.revealing import PLANTED, code_entered, owned
from tests.cast import World
from tests.client import Client
from tests.conftest import free_port, serving
from tokportal_server.cli import vault_administration
from tokportal_server.cli.vault_administration import rotate
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import Vault, VaultError, key_id
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.lib.vault_check import prove_vault
from tokportal_server.videos.proofs.keys import signing_seed

OLD, NEW = os.urandom(32), os.urandom(32)
KEYS_IN_USE = """
SELECT DISTINCT encode(substring(s.sealed FROM 2 FOR 4), 'hex') AS key_id FROM (
    SELECT sealed FROM vault_items UNION ALL SELECT sealed FROM verification_codes
    UNION ALL SELECT secret_sealed FROM webhook_endpoints
    UNION ALL SELECT body FROM idempotency_keys WHERE sealed
    UNION ALL SELECT sealed FROM proof_keys
) s
"""
# What is known by the vault keys themselves is not rotated, but forgotten.
SEALED_TABLES = """
SELECT DISTINCT table_name FROM information_schema.columns
 WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name ~ 'sealed'
   AND table_name <> 'vault_keys'
"""
CHANGE_NOTE = """
UPDATE vault_keys SET sealed = set_byte(sealed, 90, get_byte(sealed, 90) # 1)
"""
NOTED = "SELECT key_id FROM vault_keys ORDER BY key_id"


def vault_of(*keys: bytes) -> Vault:
    return Vault({key_id(key): key for key in keys}, key_id(keys[0]))


def with_keys(settings: Settings, *keys: bytes) -> Settings:
    text = ",".join(key.hex() for key in keys)
    return msgspec.structs.replace(settings, vault_key=text, port=free_port())


@asynccontextmanager
async def running(settings: Settings, world: World, *keys: bytes) -> AsyncIterator[Client]:
    """Serve with these keys; give Alice's client."""
    async with (
        serving(with_keys(settings, *keys)) as address,
        Client(address, world.alice_key) as alice,
    ):
        yield alice


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_keys(settings, OLD)


@pytest.mark.hazard(35)
async def test_everything_comes_under_the_new_key_while_calls_go_on(
    settings: Settings, conn: Connection, world: World, ports: Ports
) -> None:
    async with running(settings, world, OLD, NEW) as alice:
        accounts = [await owned(alice, conn, world, ports) for _ in range(3)]
        await code_entered(conn, world, ports, accounts[0], "482913")
        await alice.post(
            "/webhooks", {"url": "https://example.com/x", "events": ["bundle.created"]}
        )
        async with unit_of_work(conn, world.acme, now=real_now()):
            seed = await signing_seed(conn, ports.vault)
        key = {"Idempotency-Key": "kept"}
        first = await alice.post(f"/accounts/{accounts[0]}/reveal-credentials", headers=key)
    async with running(settings, world, NEW, OLD) as alice:
        stop = asyncio.Event()
        calls = asyncio.create_task(_calling(alice, [str(one) for one in accounts], stop))

        changed = await rotate(conn, vault_of(NEW, OLD), batch=2)

        stop.set()
        statuses = await calls
        assert len(statuses) > 0
        assert set(statuses) == {200}
        assert changed >= 3 + 1 + 1 + 1 + 1
    assert [row["key_id"] for row in await conn.fetch(KEYS_IN_USE)] == [key_id(NEW)]
    assert [row["key_id"] for row in await conn.fetch(NOTED)] == [key_id(NEW)]
    assert await rotate(conn, vault_of(NEW)) == 0
    assert await signing_seed(conn, vault_of(NEW)) == seed
    async with running(settings, world, NEW) as alice:
        again = await alice.post(f"/accounts/{accounts[0]}/reveal-credentials", headers=key)
        code = await alice.post(f"/accounts/{accounts[0]}/verification-code")
        assert (again.body, code.data["code"]) == (first.body, "482913")


async def _calling(alice: Client, accounts: list[str], stop: asyncio.Event) -> list[int]:
    statuses = []
    while not stop.is_set():
        for account in accounts:
            reply = await alice.post(f"/accounts/{account}/reveal-credentials")
            statuses.append(reply.status)
            assert reply.data["password"] == PLANTED.password
    return statuses


async def test_no_table_with_sealed_records_is_left_out(conn: Connection) -> None:
    texts = [text for text in vars(vault_administration).values() if isinstance(text, str)]
    for row in await conn.fetch(SEALED_TABLES):
        table = row["table_name"]
        assert any(f"FROM {table}\n" in text for text in texts), table
        assert any(f"UPDATE {table} SET" in text for text in texts), table


async def test_mail_still_finds_its_account_under_the_new_key(
    settings: Settings, conn: Connection, world: World, ports: Ports
) -> None:
    async with running(settings, world, OLD) as alice:
        await owned(alice, conn, world, ports)
    await rotate(conn, vault_of(NEW, OLD))
    hashed = await conn.fetchval("SELECT address_hash FROM saved_accounts")
    assert hashed[:4].hex() == key_id(NEW)


async def test_a_process_with_another_key_does_not_start(settings: Settings, ports: Ports) -> None:
    assert ports.vault.current == key_id(OLD)
    with pytest.raises(VaultError, match=key_id(OLD)):
        async with open_ports(with_keys(settings, NEW)):
            pass
    async with open_ports(with_keys(settings, NEW, OLD)) as opened:
        assert opened.vault.current == key_id(NEW)


async def test_a_note_that_was_changed_stops_the_start(conn: Connection, ports: Ports) -> None:
    assert ports.vault.current == key_id(OLD)
    await conn.execute(CHANGE_NOTE)
    with pytest.raises(VaultError):
        await prove_vault(conn, vault_of(OLD))
