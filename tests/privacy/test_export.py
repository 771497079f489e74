"""Archives of a workspace and of a person: everything that is theirs, and no secret."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.scenery import set_the_scene
from tests.pages.guest import Guest, give_passwords, visiting
from tests.privacy.filling import fill_the_rest
from tokportal_server.cli.administration import AdministrationError
from tokportal_server.cli.privacy_administration import write_archive
from tokportal_server.entry.worker import job_runner
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import make_key
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workspaces.archive import Archive
from tokportal_server.workspaces.errors import WorkspaceNotFoundError
from tokportal_server.workspaces.exports import ExpiredExports
from tokportal_server.workspaces.holdings import HOLDINGS

SECRETS = """
SELECT encode(sealed, 'hex') FROM vault_items
UNION ALL SELECT encode(secret_sealed, 'hex') FROM webhook_endpoints
UNION ALL SELECT encode(key_hash, 'hex') FROM api_keys
"""
UPLOAD = """
UPDATE uploads SET storage_key = $2, object_key = NULL
 WHERE id = (SELECT id FROM uploads WHERE workspace_id = $1 LIMIT 1)
"""


async def unpacked(chunks: AsyncIterator[bytes]) -> zipfile.ZipFile:
    content = b"".join([chunk async for chunk in chunks])
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read(name).splitlines()]


async def test_an_archive_has_everything_of_its_workspace_and_no_secret(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    await fill_the_rest(conn, world)
    await charlie.post("/webhooks", {"url": "https://charlie.example.com/", "events": ["*"]})
    key = make_key(world.acme.hex, ".mp4")
    await conn.execute(UPLOAD, world.acme, key)
    await ports.storage.put_stream(key, _film())
    lost = await conn.fetchval("SELECT storage_key FROM uploads WHERE storage_key <> $1", key)
    await ports.storage.delete(lost)
    making = Archive(world.acme)
    archive = await unpacked(making.chunks(ports.database, ports.storage))
    names = set(archive.namelist())
    for one in HOLDINGS:
        assert (f"tables/{one.table}.jsonl" in names) is not bool(one.withheld), one.table
        if not one.withheld:
            there = await conn.fetchval(
                f"SELECT count(*) FROM {one.table} WHERE workspace_id = $1", world.acme
            )
            assert len(rows(archive, f"tables/{one.table}.jsonl")) == there, one.table
    assert archive.read(f"media/{key}") == b"film" * 100_000
    titles = {row["title"] for row in rows(archive, "tables/bundles.jsonl")}
    assert "Coffee corner" in titles
    assert rows(archive, "tables/slot_proofs.jsonl")[0]["document"] == '{"a": 1}'
    assert {row["name"] for row in rows(archive, "people.jsonl")} == {"Alice"}
    readme = archive.read("README.txt").decode()
    assert "tables/bundles.jsonl: orders (8)" in readme
    assert "vault_items (credentials of accounts): secrets" in readme
    assert making.missing == [f"media/{lost}"]
    assert f"  media/{lost}" in readme
    whole = b"".join(archive.read(name) for name in names)
    for row in await conn.fetch(SECRETS):
        assert row[0].encode() not in whole
    assert world.alice_key.encode() not in whole
    assert str(world.other).encode() not in whole


async def _film() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b"film" * 1000


async def test_there_is_no_archive_of_no_workspace(
    world: World, ports: Ports, tmp_path: Path
) -> None:
    target = tmp_path / "a.zip"
    nobody = Archive(world.alice)
    with pytest.raises(WorkspaceNotFoundError):
        await write_archive(nobody.chunks(ports.database, ports.storage), target)
    assert list(tmp_path.iterdir()) == []
    target.write_bytes(b"mine")
    with pytest.raises(AdministrationError, match="is there already"):
        await write_archive(Archive(world.acme).chunks(ports.database, ports.storage), target)
    assert target.read_bytes() == b"mine"


async def test_an_owner_has_one_made_and_fetches_it_and_nobody_else_does(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await give_passwords(conn, world.alice, world.bob, world.charlie)
    await conn.execute(
        "INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, 'member')",
        world.acme,
        world.bob,
    )
    here = f"/console/{world.acme}/exports"
    async with visiting(alice.address) as owner, visiting(alice.address) as member:
        await owner.sign_in("alice")
        await member.sign_in("bob")
        assert "None yet. Each is kept for 7 days." in (await owner.get(here)).text
        assert (await owner.post(here)).to == f"{here}?done=export_asked"
        assert "being made" in (await owner.get(here)).text
        assert (await owner.post(here)).code is None
        assert (await owner.post(here)).status == 409
        await job_runner(ports, OrderRules.of(ports.settings)).drain()
        page = await owner.get(here)
        assert "ready" in page.text
        link = page.html.split(f'href="{here}/')[1].split('"')[0]
        await _fetched(owner, f"{here}/{link}", world)
        assert (await member.get(here)).status == 200
        assert (await member.get(f"{here}/{link}")).code == "PAGE_FORBIDDEN"
        assert (await member.post(here)).code == "PAGE_FORBIDDEN"
        assert (await owner.get(f"{here}/{UUID(int=1)}")).status == 404
        actions = [row[0] for row in await conn.fetch("SELECT action FROM audit ORDER BY ordinal")]
        assert actions[-2:] == ["workspace.export", "workspace.export_fetched"]
        key = await conn.fetchval("SELECT storage_key FROM workspace_exports")
        # Nobody is served it at an address of media.
        assert (await owner.get(f"/media/{key}")).status == 404
        await conn.execute("UPDATE workspace_exports SET expires_at = now()")
        assert (await owner.get(f"{here}/{link}")).status == 404
        assert await ExpiredExports(ports).run_once() == 1
        assert await ports.storage.head(key) is None
        assert await conn.fetchval("SELECT count(*) FROM workspace_exports") == 0


async def _fetched(owner: Guest, address: str, world: World) -> None:
    content, headers = await owner.download(address)
    assert f"workspace-{world.acme}" in headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert json.loads(archive.read("workspace.json"))["name"] == "Acme"


async def test_people_fetch_their_own_data_without_anybody_elses(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    async with visiting(alice.address) as guest:
        await guest.sign_in("mona")
        assert "/you/data" in (await guest.get("/you")).html
        content, _ = await guest.download("/you/data")
    archive = zipfile.ZipFile(io.BytesIO(content))
    (person,) = rows(archive, "person.jsonl")
    assert (person["email"], "password_hash" in person) == ("mona@example.com", False)
    assert len(rows(archive, "claims.jsonl")) > 0
    assert "token_hash" not in rows(archive, "sessions.jsonl")[0]
    assert {row["action"] for row in rows(archive, "audit.jsonl")} == {"person.export"}
    whole = b"".join(archive.read(name) for name in archive.namelist())
    assert b"alice@example.com" not in whole
    assert b"Left out: your password" in archive.read("README.txt")
