"""``tokportal-server backup``: what is in the folder, and what a second one adds to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cast import World
from tests.cli.backups import backed_up, fresh, objects, open_to_others, picture, played
from tests.cli.command import Command
from tests.client import Client
from tests.lib.s3 import make_bucket, s3_endpoint, use_s3
from tokportal_server.cli.backup.checking import problems
from tokportal_server.cli.backup.copying import Copier
from tokportal_server.cli.backup.folder import writing
from tokportal_server.cli.backup.keys import refuse_keys_beside, write_keys
from tokportal_server.cli.backup.manifest import BackupError, read_manifest
from tokportal_server.cli.backup.media_list import Item, read
from tokportal_server.lib.db import Connection
from tokportal_server.lib.dumps import DumpError, programs_for, without_password
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import make_key, open_store
from tokportal_server.migrations.run import migrate

SAFETY_NET = 60.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


async def test_holds_a_dump_and_the_media_and_no_key(
    command: Command,
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    target: Path,
    tmp_path: Path,
) -> None:
    await played(alice, conn, world, ports)
    keys = tmp_path / "apart" / "keys"
    keys.parent.mkdir()

    made = await command("backup", target, "--keys", keys)

    assert made.code == 0, made.err
    manifest = read_manifest(target)
    assert manifest.media.objects == len(objects(target)) == 2  # the image and its thumbnail
    assert manifest.rows["uploads"] == 1
    assert [note.key_id for note in manifest.vault_keys] == [ports.vault.current]
    names = {path.name for path in target.iterdir()}
    files = {manifest.database.name, manifest.media_list.name}
    assert names == files | {"manifest.json", "media", ".lock"}
    assert open_to_others(target) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    key = keys.read_text().split()[0]
    assert key == (command.home / "vault.key").read_text().strip()
    for path in (path for path in target.rglob("*") if path.is_file()):
        assert key.encode() not in path.read_bytes()
        assert bytes.fromhex(key) not in path.read_bytes()
    said = made.out + made.err
    assert key not in said
    assert "postgresql://" not in said
    whole = await command("backup", "verify", target)
    assert (whole.code, "is whole" in whole.out) == (0, True)


async def test_a_second_one_copies_only_what_is_new_and_leaves_copies_of_the_first_whole(
    settings: Settings, alice: Client, conn: Connection, target: Path, tmp_path: Path
) -> None:
    await picture(alice)
    await backed_up(settings, target)
    first = objects(target)
    shutil.copytree(target, tmp_path / "linked", copy_function=os.link)
    await conn.execute("DELETE FROM uploads")
    await picture(alice, (60, 30))
    await picture(alice, (80, 40))

    await backed_up(settings, target)
    await picture(alice, (100, 50))
    second = objects(target)
    await backed_up(settings, target)

    assert len(first) == 1
    assert len(second) == 2
    assert not first.keys() & second.keys()
    assert objects(target).items() > second.items()
    assert len(list(target.glob("database-*"))) == 1
    for folder in (target, tmp_path / "linked"):
        assert harm_of(folder) == []


async def test_media_that_nobody_has_any_more_are_named(
    command: Command, alice: Client, target: Path
) -> None:
    lost, damaged, kept = [await picture(alice, (40 + n, 20)) for n in range(3)]
    store = command.home / "media"
    key = {path: path.removeprefix("/media/") for path in (lost, damaged, kept)}
    assert (store / key[lost]).is_file(), key
    (store / key[lost]).unlink()
    (store / key[damaged]).write_bytes(b"something else")

    made = await command("backup", target)

    assert made.code == 1
    assert f"{key[lost]} (missing)" in made.err
    assert f"{key[damaged]} (damaged)" in made.err
    assert key[kept] not in made.err
    assert objects(target).keys() == {key[kept]}
    assert harm_of(target) == []


async def test_what_was_deleted_meanwhile_is_not_missing(
    alice: Client, conn: Connection, ports: Ports, tmp_path: Path
) -> None:
    named = (await picture(alice)).removeprefix("/media/")
    await ports.storage.delete(named)
    gone = Item(make_key("0" * 32), 7, "ab" * 32)
    unused = Item(f"quarantine/{make_key('0' * 32)}", optional=True)
    copier = Copier(conn, ports.storage, tmp_path)

    told = [
        item async for item in copier.all([gone, Item(named, 7, "ab" * 32), unused], lambda _: None)
    ]

    assert [item.state for item in told] == ["gone", "missing", "gone"]


async def test_a_presigned_upload_that_was_not_used_yet_comes_along(
    settings: Settings, alice: Client, conn: Connection, ports: Ports, target: Path
) -> None:
    await picture(alice)
    key = make_key("1" * 32)
    await conn.execute(
        "INSERT INTO presigned_uploads (workspace_id, storage_key, bundle_id, purpose, filename)"
        " SELECT workspace_id, $1, id, 'video', 'a.mp4' FROM bundles LIMIT 1",
        key,
    )
    source = target.with_name("sent")
    source.write_bytes(b"not looked at yet")
    await ports.storage.put_file(f"quarantine/{key}", source)

    await backed_up(settings, target)

    assert (target / "media" / "quarantine" / key).read_bytes() == b"not looked at yet"
    manifest = read_manifest(target)
    items = [item for item in read(target / manifest.media_list.name) if item.optional]
    assert [(item.size, item.state) for item in items] == [(17, "copied")]


async def test_one_that_is_killed_leaves_the_one_before_whole_and_is_taken_up(
    command: Command, settings: Settings, alice: Client, target: Path
) -> None:
    with endless(command.home / "media" / (await picture(alice)).removeprefix("/media/")):
        await _killed_while_copying(command, target)
    with pytest.raises(BackupError, match=r"holds no whole backup.* make it again"):
        read_manifest(target)
    await backed_up(settings, target)
    before = objects(target)

    with endless(command.home / "media" / (await picture(alice, (60, 30))).removeprefix("/media/")):
        await _killed_while_copying(command, target)
    assert harm_of(target) == []
    assert objects(target) == before
    await backed_up(settings, target)
    assert objects(target).items() > before.items()
    assert not list(target.rglob("*part*"))


@contextmanager
def endless(path: Path) -> Iterator[None]:
    """Put an object in the place of one that never ends: a backup is held up at a known place."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    os.mkfifo(path)
    yield
    aside.rename(path)


