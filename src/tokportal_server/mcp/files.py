"""The ways in which a tool is given a file: as text, in base64, and by what its surface can reach.

Over HTTP that is an address, fetched through the guarded outbound port; on stdio, where the program
runs as the person who started it, a path on their machine.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from tokportal_server.http.admission import admit, check_scope
from tokportal_server.http.errors import ValidationError
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.lib.outbound import OutboundFailure
from tokportal_server.lib.ports import Ports

# Callers of tools give up after a minute (the published toolkit's own limit).
FETCH_SECONDS = 50.0
_UNNAMED = "file"
_INLINE: Mapping[str, Any] = {
    "file_text": {
        "type": "string",
        "description": "The file's content as text, such as a CSV.",
    },
    "file_base64": {
        "type": "string",
        "description": "The file's content in base64, for small files.",
    },
}
_NAME: Mapping[str, Any] = {
    "file_name": {
        "type": "string",
        "maxLength": 255,
        "description": "Name of the file, for display; its type is read from its bytes.",
    },
}


@dataclass(frozen=True, slots=True)
class NamedFile:
    """An open file; ``name`` is for display."""

    name: str
    content: IO[bytes]


class FileSource(Protocol):
    """Opens the file that a tool's arguments speak of.

    ``schema`` are the arguments that it understands. ``open`` raises ``ValidationError`` if the
    file is not given, given twice or not to be had; ``key`` is the caller's API key.
    """

    schema: Mapping[str, Any]

    def open(
        self, operation_id: str, arguments: Mapping[str, Any], *, key: str, dry_run: bool
    ) -> AbstractAsyncContextManager[NamedFile]:
        """Open the file while the block lasts."""


class LocalFiles:
    """Files of the machine on which the program runs; for stdio only."""

    schema: Mapping[str, Any] = {
        "file_path": {"type": "string", "description": "Path of the file on this machine."},
        **_INLINE,
        **_NAME,
    }

    @asynccontextmanager
    async def open(
        self,
        operation_id: str,  # noqa: ARG002 - the shape of FileSource
        arguments: Mapping[str, Any],
        *,
        key: str,  # noqa: ARG002
        dry_run: bool,  # noqa: ARG002
    ) -> AsyncIterator[NamedFile]:
        """Open the file; see :class:`FileSource`."""
        way, value = _only_way(self.schema, arguments)
        if way != "file_path":
            yield _inline(way, value, arguments)
            return
        path = Path(value)
        try:
            content = await asyncio.to_thread(path.open, "rb")
        except OSError as error:
            raise _refused(way, f"{value} cannot be read: {error.strerror}") from None
        with content:
            yield NamedFile(arguments.get("file_name") or path.name, content)


class FetchedFiles:
    """Files at addresses of the internet, fetched by this server for callers over HTTP.

    A fetch takes a token of the caller's bucket, beside that of the upload which follows, so that
    nobody has this server load files for nothing.
    """

    schema: Mapping[str, Any] = {
        "file_url": {
            "type": "string",
            "format": "uri",
            "description": "Public https address of the file; this server fetches it.",
        },
        **_INLINE,
        **_NAME,
    }

    def __init__(self, ports: Ports, limits: Mapping[str, FormLimits]) -> None:
        self._ports = ports
        self._limits = limits

    @asynccontextmanager
    async def open(
        self, operation_id: str, arguments: Mapping[str, Any], *, key: str, dry_run: bool
    ) -> AsyncIterator[NamedFile]:
        """Open the file; see :class:`FileSource`.

        Raises:
            RateLimitExceededError, InsufficientScopeError: the key may not upload now.
            ApiError: the refusal of a file that is too large for the operation.
        """
        way, value = _only_way(self.schema, arguments)
        if way != "file_url":
            yield _inline(way, value, arguments)
            return
        if dry_run:
            raise _refused(
                way, "is not fetched in a dry run, which calls nobody; use file_base64 or file_text"
            )
        await self._admit(key)
        with tempfile.TemporaryFile(dir=self._directory()) as content:
            await self._fetch(value, content, self._limits[operation_id])
            yield NamedFile(arguments.get("file_name") or _name_in(value), content)

    async def _admit(self, key: str) -> None:
        async with self._ports.database.connection() as conn:
            caller = await admit(conn, key.encode(), self._ports.settings, {})
        check_scope(caller, "POST")

    def _directory(self) -> Path:
        directory = self._ports.settings.incoming
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    async def _fetch(self, url: str, content: IO[bytes], limits: FormLimits) -> None:
        try:
            async with self._ports.outbound.download(
                url, max_bytes=limits.max_bytes, total_timeout=FETCH_SECONDS
            ) as download:
                async for chunk in download.chunks():
                    await asyncio.to_thread(content.write, chunk)
        except OutboundFailure as failure:
            if failure.error_class == "too_large":
                raise limits.too_large(limits.max_bytes) from None
            raise _refused(
                "file_url", f"{url[:200]} cannot be fetched: {failure.message}"
            ) from None
        content.seek(0)


def _only_way(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[str, str]:
    """Give the argument that has the file, and its value.

    Raises:
        ValidationError: there are none or several, or one is no text.
    """
    given = {name: arguments[name] for name in schema if arguments.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, str):
            raise _refused(name, "must be a text")
    ways = [name for name in given if name not in _NAME]
    if len(ways) > 1:
        raise _refused(ways[1], f"must not be given beside {ways[0]}: it is one file")
    if not ways:
        possible = [name for name in schema if name not in _NAME]
        raise _refused(possible[0], f"is required, or one of {', '.join(possible[1:])}")
    return ways[0], given[ways[0]]


def _inline(way: str, value: str, arguments: Mapping[str, Any]) -> NamedFile:
    """Read a file that came with the arguments.

    Raises:
        ValidationError: the base64 is none.
    """
    name = arguments.get("file_name") or _UNNAMED
    if way == "file_text":
        return NamedFile(name, io.BytesIO(value.encode("utf-8", "surrogatepass")))
    try:
        return NamedFile(name, io.BytesIO(base64.b64decode(value, validate=True)))
    except (binascii.Error, ValueError):
        raise _refused(way, "must be base64 (RFC 4648, section 4)") from None


def _name_in(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name[-255:] or _UNNAMED


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError(
        f"{field}: {message}", details={"errors": [{"field": field, "message": message}]}
    )
