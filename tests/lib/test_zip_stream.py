"""Archives that are made while they are sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator

import pytest

from tests.lib.memory import PeakMemory
from tokportal_server.lib.zip_stream import Member, zip_chunks


def member(name: str, *chunks: bytes) -> Member:
    async def read() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def begin() -> AsyncIterator[bytes]:
        return read()

    return Member(name, sum(map(len, chunks)), begin)


async def archive(*members: Member) -> bytes:
    return b"".join([piece async for piece in zip_chunks(members)])


async def test_any_program_can_read_what_was_sent() -> None:
    raw = await archive(member("a.txt", b"one ", b"two"), member("b/ü.bin", bytes(300_000)))
    with zipfile.ZipFile(io.BytesIO(raw)) as found:
        assert found.testzip() is None
        assert found.read("a.txt") == b"one two"
        assert found.read("b/ü.bin") == bytes(300_000)
        # One that unpacks while it receives can only do so with this kind of member.
        assert {one.compress_type for one in found.infolist()} == {zipfile.ZIP_DEFLATED}


async def test_a_large_file_passes_through_in_pieces() -> None:
    size, block = 200, bytes(1 << 20)
    total = 0
    with PeakMemory() as memory:
        async for piece in zip_chunks([member("a.mp4", *[block] * size)]):
            total += len(piece)
            assert len(piece) < 3 << 20
    assert total > size << 20
    assert memory.growth < 50 << 20


async def test_what_cannot_be_read_leaves_no_archive_that_looks_whole() -> None:
    async def begin() -> AsyncIterator[bytes]:
        raise FileNotFoundError

    sent = bytearray()

    async def send() -> None:
        async for piece in zip_chunks([member("a.txt", b"one"), Member("b.txt", 1, begin)]):
            sent.extend(piece)

    with pytest.raises(FileNotFoundError):
        await send()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(bytes(sent)))
