"""Where objects' bytes live: a directory of this machine, or a bucket that speaks S3.

One code path for both, over obstore. An object is whole or absent: it appears under its key only
when its last byte is written, and on disk only success that is synced to the device is reported.
Keys are made here, never by a caller's user, and are unguessable. A bucket with a fixed access key
(``AWS_ACCESS_KEY_ID``) also takes an object straight from whoever holds a presigned address.
"""

# ruff: noqa: D102 - what a store's method does is said once, at ObjectStore.

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.presign import sign_content_type

log = structlog.get_logger(__name__)

_PART_BYTES = 5 << 20
# obstore's default of 12 parts in flight costs 60 MiB per upload.
_PARTS_IN_FLIGHT = 2
_READ_BYTES = 256 << 10
_KEY_RANDOM_BYTES = 20
_LONGEST_REASON = 500
# What a full disk, a bucket that is away, and one that refuses us say.
_CANNOT_STORE = (GenericError, PermissionDeniedError, UnauthenticatedError)
_KEY_LENGTH = 512
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class StorageUnavailableError(ApiError):
    """The store of files is full, away, or lets nobody in: nothing was stored."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    remedy = (
        "Nobody: send the same request again after `Retry-After`. If it lasts, tell the operator,"
        " whose disk or bucket takes nothing."
    )


def cannot_store(error: Exception) -> StorageUnavailableError:
    """Give the 503 for a file that could not be kept, and tell the operator why."""
    log.error("storage_takes_nothing", error=str(error)[:_LONGEST_REASON])
    return StorageUnavailableError(
        "The file could not be stored: the server's store takes nothing at the moment. Nothing was"
        " changed: send the same request again in a while.",
        retry_after=30,
    )


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was stored: ``size`` in bytes and ``sha256`` as 64 lower-case hex digits."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object that a listing found, with the time when it was last written."""

    key: str
    modified_at: datetime


def make_key(prefix: str, suffix: str = "") -> str:
    """Give a new key ``prefix/<160 random bits in hex>suffix``; ValueError if that is no key."""
    return check_key(f"{prefix}/{secrets.token_hex(_KEY_RANDOM_BYTES)}{suffix}")


def check_key(key: str) -> str:
    """Give the key back, or raise ValueError.

    A key is segments of letters, digits, ``.``, ``_`` and ``-`` joined by ``/``, none empty or
    beginning with a dot, so that no key leaves the store or names a hidden or temporary file.
    """
    if len(key) > _KEY_LENGTH or not _KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key[:80]!r}")
    return key


