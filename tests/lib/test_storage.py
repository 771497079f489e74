"""What every store keeps: objects whole or absent, under keys that stay inside, without bloat.

Each of the first tests runs on a directory and on a bucket; the others are about the directory.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.lib.memory import PeakMemory
from tests.lib.s3 import make_bucket, s3_endpoint, use_s3
from tokportal_server.lib.storage import (
    DiskStore,
    NullStore,
    ObjectStore,
    check_key,
    make_key,
    open_store,
)

MIB = 1 << 20
KEY = "public/one.bin"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def disk(root: Path) -> ObjectStore:
    return DiskStore(root)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with s3_endpoint() as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    use_s3(monkeypatch, endpoint)
    return open_store(f"s3://{make_bucket(endpoint)}/some/where", home=tmp_path / "home")


@pytest.fixture(params=["disk", "bucket"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


async def keys_of(store: ObjectStore, prefix: str = "") -> set[str]:
    return {listed.key async for listed in store.listing(prefix)}


async def chunks_of(size: int, chunk: int = 64 << 10) -> AsyncIterator[bytes]:
    for start in range(0, size, chunk):
        yield (b"%07d\n" % start * (chunk // 8))[: min(chunk, size - start)]


async def content(size: int) -> bytes:
    return b"".join([chunk async for chunk in chunks_of(size)])


async def read(store: ObjectStore, key: str, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in await store.get_range(key, start, end)])


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 12 * MIB + 3])
async def test_stores_a_stream_and_tells_its_size_and_hash(store: ObjectStore, size: int) -> None:
    stored = await store.put_stream(KEY, chunks_of(size))
    whole = await content(size)
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(whole).hexdigest())
    assert await store.head(KEY) == size
    async with store.local_path(KEY) as path:
        assert path.read_bytes() == whole


@pytest.mark.parametrize("before_failure", [0, 1 * MIB, 17 * MIB])
async def test_leaves_nothing_when_the_stream_fails(
    store: ObjectStore, before_failure: int
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        async for chunk in chunks_of(before_failure):
            yield chunk
        raise ConnectionResetError("Alice hung up")

    with pytest.raises(ConnectionResetError, match="Alice hung up"):
        await store.put_stream(KEY, failing())
    assert await store.head(KEY) is None
    assert await keys_of(store) == set()


async def test_leaves_nothing_when_the_upload_is_cancelled(store: ObjectStore) -> None:
    stalled = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        async for chunk in chunks_of(17 * MIB):
            yield chunk
        stalled.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(store.put_stream(KEY, stalling()))
    await stalled.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await store.head(KEY) is None
    assert await keys_of(store) == set()


async def test_a_stream_that_fails_leaves_no_file(disk: ObjectStore, root: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        async for chunk in chunks_of(17 * MIB):
            yield chunk
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await disk.put_stream(KEY, failing())
    await all_gone(root)


async def all_gone(root: Path) -> None:
    """Wait for the store's own thread to remove its temporary file."""
    async with asyncio.timeout(20):
        while files_below(root):  # noqa: ASYNC110 - no event tells of a file that goes
            await asyncio.sleep(0.01)


async def test_a_failed_replacement_keeps_the_old_object(store: ObjectStore) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"new" * MIB * 2
        raise ConnectionResetError

    await store.put_stream(KEY, chunks_of(1000))
    with pytest.raises(ConnectionResetError):
        await store.put_stream(KEY, failing())
    assert await read(store, KEY, 0, 2000) == await content(1000)


async def test_reads_a_range_and_cuts_it_at_the_end(store: ObjectStore) -> None:
    await store.put_stream(KEY, chunks_of(3 * MIB))
    whole = await content(3 * MIB)
    assert await read(store, KEY, 0, 1) == whole[:1]
    assert await read(store, KEY, 1_000_001, 2_000_002) == whole[1_000_001:2_000_002]
    assert await read(store, KEY, 3 * MIB - 5, 4 * MIB) == whole[-5:]


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (-1, 5)])
async def test_refuses_a_range_that_is_none(store: ObjectStore, start: int, end: int) -> None:
    await store.put_stream(KEY, chunks_of(10))
    with pytest.raises(ValueError, match="not a byte range"):
        await store.get_range(KEY, start, end)


async def test_large_objects_pass_in_constant_memory(store: ObjectStore) -> None:
    await store.put_stream("warm/up", chunks_of(12 * MIB))
    with PeakMemory() as memory:
        await store.put_stream(KEY, chunks_of(200 * MIB))
        total = 0
        async for chunk in await store.get_range(KEY, 0, 200 * MIB):
            total += len(chunk)
    assert total == 200 * MIB
    assert memory.growth < 50 * MIB


async def test_an_absent_object_is_told_apart_before_the_first_byte(store: ObjectStore) -> None:
    with pytest.raises(FileNotFoundError):
        await store.get_range(KEY, 0, 1)
    with pytest.raises(FileNotFoundError):
        async with store.local_path(KEY):
            pass
    assert await store.head(KEY) is None


async def test_deletes_once_or_twice(store: ObjectStore) -> None:
    await store.put_stream(KEY, chunks_of(10))
    await store.delete(KEY)
    await store.delete(KEY)
    assert await keys_of(store) == set()


async def test_lists_what_lies_under_a_prefix_with_the_time_it_came(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "ab/3", "b/4/5"):
        await store.put_stream(key, chunks_of(10))
    assert await keys_of(store) == {"a/1", "a/2", "ab/3", "b/4/5"}
    assert await keys_of(store, "a") == {"a/1", "a/2"}
    assert await keys_of(store, "c") == set()
    async for listed in store.listing():
        assert abs(datetime.now(UTC) - listed.modified_at) < timedelta(hours=1)


