"""``GET /platforms``."""

from __future__ import annotations

from tests.client import Client
from tokportal_server.lib.db import Connection

CLOSE = "UPDATE platforms SET enabled = false WHERE code = 'instagram'"


async def test_lists_both_platforms_with_their_limits_to_anybody(nobody: Client) -> None:
    platforms = {p["code"]: p for p in (await nobody.get("/platforms")).data}

    assert set(platforms) == {"tiktok", "instagram"}
    tiktok, instagram = platforms["tiktok"], platforms["instagram"]
    assert tiktok["name"] == "TikTok"
    assert tiktok["enabled"] is True
    assert tiktok["video_types"] == ["video", "carousel"]
    assert "story" in instagram["video_types"]
    assert (tiktok["caption_max"], tiktok["comment_max"], tiktok["carousel_max"]) == (2200, 150, 35)
    assert (instagram["comment_max"], instagram["carousel_max"]) == (2200, 20)
    assert "deep_warming" in instagram["features"]
    assert "deep_warming" not in tiktok["features"]


async def test_says_that_a_platform_is_closed(nobody: Client, conn: Connection) -> None:
    await conn.execute(CLOSE)

    platforms = {p["code"]: p["enabled"] for p in (await nobody.get("/platforms")).data}

    assert platforms == {"tiktok": True, "instagram": False}
