"""``tokportal-server restore``: everything comes back, or nothing was touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.accounts.revealing import PLANTED
from tests.cast import World
from tests.cli.backups import (
    Played,
    backed_up,
    brought_back,
    changed,
    fetched,
    fresh,
    objects,
    picture,
    played,
    tables,
)
from tests.cli.command import Command
from tests.client import Client
from tests.conftest import serving
from tests.orders.walk import ordered
from tokportal_server.cli.backup.keys import write_keys
from tokportal_server.cli.backup.manifest import BackupError, KeyNote, read_manifest
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings


@pytest.fixture
async def empty() -> AsyncIterator[Command]:
    async with fresh() as installation:
        yield installation


@pytest.fixture
async def backup(settings: Settings, alice: Client, tmp_path: Path) -> tuple[Path, Path]:
    """A backup with one image, and the file of its keys."""
    await picture(alice)
    folder, keys = tmp_path / "backup", tmp_path / "keys"
    await backed_up(settings, folder)
    write_keys(settings, keys)
    return folder, keys


async def test_everything_is_there_after_a_restore_though_orders_came_meanwhile(
    command: Command,
    empty: Command,
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    settings: Settings,
    tmp_path: Path,
) -> None:
    before = await played(alice, conn, world, ports)
    folder, keys = tmp_path / "backup", tmp_path / "keys"
    taking = asyncio.create_task(command("backup", folder, "--keys", keys))
    orders = 0
    while not taking.done() and orders < 30:
        await ordered(alice, videos=0)
        orders += 1
    assert (await taking).code == 0
    assert orders > 0

    made = await empty("restore", folder, "--keys", keys)

    assert made.code == 0, made.out + made.err
    assert "Restored and proven" in made.out
    assert (await empty("doctor")).code == 0
    elsewhere = msgspec.structs.replace(settings, home=empty.home, database_url=empty.dsn)
    async with serving(elsewhere) as address, Client(address, world.alice_key) as client:
        await _assert_all_there(client, before)
        total = (await client.get("/bundles")).json["pagination"]["total"]
        assert 2 <= total == read_manifest(folder).rows["bundles"] <= 2 + orders
        await ordered(client, videos=0)
    assert (await empty("doctor")).code == 0


async def _assert_all_there(client: Client, before: Played) -> None:
    revealed = await client.post(f"/accounts/{before.account_id}/reveal-credentials")
    assert revealed.data["password"] == PLANTED.password
    assert await fetched(client.address + before.picture) == before.content
    endpoints = (await client.get("/webhooks")).data
    assert [endpoint["url"] for endpoint in endpoints] == [before.endpoint["url"]]
    assert (await client.get("/account-bans")).status == 200


async def test_paused_nothing_is_sent_until_maintenance_ends(
    empty: Command, backup: tuple[Path, Path]
) -> None:
    folder, keys = backup
    made = await empty("restore", folder, "--keys", keys, "--paused")
    assert made.code == 0, made.out + made.err
    conn = await asyncpg.connect(empty.dsn)
    try:
        switches = await conn.fetch("SELECT scope, reason FROM kill_switches")
        acts = await conn.fetchval(
            "SELECT details->>'paused' FROM audit ORDER BY ordinal DESC LIMIT 1"
        )
    finally:
        await conn.close()
    assert [tuple(row) for row in switches] == [("maintenance", "Restored from a backup.")]
    assert acts == "true"


async def test_refuses_an_installation_that_is_not_empty(
    command: Command, empty: Command, backup: tuple[Path, Path]
) -> None:
    folder, keys = backup
    with pytest.raises(BackupError, match="is not empty"):
        await brought_back(command, folder)
    assert await brought_back(empty, folder, keys) == []
    with pytest.raises(BackupError, match="is not empty"):
        await brought_back(empty, folder)


async def test_refuses_without_the_right_key_and_makes_none(
    empty: Command, backup: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, keys = backup
    key_id = read_manifest(folder).vault_keys[0].key_id
    none = await empty("restore", folder)
    assert (none.code, f"needs vault key {key_id}, which is not here" in none.err) == (2, True)
    wrong = tmp_path / "wrong"
    wrong.write_text("cd" * 32)
    with pytest.raises(BackupError, match=f"needs vault key {key_id}"):
        await brought_back(empty, folder, wrong)
    assert not (empty.home / "vault.key").exists()
    assert await tables(empty) == 0

    empty.home.mkdir(exist_ok=True)
    (empty.home / "vault.key").write_text("cd" * 32)
    (empty.home / "vault.key").chmod(0o600)
    with pytest.raises(BackupError, match="keys are never replaced"):
        await brought_back(empty, folder, keys)
    assert (empty.home / "vault.key").read_text() == "cd" * 32


async def test_refuses_another_key_that_has_the_name_of_the_right_one(
    empty: Command, backup: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, keys = backup
    note = read_manifest(folder).vault_keys[0]
    sealed = note.sealed[:-1] + bytes([note.sealed[-1] ^ 1])
    copy = changed(folder, tmp_path / "copy", vault_keys=[KeyNote(note.key_id, sealed)])
    with pytest.raises(BackupError, match="is not the one that this backup needs"):
        await brought_back(empty, copy, keys)


@pytest.mark.parametrize("part", ["dump", "list", "object"])
@pytest.mark.parametrize("harm", ["damaged", "missing"])
async def test_refuses_a_damaged_backup_before_anything_is_touched(
    empty: Command, backup: tuple[Path, Path], part: str, harm: str
) -> None:
    folder, keys = backup
    manifest = read_manifest(folder)
    path = {
        "dump": folder / manifest.database.name,
        "list": folder / manifest.media_list.name,
        "object": folder / "media" / next(iter(objects(folder))),
    }[part]
    if harm == "missing":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    with pytest.raises(BackupError, match="nothing was restored") as refused:
        await brought_back(empty, folder, keys)

    assert f"{path} is {harm}" in str(refused.value)
    assert await tables(empty) == 0
    assert not empty.home.exists()


async def test_verify_names_what_is_damaged(empty: Command, backup: tuple[Path, Path]) -> None:
    folder, _ = backup
    path = folder / "media" / next(iter(objects(folder)))
    path.write_bytes(path.read_bytes()[:-1])
    verified = await empty("backup", "verify", folder)
    assert (verified.code, f"{path} is damaged" in verified.out) == (1, True)


async def test_refuses_a_changed_manifest(empty: Command, backup: tuple[Path, Path]) -> None:
    folder, keys = backup
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"postgresql": 18', '"postgresql": 16'))
    refused = await empty("restore", folder, "--keys", keys)
    assert (refused.code, "was changed after it was written" in refused.err) == (2, True)
    assert "Traceback" not in refused.err
    manifest.write_text(text[: len(text) // 2])
    with pytest.raises(BackupError, match="is damaged"):
        await brought_back(empty, folder, keys)


async def test_refuses_what_a_newer_release_made_or_a_newer_postgresql(
    empty: Command, backup: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, keys = backup
    wanted: dict[str, dict[str, Any]] = {
        "in a format that this one does not know": {"format": 2},
        "has schema 9999": {"schema_revision": "9999"},
        "of PostgreSQL 99": {"postgresql": 99},
        "other migrations than this release has: 0002_credits": {
            "schema_texts": {**read_manifest(folder).schema_texts, "0002_credits": "ab"}
        },
    }
    for number, (words, changes) in enumerate(wanted.items()):
        copy = changed(folder, tmp_path / f"changed-{number}", **changes)
        with pytest.raises(BackupError, match=words):
            await brought_back(empty, copy, keys)
    assert await tables(empty) == 0


async def test_one_that_was_broken_off_is_run_again(
    empty: Command, backup: tuple[Path, Path]
) -> None:
    folder, keys = backup
    key = next(iter(objects(folder)))
    there = empty.home / "media" / key
    there.parent.mkdir(parents=True)
    there.write_bytes(b"another")
    with pytest.raises(BackupError, match="Nothing is overwritten"):
        await brought_back(empty, folder, keys)
    assert there.read_bytes() == b"another"
    assert await tables(empty) == 0

    there.write_bytes((folder / "media" / key).read_bytes())
    assert await brought_back(empty, folder, keys) == []


async def test_media_that_are_not_there_are_listed(
    command: Command, empty: Command, alice: Client, tmp_path: Path
) -> None:
    key = (await picture(alice)).removeprefix("/media/")
    folder, keys = tmp_path / "backup", tmp_path / "keys"
    made = await command("backup", folder, "--no-media", "--keys", keys)
    assert (made.code, "1 media" in made.out, "listed" in made.out) == (0, True, True)

    restored = await empty("restore", folder, "--keys", keys)

    assert restored.code == 1
    assert f"{key} is not in the media store" in restored.out
    assert await tables(empty) > 0


async def test_rows_that_are_not_those_that_were_counted_are_told(
    empty: Command, backup: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, keys = backup
    rows = read_manifest(folder).rows
    copy = changed(folder, tmp_path / "copy", rows=rows | {"bundles": 7})
    assert await brought_back(empty, copy, keys) == [
        f"bundles has {rows['bundles']} rows, and the backup counted 7."
    ]
