"""Machines that start at once, or with settings that do not fit together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from tests.entry.installation import Installation, installed
from tests.lib.databases import connected
from tests.scale.postgres import External, external_postgres
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.crypto import VaultError, key_id
from tokportal_server.lib.settings import Settings
from tokportal_server.migrations.run import newest_revision

ONE, OTHER = "11" * 32, "22" * 32
VERSION = "SELECT version_num FROM alembic_version"
NOTED = "SELECT key_id FROM vault_keys"


@pytest.fixture(scope="module")
def external() -> Iterator[External]:
    with external_postgres(18) as made:
        yield made


@pytest.fixture
async def empty(external: External) -> str:
    """The address of an empty database."""
    return await external.make_database(f"test_{uuid4().hex}")


@pytest.fixture
def machines(empty: str) -> Iterator[list[Installation]]:
    """Two machines with homes of their own, on one database."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                installed(
                    TOKPORTAL_DATABASE_URL=empty,
                    TOKPORTAL_PORT="0",
                    TOKPORTAL_VAULT_KEY=ONE,
                    TOKPORTAL_DRAIN_SECONDS="1",
                    COLUMNS="400",
                )
            )
            for _ in range(2)
        ]


async def test_two_that_migrate_at_once_take_turns(
    machines: list[Installation], empty: str
) -> None:
    ended = await asyncio.gather(*(asyncio.to_thread(m.run, "migrate") for m in machines))
    assert [one.returncode for one in ended] == [0, 0], [one.stderr for one in ended]
    async with connected(empty, timezone="UTC") as conn:
        assert await conn.fetchval(VERSION) == newest_revision()


def test_migrates_at_an_address_as_managed_databases_write_it(
    machines: list[Installation], empty: str
) -> None:
    address = empty.replace("postgresql://", "postgres://") + "?sslmode=prefer"
    ended = machines[0].run("migrate", TOKPORTAL_DATABASE_URL=address)
    assert ended.returncode == 0, ended.stderr


async def test_a_machine_with_another_vault_key_says_so_and_ends(
    machines: list[Installation], empty: str
) -> None:
    first, second = machines
    assert (await asyncio.to_thread(first.run, "migrate")).returncode == 0
    async with open_ports(Settings(home=first.home, database_url=empty, vault_key=ONE)):
        pass
    for what in ("serve", "worker"):
        ended = await asyncio.to_thread(second.run, what, TOKPORTAL_VAULT_KEY=OTHER)
        assert ended.returncode == 2, ended.stderr
        assert key_id(bytes.fromhex(ONE)) in ended.stderr
        assert "TOKPORTAL_VAULT_KEY" in ended.stderr
        assert "Traceback" not in ended.stderr


async def test_of_two_first_starts_with_different_keys_only_one_succeeds(
    machines: list[Installation], empty: str
) -> None:
    assert (await asyncio.to_thread(machines[0].run, "migrate")).returncode == 0

    async def start(machine: Installation, key: str) -> None:
        settings = Settings(home=machine.home, database_url=empty, vault_key=key)
        async with open_ports(settings):
            pass

    ended = await asyncio.gather(
        *(start(*one) for one in zip(machines, (ONE, OTHER), strict=True)), return_exceptions=True
    )
    assert [type(one) for one in ended].count(VaultError) == 1, ended
    async with connected(empty, timezone="UTC") as conn:
        assert len(await conn.fetch(NOTED)) == 1
