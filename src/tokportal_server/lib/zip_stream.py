"""ZIP archives that are made while they are sent, in constant memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Self

# Media are compressed already. Deflate of level 0 costs nothing and, unlike a stored member whose
# size is told after it, can be read by programs that unpack while they receive.
_LEVEL = 0
# Above this the format's larger numbers are needed, which not every program reads.
_PLAIN = (1 << 31) - (1 << 24)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive, of ``size`` bytes; ``open`` begins to read it when its turn comes."""

    name: str
    size: int
    open: Callable[[], Awaitable[AsyncIterator[bytes]]]

    @classmethod
    def of(cls, name: str, text: str) -> Self:
        """Give a file that holds a text."""
        content = text.encode()

        async def whole() -> AsyncIterator[bytes]:
            yield content

        async def begin() -> AsyncIterator[bytes]:
            return whole()

        return cls(name, len(content), begin)


async def zip_chunks(
    members: Iterable[Member] | AsyncIterable[Member],
) -> AsyncIterator[bytes]:
    """Give an archive piece by piece; what opening or reading a member raises ends it.

    Its last part, without which no program takes it for whole, is missing then.
    """
    sink = _Sink()
    # Written member by member and told where it is by counting: the sink cannot go back.
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
    async for member in _each(members):
        chunks = await member.open()
        with archive.open(member.name, "w", force_zip64=member.size > _PLAIN) as file:
            async for chunk in chunks:
                file.write(chunk)
                if piece := sink.take():
                    yield piece
        yield sink.take()
    archive.close()
    yield sink.take()


async def _each(members: Iterable[Member] | AsyncIterable[Member]) -> AsyncIterator[Member]:
    if isinstance(members, AsyncIterable):
        async for member in members:
            yield member
        return
    for member in members:
        yield member


class _Sink(io.RawIOBase):
    """Takes what an archive writes, until somebody fetches it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._written += piece
        return len(piece)

    def take(self) -> bytes:
        """Give what was written since the last time."""
        piece, self._written = bytes(self._written), bytearray()
        return piece