async def test_lists_nothing_that_others_keep_in_the_directory(
    disk: ObjectStore, root: Path
) -> None:
    await disk.put_stream(KEY, chunks_of(10))
    (root / "public" / "not a key").write_bytes(b"")
    (root / ".hidden").write_bytes(b"")
    assert await keys_of(disk) == {KEY}


async def test_stores_a_local_file(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"film")
    stored = await store.put_file(KEY, source)
    assert stored.sha256 == hashlib.sha256(b"film").hexdigest()
    assert await read(store, KEY, 0, 4) == b"film"
    assert source.exists()


async def test_a_file_on_the_same_disk_is_not_copied(
    disk: ObjectStore, root: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"film")
    await disk.put_file(KEY, source)
    assert (root / KEY).samefile(source)
    source.unlink()
    assert await read(disk, KEY, 0, 4) == b"film"


async def test_a_file_takes_the_place_of_an_object(disk: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"film")
    await disk.put_stream(KEY, chunks_of(100))
    stored = await disk.put_file(KEY, source)
    assert (stored.size, stored.sha256) == (4, hashlib.sha256(b"film").hexdigest())
    assert await read(disk, KEY, 0, 100) == b"film"


async def test_tidies_up_after_a_killed_process(disk: ObjectStore, root: Path) -> None:
    await disk.put_stream(KEY, chunks_of(10))
    left, working = root / "public" / "one.bin#1", root / "public" / "two.bin#1"
    for path in (left, working):
        path.write_bytes(b"half")
    yesterday = time.time() - 25 * 3600
    for path in (left, root / KEY):
        os.utime(path, (yesterday, yesterday))
    assert await disk.tidy(age=timedelta(days=1)) == 1
    assert sorted(files_below(root)) == [root / KEY, working]


async def test_a_killed_process_leaves_nothing_for_good_beside_a_bucket(
    bucket: ObjectStore, tmp_path: Path
) -> None:
    left = tmp_path / "home" / "scratch" / "tmp1234"
    left.write_bytes(b"half")
    assert await bucket.tidy(age=timedelta(days=1)) == 0
    yesterday = time.time() - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    assert await bucket.tidy(age=timedelta(days=1)) == 1
    assert not left.exists()


async def test_success_is_reported_after_the_bytes_and_names_are_on_the_device(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = DiskStore(root)
    await store.put_stream("a/b/c.bin", chunks_of(10))
    assert synced == [str(root / part) for part in ("a/b/c.bin", "a/b", "a", ".")]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../secret",
        "public/../../secret",
        "public/..",
        "public//a",
        "public/a/",
        "public/.hidden",
        "public/a#1",
        "public/a\n",
        "public/a\0b",
        "public\\a",
        "public/%2e%2e/a",
        "public/\u00e9",
        "a" * 513,
    ],
)
async def test_refuses_a_key_that_could_leave_the_store(store: ObjectStore, key: str) -> None:
    for attempt in (
        store.put_stream(key, chunks_of(1)),
        store.get_range(key, 0, 1),
        store.head(key),
        store.delete(key),
    ):
        with pytest.raises(ValueError, match="not a storage key"):
            await attempt
    with pytest.raises(ValueError, match="not a storage key"):
        async with store.local_path(key):
            pass
    with pytest.raises(ValueError, match="not a storage key"):
        store.sign_put(key, content_type="video/mp4", seconds=60)


def test_makes_keys_that_nobody_guesses() -> None:
    keys = {make_key("public/videos", ".mp4") for _ in range(1000)}
    assert len(keys) == 1000
    for key in keys:
        name = key.removeprefix("public/videos/").removesuffix(".mp4")
        assert len(bytes.fromhex(name)) * 8 >= 128
        assert check_key(key) == key


@pytest.mark.parametrize(("prefix", "suffix"), [("..", ".mp4"), ("public", "/../x"), ("/a", "")])
def test_makes_no_key_from_a_hostile_part(prefix: str, suffix: str) -> None:
    with pytest.raises(ValueError, match="not a storage key"):
        make_key(prefix, suffix)


async def test_a_dry_run_takes_everything_and_keeps_nothing(tmp_path: Path) -> None:
    store = NullStore()
    source = tmp_path / "source"
    source.write_bytes(b"film")
    stored = await store.put_stream(KEY, chunks_of(MIB))
    assert (stored.size, (await store.put_file(KEY, source)).size) == (MIB, 4)
    await store.delete(KEY)
    assert await keys_of(store) == set()
    assert await store.tidy(age=timedelta()) == 0
    assert store.sign_put(KEY, content_type="video/mp4", seconds=60) is None
    assert await store.head(KEY) is None
    with pytest.raises(FileNotFoundError):
        await store.get_range(KEY, 0, 1)
    with pytest.raises(FileNotFoundError):
        async with store.local_path(KEY):
            pass


@pytest.mark.parametrize(
    ("url", "place"),
    [("file:", "home/media"), ("file:other", "home/other"), ("file://{tmp}/apart", "apart")],
)
async def test_opens_the_directory_the_setting_names(tmp_path: Path, url: str, place: str) -> None:
    store = open_store(url.format(tmp=tmp_path), home=tmp_path / "home")
    await store.put_stream(KEY, chunks_of(1))
    assert [path.relative_to(tmp_path / place) for path in files_below(tmp_path)] == [Path(KEY)]
    assert mode_of(tmp_path / place) == 0o700


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_leaves_the_permissions_of_an_existing_directory_alone(root: Path) -> None:
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    DiskStore(root)
    assert mode_of(root) == 0o755


@pytest.mark.parametrize("url", ["", "media", "ftp://host/x", "s3:", "file://host/x", "file:a?b=c"])
def test_refuses_a_storage_url_it_does_not_know(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="storage URL must be"):
        open_store(url, home=tmp_path)
