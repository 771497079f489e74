"""Forms with one file, streamed to a temporary file in constant memory."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from multipart import MultipartError, PushMultipartParser

from tokportal_server.http.body import arriving
from tokportal_server.http.errors import MalformedMultipartError, UnsupportedContentTypeError
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.errors import ApiError

_FIELD_BYTES = 64 * 1024
_WRITE_BYTES = 1 << 20
# What a form has beside its file, at most: other parts, and what stands between parts.
_FRAME_BYTES = 4 << 20


@dataclass(slots=True)
class Upload:
    """A received form: text ``fields``, and the file's bytes at ``path`` while the call lasts.

    ``filename`` is the client's word and good for display only. ``problems`` are what is wrong with
    the parts: parameters, which are judged after the idempotency key.
    """

    path: Path
    filename: str = ""
    size: int = 0
    sha256: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def boundary_of(content_type: str) -> str:
    """Find the boundary in a ``Content-Type``.

    Raises:
        UnsupportedContentTypeError: it is not ``multipart/form-data`` with a boundary.
    """
    kind, *options = content_type.split(";")
    pairs = (option.strip().partition("=") for option in options)
    boundary = next((v.strip('"') for k, _, v in pairs if k.lower() == "boundary"), "")
    if kind.strip().lower() != "multipart/form-data" or not boundary:
        raise UnsupportedContentTypeError(
            f"Content-Type is {content_type[:80]!r}; send multipart/form-data with a boundary and a"
            " part named 'file'.",
            details={"accepted": ["multipart/form-data"]},
        )
    return boundary


@asynccontextmanager
async def receive(
    stream: AsyncIterator[bytes],
    boundary: str,
    *,
    directory: Path,
    max_bytes: int,
    too_large: Callable[[int], ApiError],
    declared: bytes | None = None,
) -> AsyncIterator[Upload]:
    """Receive a form of text fields and one part named ``file``, in either order.

    The temporary file is in ``directory`` and gone when the block ends. ``too_large(limit)`` makes
    the refusal of a file over ``max_bytes``; of a body whose ``declared`` length (the header
    ``Content-Length``) leaves no other possibility nothing is read.

    Raises:
        MalformedMultipartError: the body is not a readable form.
        ValidationError: a text part is too long.
    """
    if int(declared or b"0") > max_bytes + _FRAME_BYTES:
        raise too_large(max_bytes)
    descriptor, name = await asyncio.to_thread(_temporary_file, directory)
    upload = Upload(Path(name))
    try:
        with os.fdopen(descriptor, "wb") as target:
            sink = _Sink(upload, target, max_bytes, too_large)
            await _feed(stream, boundary, sink)
        sink.finish()
        yield upload
    finally:
        upload.path.unlink(missing_ok=True)


def _temporary_file(directory: Path) -> tuple[int, str]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.mkstemp(prefix="upload-", dir=directory)


async def _feed(stream: AsyncIterator[bytes], boundary: str, sink: _Sink) -> None:
    """Push the body through the parser, and each file chunk to disk in a thread."""
    try:
        with PushMultipartParser(boundary, max_segment_count=32) as parser:
            async for chunk in arriving(stream):
                for part in parser.parse(chunk):
                    sink.take(part)
                if sink.waiting >= _WRITE_BYTES:
                    await asyncio.to_thread(sink.write)
            if not parser.closed:
                for part in parser.parse(b""):
                    sink.take(part)
        await asyncio.to_thread(sink.write)
    except MultipartError as error:
        raise MalformedMultipartError(
            f"The multipart body cannot be read: {error}. Was it cut short, or built by hand?"
        ) from None


class _Sink:
    """Sorts the parser's pieces into fields and file."""

    def __init__(
        self,
        upload: Upload,
        target: IO[bytes],
        max_bytes: int,
        too_large: Callable[[int], ApiError],
    ) -> None:
        self._upload = upload
        self._target = target
        self._max_bytes = max_bytes
        self._too_large = too_large
        self._digest = sha256()
        self._pieces: list[bytes] = []
        self._texts: dict[str, bytearray] = {}
        self._current = ""
        self._has_file = False
        self._twice: set[str] = set()
        self.waiting = 0

    def take(self, piece: Any) -> None:
        """Take a segment's head, a piece of its body, or its end (None)."""
        if piece is None:
            self._current = ""
        elif isinstance(piece, bytes | bytearray):
            self._take_bytes(bytes(piece))
        else:
            self._begin(piece.name, piece.filename)

    def _begin(self, name: str, filename: str | None) -> None:
        self._current = name
        if name == "file":
            if self._has_file:
                self._twice.add(name)
            self._has_file = True
            self._upload.filename = filename or "file"
        elif name in self._texts:
            self._twice.add(name)
        else:
            self._texts[name] = bytearray()

    def _take_bytes(self, data: bytes) -> None:
        if self._current != "file":
            text = self._texts[self._current]
            text += data
            if len(text) > _FIELD_BYTES:
                refuse([Problem(self._current, f"must be shorter than {_FIELD_BYTES} bytes")])
            return
        self._upload.size += len(data)
        if self._upload.size > self._max_bytes:
            raise self._too_large(self._max_bytes)
        self._pieces.append(data)
        self.waiting += len(data)

    def write(self) -> None:
        """Write what is waiting to disk, and digest it. Runs in a thread."""
        for data in self._pieces:
            self._digest.update(data)
            self._target.write(data)
        self._pieces.clear()
        self.waiting = 0

    def finish(self) -> None:
        """Check the form as a whole, once it is all here."""
        problems = [Problem(name, "must be given once") for name in sorted(self._twice)]
        if not self._has_file:
            problems.append(Problem("file", "is required: a part named 'file' with the bytes"))
        for name, raw in self._texts.items():
            try:
                self._upload.fields[name] = raw.decode("utf-8")
            except UnicodeDecodeError:
                problems.append(Problem(name, "must be text encoded as UTF-8"))
        self._upload.problems = problems
        self._upload.sha256 = self._digest.hexdigest()
