from __future__ import annotations

import pytest

from tokportal_server.orders.post_urls import (
    author_of_post,
    comment_of_url,
    is_post_url,
    platform_of_post,
    post_key,
)

TIKTOK = "https://www.tiktok.com/@baker.one/video/7300000000000000001"
INSTAGRAM = "https://www.instagram.com/reel/Cabc123-_4/"


@pytest.mark.parametrize(
    ("url", "platform", "key", "author"),
    [
        (TIKTOK, "tiktok", "7300000000000000001", "baker.one"),
        (TIKTOK + "?lang=en", "tiktok", "7300000000000000001", "baker.one"),
        (TIKTOK.replace("www", "m"), "tiktok", "7300000000000000001", "baker.one"),
        (TIKTOK.replace("video", "photo") + "/", "tiktok", "7300000000000000001", "baker.one"),
        ("https://vm.tiktok.com/ZMabcdef/", "tiktok", "ZMabcdef", None),
        (INSTAGRAM, "instagram", "Cabc123-_4", None),
        (INSTAGRAM.replace("reel", "p"), "instagram", "Cabc123-_4", None),
        (INSTAGRAM.replace("reel", "baker/reel"), "instagram", "Cabc123-_4", "baker"),
        (INSTAGRAM + "?igsh=/p/other12", "instagram", "Cabc123-_4", None),
        (TIKTOK + "?from=/video/123456", "tiktok", "7300000000000000001", "baker.one"),
    ],
)
def test_all_addresses_of_a_post_have_one_key(
    url: str, platform: str, key: str, author: str | None
) -> None:
    assert platform_of_post(url) == platform
    assert post_key(platform, url) == key
    assert author_of_post(platform, url) == author


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/resource",
        TIKTOK.replace("https", "http"),
        TIKTOK.replace("tiktok.com", "tiktok.com.example.org"),
        TIKTOK.replace("www.", "user@"),
        TIKTOK + " ",
        TIKTOK + "/extra",
        "https://www.tiktok.com/@baker",
        "https://www.instagram.com/stories/baker/7300000000000000001/",
        "javascript:alert('" + TIKTOK + "')",
        TIKTOK.replace("730", "\u0667\u0663\u0660"),
        TIKTOK + "?" + "x" * 2048,
    ],
)
def test_what_is_no_posts_address_belongs_to_no_platform(url: str) -> None:
    assert platform_of_post(url) is None
    assert not any(is_post_url(platform, url) for platform in ("tiktok", "instagram", "other"))


@pytest.mark.parametrize(
    ("platform", "url", "found"),
    [
        ("tiktok", TIKTOK + "?share_comment_id=74000", ("7300000000000000001", "74000")),
        ("tiktok", TIKTOK + "?lang=en&cid=74000&x=1", ("7300000000000000001", "74000")),
        ("tiktok", TIKTOK + "?cid=74000x", None),
        ("tiktok", TIKTOK, None),
        ("tiktok", "https://example.com/video/1?cid=74000", None),
        ("instagram", INSTAGRAM + "c/17900000001/", ("Cabc123-_4", "17900000001")),
        ("instagram", INSTAGRAM + "c/17900000001?x=1", ("Cabc123-_4", "17900000001")),
        ("instagram", INSTAGRAM + "c/abc/", None),
        ("instagram", INSTAGRAM, None),
        ("instagram", TIKTOK + "/c/17900000001/", None),
    ],
)
def test_a_comments_address_names_post_and_comment(
    platform: str, url: str, found: tuple[str, str] | None
) -> None:
    assert comment_of_url(platform, url) == found