class ObjectStore(ABC):
    """Objects by key. Every method raises ValueError for a malformed key.

    Reading or opening a key that holds nothing raises FileNotFoundError.
    """

    @abstractmethod
    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> StoredObject:
        """Store the chunks in constant memory.

        If the iterator raises, or the call is cancelled, nothing is left under the key.
        """

    @abstractmethod
    async def put_file(self, key: str, path: Path) -> StoredObject:
        """Store a local file, which nobody writes to any more: it may become the object itself."""

    @abstractmethod
    async def get_range(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Give bytes ``start`` to ``end`` (exclusive) in chunks of a few hundred KiB.

        ValueError unless ``0 <= start < end``; an end behind the object's is cut to it.
        """

    @abstractmethod
    async def head(self, key: str) -> int | None:
        """Give the object's size in bytes, or None if there is none."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove the object; an absent one is no error."""

    @abstractmethod
    def local_path(self, key: str) -> AbstractAsyncContextManager[Path]:
        """Give a local file with the object's bytes, to be read only inside the context."""

    @abstractmethod
    def listing(self, prefix: str = "") -> AsyncIterator[Listed]:
        """Give all objects under a prefix, in constant memory and in no order.

        ``prefix`` is whole segments of keys; what lies there under no key of ours is left out.
        """

    @abstractmethod
    async def tidy(self, *, age: timedelta) -> int:
        """Delete the half-written files that killed processes left here; give how many.

        Only those that nobody has written to for ``age``.
        """

    @abstractmethod
    def sign_put(self, key: str, *, content_type: str, seconds: int) -> str | None:
        """Give an address at which the object can be PUT, once or more, for so many seconds.

        ``content_type`` must be sent as it is. None if the store has no such addresses: then the
        object has to come through :meth:`put_stream`. Asks nobody, so it may be called anywhere.
        """


class BucketStore(ObjectStore):
    """A bucket that speaks S3, below a prefix.

    An upload that dies with this process leaves invisible parts in the bucket: its lifecycle
    rule "abort incomplete multipart uploads" removes them.
    """

    def __init__(
        self, backend: LocalStore | S3Store, scratch: Path, *, secret_key: str | None = None
    ) -> None:
        self._backend = backend
        self._scratch = scratch
        self._secret_key = secret_key

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> StoredObject:
        check_key(key)
        tally = _Tally()
        try:
            await obstore.put_async(
                self._backend,
                key,
                tally.count(chunks),
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_IN_FLIGHT,
            )
        except _CANNOT_STORE as error:
            raise cannot_store(error) from error
        await self._settle(key)
        return tally.stored()

    async def put_file(self, key: str, path: Path) -> StoredObject:
        return await self.put_stream(key, file_chunks(path))

    async def get_range(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        check_key(key)
        if not 0 <= start < end:
            raise ValueError(f"not a byte range: {start} to {end}")
        found = await obstore.get_async(self._backend, key, options={"range": (start, end)})
        stream = found.stream(min_chunk_size=_READ_BYTES)

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in stream:
                yield bytes(chunk)

        return chunks()

    async def head(self, key: str) -> int | None:
        check_key(key)
        try:
            return (await obstore.head_async(self._backend, key))["size"]
        except FileNotFoundError:
            return None

    async def delete(self, key: str) -> None:
        check_key(key)
        try:
            await obstore.delete_async(self._backend, key)
        except FileNotFoundError:
            return

    @asynccontextmanager
    async def local_path(self, key: str) -> AsyncIterator[Path]:
        check_key(key)
        found = await obstore.get_async(self._backend, key)
        with tempfile.NamedTemporaryFile(dir=self._scratch) as file:
            async for chunk in found.stream(min_chunk_size=_READ_BYTES):
                await asyncio.to_thread(file.write, bytes(chunk))
            file.flush()
            yield Path(file.name)

    async def listing(self, prefix: str = "") -> AsyncIterator[Listed]:
        async for batch in obstore.list(self._backend, check_key(prefix) if prefix else None):
            for found in batch:
                if _KEY.fullmatch(found["path"]):
                    yield Listed(found["path"], found["last_modified"])

    async def tidy(self, *, age: timedelta) -> int:
        return await asyncio.to_thread(_delete_old, self._half_written, age)

    def _half_written(self) -> Iterable[Path]:
        """Give the files of this machine that exist while an object is read or written."""
        return self._scratch.glob("*")

    def sign_put(self, key: str, *, content_type: str, seconds: int) -> str | None:
        check_key(key)
        if self._secret_key is None or isinstance(self._backend, LocalStore):
            return None
        url = obstore.sign(self._backend, "PUT", key, timedelta(seconds=seconds))
        return sign_content_type(url, content_type, self._secret_key)

    async def _settle(self, key: str) -> None:
        """Return once the object survives a power cut; a bucket's answer already says so."""


class DiskStore(BucketStore):
    """A directory of this machine, made with mode 0700 if it is missing."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        super().__init__(LocalStore(prefix=self._root), scratch=self._root)

    async def put_file(self, key: str, path: Path) -> StoredObject:
        """Give the file a second name, which takes no time; copy it where that cannot be."""
        target = self._root / check_key(key)
        if not await asyncio.to_thread(_link, path, target):
            return await super().put_file(key, path)
        stored = await asyncio.to_thread(_digest, target)
        await self._settle(key)
        return stored

    @asynccontextmanager
    async def local_path(self, key: str) -> AsyncIterator[Path]:
        path = self._root / check_key(key)
        if not await asyncio.to_thread(path.is_file):
            raise FileNotFoundError(key)
        yield path

    def _half_written(self) -> Iterable[Path]:
        # Under such names the client writes until an object is whole.
        return self._root.rglob("*#*")

    async def _settle(self, key: str) -> None:
        await asyncio.to_thread(_sync, self._root / key, self._root)


class NullStore(ObjectStore):
    """The store of a dry run: takes everything, keeps nothing, and is always empty."""

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> StoredObject:
        check_key(key)
        tally = _Tally()
        async for _ in tally.count(chunks):
            pass
        return tally.stored()

    async def put_file(self, key: str, path: Path) -> StoredObject:
        return await self.put_stream(key, file_chunks(path))

    async def get_range(
        self,
        key: str,
        start: int,  # noqa: ARG002 - nothing is there to take a part of
        end: int,  # noqa: ARG002
    ) -> AsyncIterator[bytes]:
        raise FileNotFoundError(check_key(key))

    async def head(self, key: str) -> int | None:
        check_key(key)
        return None

    async def delete(self, key: str) -> None:
        check_key(key)

    def local_path(self, key: str) -> AbstractAsyncContextManager[Path]:
        raise FileNotFoundError(check_key(key))

    async def listing(
        self,
        prefix: str = "",  # noqa: ARG002 - it is as empty below any
    ) -> AsyncIterator[Listed]:
        nothing: tuple[Listed, ...] = ()
        for listed in nothing:
            yield listed

    async def tidy(self, *, age: timedelta) -> int:  # noqa: ARG002 - nothing is ever left
        return 0

    def sign_put(
        self,
        key: str,
        *,
        content_type: str,  # noqa: ARG002 - nothing is signed
        seconds: int,  # noqa: ARG002
    ) -> str | None:
        check_key(key)
        return None


def open_store(url: str, *, home: Path) -> ObjectStore:
    """Open the store a setting names.

    ``file:`` is ``<home>/media``, ``file:<path>`` a directory (a relative one below ``home``),
    ``s3://bucket/prefix`` a bucket with credentials, region and endpoint from the usual ``AWS_*``
    variables. ValueError for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and not parts.query:
        return DiskStore(home / (parts.path or "media"))
    if parts.scheme == "s3" and parts.netloc and not parts.query:
        prefix = parts.path.strip("/") or None
        scratch = home / "scratch"
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _open_bucket(parts.netloc, prefix, scratch)
    raise ValueError(f"storage URL must be file:<path> or s3://bucket/prefix, not {url!r}")


def _open_bucket(name: str, prefix: str | None, scratch: Path) -> ObjectStore:
    # Without this the client refuses an endpoint inside one's own network, which has no TLS.
    plain = any(os.environ.get(v, "").startswith("http://") for v in _ENDPOINT_VARIABLES)
    backend = S3Store(name, prefix=prefix, client_options={"allow_http": plain})
    return BucketStore(backend, scratch, secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY"))


class _Tally:
    """Counts and hashes the chunks that pass."""

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()

    async def count(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._size += len(chunk)
            self._sha256.update(chunk)
            yield chunk

    def stored(self) -> StoredObject:
        return StoredObject(self._size, self._sha256.hexdigest())


async def file_chunks(path: Path) -> AsyncIterator[bytes]:
    """Give a local file's bytes in chunks of 256 KiB."""
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        while chunk := await asyncio.to_thread(file.read, _READ_BYTES):
            yield chunk


def _delete_old(find: Callable[[], Iterable[Path]], age: timedelta) -> int:
    limit = time.time() - age.total_seconds()
    old = [path for path in find() if path.is_file() and path.stat().st_mtime < limit]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _link(path: Path, target: Path) -> bool:
    """Make the target another name of the file; False if it is taken, or on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:
        return False
    return True


def _digest(path: Path) -> StoredObject:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return StoredObject(file.tell(), digest)


def _sync(path: Path, root: Path) -> None:
    """Flush a file and the directory entries that lead to it from the root."""
    for place in (path, *path.parents):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place == root:
            return
