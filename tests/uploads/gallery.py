"""A stranger's server with one photo on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lib.outbound_rig import receiver
from tests.uploads import media


@asynccontextmanager
async def gallery() -> AsyncIterator[str]:
    """Serve a photo on loopback; give its address."""
    photo = media.jpeg(orientation=6)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(photo), photo)

    async def show(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with receiver(show) as port:
        yield f"http://127.0.0.1:{port}/photo.jpg"
