"""Bombs, polyglots and archives sent to the API: flat memory, others served, nothing inline."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable

import aiohttp
import pytest

from tests.client import Client, Reply
from tests.lib.memory import PeakMemory
from tests.orders.walk import ordered
from tests.uploads import media
from tests.uploads.forms import form

MIB = 1 << 20
SAFETY_NET = 10.0


def layers_of_zip(count: int) -> bytes:
    """Pack a photo into an archive, that into another, and so on."""
    data = media.jpeg()
    for _ in range(count):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.jpg", data)
        data = packed.getvalue()
    return data


# Name, maker, and the most bytes that it may take for what it unfolds to.
BOMBS: dict[str, tuple[Callable[[], bytes], int]] = {
    "png of 13000 squared": (lambda: media.png_bomb(13_000), 22_000),
    "png of 20000 squared": (lambda: media.png_bomb(20_000), 50_000),
    "webp of 16383 x 10900": (media.webp_bomb, 1_000),
    "heic of 8000 squared": (lambda: media.heic_bomb(8_000), 14_000),
    "gif of 300 frames of 4000 squared": (lambda: media.gif_bomb(300, 4_000), 20 * MIB),
    "100 layers of zip": (lambda: layers_of_zip(100), MIB),
}
WRONG: dict[str, Callable[[], bytes]] = {
    "a page": lambda: b"<html><script>alert(1)</script></html>",
    "a drawing with a script": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>",
    "half a photo": lambda: media.jpeg()[: len(media.jpeg()) // 2],
    "a film": media.video,
}


async def upload(alice: Client, bundle: str, data: bytes, *, kind: str = "image") -> Reply:
    """Send a file that is called a photo, whatever it is."""
    body, headers = form(data, {"bundle_id": bundle})
    return await alice.post(f"/upload/{kind}/direct", body=body, headers=headers)


@pytest.mark.hazard(37)
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_in_flat_memory_while_others_are_served(
    alice: Client, name: str
) -> None:
    bundle = await ordered(alice)
    make, most = BOMBS[name]
    bomb = make()
    assert len(bomb) <= most
    # The decoder is loaded once, by whoever comes first.
    assert (await upload(alice, bundle, media.jpeg())).status == 200
    # Server and client are one process here, so what either holds is counted.
    with PeakMemory() as memory:
        async with asyncio.timeout(SAFETY_NET):
            refused, served = await asyncio.gather(
                upload(alice, bundle, bomb), upload(alice, bundle, media.png())
            )
    assert refused.status == 400, refused.body
    assert refused.code in {"IMAGE_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "FILE_TOO_LARGE"}
    assert served.status == 200
    assert memory.growth < 50 * MIB, memory.growth


@pytest.mark.hazard(37)
@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_photo_is_refused_whatever_it_is_called(alice: Client, name: str) -> None:
    bundle = await ordered(alice)
    reply = await upload(alice, bundle, WRONG[name]())
    assert (reply.status, reply.code) in {
        (400, "UNSUPPORTED_MEDIA_TYPE"),
        (400, "MEDIA_UNREADABLE"),
    }


@pytest.mark.hazard(37)
@pytest.mark.parametrize("name", media.POLYGLOTS)
async def test_nothing_of_a_polyglot_is_served_but_a_picture(alice: Client, name: str) -> None:
    bundle = await ordered(alice)
    stored = await upload(alice, bundle, media.POLYGLOTS[name]())
    assert stored.status == 200, stored.body
    async with aiohttp.ClientSession() as session, session.get(stored.data["public_url"]) as served:
        content = await served.read()
        headers = served.headers
    assert headers["Content-Type"].startswith("image/")
    assert "svg" not in headers["Content-Type"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    for trace in (b"script", b"alert", b"PK\x03\x04"):
        assert trace not in content
