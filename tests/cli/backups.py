"""An installation worth a backup, and an empty one to restore it into."""

from __future__ import annotations

import asyncio
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from tests.accounts.revealing import owned
from tests.cast import World
from tests.cli.command import Command
from tests.client import Client
from tests.lib.databases import connected, own_database
from tests.orders.walk import ordered
from tests.uploads import media
from tests.uploads.test_upload_direct import IMAGE, upload
from tests.webhooks.api import created
from tokportal_server.cli.backup.manifest import Manifest, read_manifest
from tokportal_server.cli.backup.restoring import Wanted, examine_backup, restore_backup
from tokportal_server.cli.backup.taking import Asked, Taken, Telling, take_backup
from tokportal_server.entry.worker import job_runner
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules


@dataclass(frozen=True)
class Played:
    """What was played: a delivered account, a picture with its address and bytes, an endpoint."""

    account_id: UUID
    picture: str
    content: bytes
    endpoint: dict[str, Any]


async def played(alice: Client, conn: Connection, world: World, ports: Ports) -> Played:
    """Have an account delivered with sealed credentials, an image stored, an endpoint made."""
    account_id = await owned(alice, conn, world, ports)
    path = await picture(alice)
    await job_runner(ports, OrderRules.of(ports.settings)).drain()
    endpoint = await created(alice)
    return Played(account_id, path, await fetched(alice.address + path), endpoint)


async def picture(alice: Client, size: tuple[int, int] = (40, 20)) -> str:
    """Upload an image for a new bundle; give the path of its address."""
    bundle_id = await ordered(alice, videos=0)
    reply = await upload(
        alice, IMAGE, media.jpeg(size=size), {"bundle_id": bundle_id}, filename="a.jpg"
    )
    return str(reply.data["public_url"]).removeprefix(alice.address)


async def fetched(url: str) -> bytes:
    """GET what is at an address."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, url
        return await answer.read()


async def backed_up(settings: Settings, folder: Path, *, with_media: bool = True) -> Taken:
    """Take a backup, as the command does, in this process."""
    asked = Asked(
        settings=settings,
        dsn=settings.database_url or "",
        folder=folder,
        with_media=with_media,
    )
    return await take_backup(asked, Telling())


async def brought_back(
    command: Command, folder: Path, keys: Path | None = None, *, paused: bool = False
) -> list[str]:
    """Restore a backup, as the command does, in this process; give what is wrong."""
    settings = Settings(home=command.home, database_url=command.dsn)
    wanted = Wanted(settings=settings, folder=folder, keys=keys, paused=paused)
    manifest = await asyncio.to_thread(examine_backup, wanted, Telling())
    return await restore_backup(wanted, manifest, command.dsn, Telling())


@asynccontextmanager
async def fresh() -> AsyncIterator[Command]:
    """The command line of an installation with an empty database and an empty home."""
    async with own_database() as address:
        with tempfile.TemporaryDirectory(prefix="tokportal-fresh-") as home:
            yield Command(address, Path(home) / "home")


async def tables(command: Command) -> int:
    """Count the tables of an installation's database."""
    async with connected(command.dsn) as conn:
        found = await conn.fetchval(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
    return int(found)


def changed(folder: Path, copy: Path, **changes: Any) -> Path:
    """Copy a backup with another manifest, whose checksum is right."""
    shutil.copytree(folder, copy)
    manifest: Manifest = msgspec.structs.replace(read_manifest(folder), **changes)
    (copy / "manifest.json").write_bytes(manifest.sealed())
    return copy


def objects(folder: Path) -> dict[str, int]:
    """Give the objects of a backup by key, with the inode of each."""
    root = folder / "media"
    return {
        path.relative_to(root).as_posix(): path.stat().st_ino
        for path in root.rglob("*")
        if path.is_file()
    }


def open_to_others(folder: Path) -> list[Path]:
    """Give what others than its owner may do anything with, below a folder."""
    return [path for path in folder.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]