def harm_of(folder: Path) -> list[str]:
    """Give what ``backup verify`` would."""
    return list(problems(folder, read_manifest(folder), lambda _: None))


async def _killed_while_copying(command: Command, target: Path) -> None:
    kept = len(list(_lists(target)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tokportal_server.entry.main", "backup", str(target)),
        env=command._environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(SAFETY_NET):
            # The list of media is begun when the dump is done.
            while len(list(_lists(target))) == kept:
                assert process.returncode is None
                await asyncio.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


def _lists(target: Path) -> Iterator[Path]:
    return target.glob("media-*.jsonl")


async def test_refuses_a_folder_that_is_not_for_it(
    command: Command, settings: Settings, target: Path
) -> None:
    target.mkdir()
    (target / "letter.txt").write_text("Dear Alice")
    refused = await command("backup", target)
    assert (refused.code, "holds other files, such as 'letter.txt'" in refused.err) == (2, True)
    (target / "letter.txt").unlink()

    await backed_up(settings, target)
    with writing(target), pytest.raises(BackupError, match="Somebody else writes or reads"):
        await backed_up(settings, target)
    async with fresh() as other:
        elsewhere = Settings(home=other.home, database_url=other.dsn)
        with pytest.raises(BackupError, match="nothing to back up"):
            await backed_up(elsewhere, target)
        await asyncio.to_thread(migrate, other.dsn)
        with pytest.raises(BackupError, match="backup of another installation"):
            await backed_up(elsewhere, target)
    assert harm_of(target) == []


async def test_keys_beside_the_backup_are_refused(command: Command, target: Path) -> None:
    inside = await command("backup", target, "--keys", target / "keys")
    assert (inside.code, "lies in the backup itself" in inside.err) == (2, True)
    assert not target.exists()
    (target.parent / "link").symlink_to(target.parent)
    around = target.parent / "link" / target.name / "keys"
    with pytest.raises(BackupError, match="lies in the backup itself"):
        refuse_keys_beside(around, target)


@pytest.mark.usefixtures("ports")
async def test_keys_of_older_backups_stay_in_the_file(settings: Settings, tmp_path: Path) -> None:
    keys, kept = tmp_path / "keys", settings.home / "vault.key"
    old, new = kept.read_text().strip(), "ab" * 32
    write_keys(settings, keys)
    kept.write_text(f"{new}\n{old}\n")
    write_keys(settings, keys)
    kept.write_text(f"{new}\n")
    write_keys(settings, keys)
    assert keys.read_text().split() == [new, old]
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


async def test_programs_older_than_the_server_are_refused() -> None:
    assert (await programs_for(16)).major == 16
    assert (await programs_for(17)).major == 18
    with pytest.raises(DumpError, match=r"server is PostgreSQL 99.* with --programs"):
        await programs_for(99)
    older = (await programs_for(16)).folder
    with pytest.raises(DumpError, match="are of PostgreSQL 16, and the server is 18"):
        await programs_for(18, older)
    with pytest.raises(DumpError, match="cannot be run"):
        await programs_for(18, older / "nowhere")


def test_a_password_is_no_argument_of_a_program() -> None:
    asked = "postgresql://me:p%40ss@db.example:5432/shop?host=/run&password=other&sslmode=require"
    assert without_password(asked) == (
        "postgresql://me@db.example:5432/shop?host=/run&sslmode=require",
        "p@ss",
    )
    assert without_password("postgresql:///shop?password=p") == ("postgresql:///shop", "p")


@as_root
@pytest.mark.parametrize(("size", "where"), [("60k", "database"), ("8m", "media")])
async def test_a_full_disk_is_told_and_leaves_what_was_there(
    command: Command, alice: Client, conn: Connection, target: Path, size: str, where: str
) -> None:
    path = await picture(alice)
    large = command.home / "media" / path.removeprefix("/media/")
    large.write_bytes(bytes(9_000_000))
    await conn.execute("UPDATE uploads SET size_bytes = 9000000")
    target.mkdir()
    script = (
        f'mount -t tmpfs -o size={size},mode=700 none "$1" && "$2" -m tokportal_server.entry.main'
        ' backup "$1"; echo "= $?"; ls -A "$1"'
    )
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/unshare", "--mount", "/bin/sh", "-c", script),
        *("sh", str(target), sys.executable),
        env=command._environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = (text.decode() for text in await process.communicate())
    assert "= 2" in out, err
    assert "No space left" in err, where
    assert "Traceback" not in err
    assert set(out.split("= 2")[1].split()) <= {".lock", "media"}


async def test_media_of_a_bucket_are_listed_unless_they_are_asked_for(
    command: Command, alice: Client, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    path = await picture(alice)
    key = path.removeprefix("/media/")
    with s3_endpoint() as endpoint:
        use_s3(monkeypatch, endpoint)
        address = f"s3://{make_bucket(endpoint)}/shop"
        store = open_store(address, home=command.home)
        await store.put_file(key, command.home / "media" / key)
        env = {"TOKPORTAL_STORAGE_URL": address}

        listed = await command("backup", target, env=env)
        assert listed.code == 0
        assert "versions or a replica of the bucket" in listed.err
        assert read_manifest(target).media.mode == "listed"
        assert not (target / "media").exists()
        async with fresh() as elsewhere:
            there = await elsewhere(
                "restore", target, "--keys", command.home / "vault.key", env=env
            )
            assert there.code == 0, there.out + there.err

        copied = await command("backup", target, "--with-bucket", env=env)
        assert (copied.code, set(objects(target))) == (0, {key})

    # From the bucket onto a disk.
    async with fresh() as elsewhere:
        back = await elsewhere("restore", target, "--keys", command.home / "vault.key")
        assert back.code == 0, back.out + back.err
        assert (elsewhere.home / "media" / key).read_bytes() == (
            command.home / "media" / key
        ).read_bytes()
