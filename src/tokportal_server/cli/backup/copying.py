"""Media on their way into the folder: streamed, checked against their row, and only once.

1. What lies in the folder under its name with its size was checked when it came: it is not read
   again, nor asked for in the store.
2. Anything else is streamed beside its place, and gets its name when size and checksum are right.
3. What the store does not have was deleted meanwhile if its row is gone too; else it is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import count, groupby, islice
from pathlib import Path

import msgspec

from tokportal_server.cli.backup.manifest import MEDIA, private
from tokportal_server.cli.backup.media_list import Item
from tokportal_server.lib.db import Connection
from tokportal_server.lib.storage import ObjectStore

# What every row that names an object says of it, in the order of their keys.
NAMED_MEDIA = """
SELECT COALESCE(object_key, storage_key) COLLATE "C" AS key, size_bytes AS size, sha256,
       false AS optional
  FROM uploads
UNION ALL
SELECT storage_key, size_bytes, sha256, false FROM thumbnails
UNION ALL
SELECT 'quarantine/' || storage_key, NULL, NULL, true FROM presigned_uploads
 ORDER BY key
"""
STILL_NAMED = """
SELECT EXISTS (SELECT FROM uploads WHERE object_key = $1)
       OR EXISTS (SELECT FROM uploads WHERE object_key IS NULL AND storage_key = $1)
       OR EXISTS (SELECT FROM thumbnails WHERE storage_key = $1)
"""
_SIDE_BY_SIDE = 8
_PART = ".part-"

Report = Callable[[int], None]


class Copier:
    """Copies objects from a store into the folder of a backup."""

    def __init__(self, conn: Connection, store: ObjectStore, folder: Path) -> None:
        self._conn = conn
        self._store = store
        self._root = folder / MEDIA
        self._numbers = count()

    async def all(self, items: Iterable[Item], report: Report) -> AsyncIterator[Item]:
        """Copy objects, some side by side; give them in their order with what became of each.

        ``report`` is told the bytes of each. ``OSError``: the folder cannot be written.
        """
        self._root.mkdir(mode=0o700, exist_ok=True)
        for left in self._root.glob(f"{_PART}*"):
            left.unlink()
        for batch in batches(items):
            for item in await asyncio.gather(*(self._one(item) for item in batch)):
                outcome = item if item.state == "copied" else await self._explained(item)
                report(outcome.size or 0)
                yield outcome

    async def _one(self, item: Item) -> Item:
        target = self._root / item.key
        if item.sha256 is not None and _size(target) == item.size:
            return msgspec.structs.replace(item, state="copied")
        size = item.size if item.size is not None else await self._store.head(item.key)
        if size is None:
            return msgspec.structs.replace(item, state="missing")
        part = self._root / f"{_PART}{next(self._numbers)}"
        try:
            digest = await self._stream(item.key, size, part)
        except FileNotFoundError:
            return msgspec.structs.replace(item, state="missing")
        except BaseException:
            # A full disk gets back what the part took of it.
            part.unlink(missing_ok=True)
            raise
        if item.sha256 not in {None, digest}:
            part.unlink()
            return msgspec.structs.replace(item, state="damaged")
        for folder in reversed(target.relative_to(self._root).parents):
            (self._root / folder).mkdir(mode=0o700, exist_ok=True)
        part.rename(target)
        return msgspec.structs.replace(item, size=size, sha256=digest, state="copied")

    async def _stream(self, key: str, size: int, part: Path) -> str:
        chunks = await self._store.get_range(key, 0, size) if size else _nothing()
        digest = hashlib.sha256()
        with private(part) as file:
            async for chunk in chunks:
                await asyncio.to_thread(_take, file.write, digest.update, chunk)
        return digest.hexdigest()

    async def _explained(self, item: Item) -> Item:
        """Tell what was deleted while the backup ran from what is lost."""
        if item.state == "missing" and (
            item.optional or not await self._conn.fetchval(STILL_NAMED, item.key)
        ):
            return msgspec.structs.replace(item, state="gone")
        return item


def prune(folder: Path, items: Iterable[Item]) -> int:
    """Delete objects of the folder that a list, ordered by key, does not name; give how many."""
    root = folder / MEDIA
    kept: set[Path] = set()
    gone = 0
    for place, group in groupby(items, key=lambda item: (root / item.key).parent):
        kept.add(place)
        named = {(root / item.key).name for item in group}
        for path in _files(place):
            if path.name not in named:
                path.unlink()
                gone += 1
    for place in [path for path in root.rglob("*") if path.is_dir()]:
        if place not in kept:
            for path in _files(place):
                path.unlink()
                gone += 1
    return gone


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Give items in handfuls that can be worked on side by side."""
    rest = iter(items)
    while batch := list(islice(rest, _SIDE_BY_SIDE)):
        yield batch


def _files(place: Path) -> Iterator[Path]:
    return (path for path in place.glob("*") if path.is_file())


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _take(write: Callable[[bytes], int], update: Callable[[bytes], None], chunk: bytes) -> None:
    write(chunk)
    update(chunk)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
