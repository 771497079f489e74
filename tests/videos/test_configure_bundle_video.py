"""What a slot may hold; its dates, options and publication have files of their own."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    PROFILE,
    events_of,
    in_days,
    ordered,
    posted,
    sent_back,
    uploaded,
    video,
    workable,
)
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

EDITED = {"editing_instructions": "Cut the end."}
IMAGE = "https://media.example.com/a.png"
VIDEO = "https://media.example.com/a.mp4"


def carousel(**more: Any) -> dict[str, Any]:
    """Give a carousel of one image."""
    return video(video_type="carousel", video_url=None, carousel_images=[IMAGE]) | more


def story(**more: Any) -> dict[str, Any]:
    """Give a story with a picture."""
    return video(video_type="story", video_url=None, description=None, story_image_url=IMAGE) | more


async def test_a_pending_slot_becomes_configured_and_says_so_once(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice)
    first = await alice.put(f"/bundles/{bundle_id}/videos/1", video())
    assert (first.status, first.data["status"]) == (200, "configured")
    assert (first.json["credits_charged"], first.json["credits_remaining"]) == (0, 971)
    again = await alice.put(f"/bundles/{bundle_id}/videos/1", video(description="Other words."))
    assert (again.data["status"], again.data["description"]) == ("configured", "Other words.")
    [event] = await events_of(conn, world, "video.configured")
    assert event["data"] == {
        "video_id": first.data["id"],
        "bundle_id": bundle_id,
        "position": 1,
        "external_ref": None,
        "platform": "tiktok",
        "platform_url": None,
        "status": "configured",
        "previous_status": "pending",
    }


async def test_a_put_replaces_everything_that_the_slot_held(alice: Client) -> None:
    bundle_id = await ordered(alice)
    full = video(name="One", external_ref="r", ai_content_disclaimer=True)
    await alice.put(f"/bundles/{bundle_id}/videos/1", full)
    slot = (await alice.put(f"/bundles/{bundle_id}/videos/1", carousel(carousel_title="T"))).data
    assert slot["video_type"] == "carousel"
    assert slot["carousel_title"] == "T"
    assert [(m["kind"], m["url"]) for m in slot["media"]] == [("carousel_image", IMAGE)]
    for field in ("name", "external_ref", "video_url", "ai_content_disclaimer"):
        assert slot[field] is None, field


TIKTOK: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"video_type", "target_publish_date"}),
    (video(video_type="reel"), {"video_type"}),
    (video(target_publish_date="23.11.2026"), {"target_publish_date"}),
    (video(target_publish_date="2026-02-30"), {"target_publish_date"}),
    (video(target_publish_date="9999-12-31"), {"target_publish_date"}),
    (video(target_publish_date=None), {"target_publish_date"}),
    (video(description=None), {"description"}),
    (video(description=""), {"description"}),
    (video(description="x" * 2201), {"description"}),
    (video(description="\0"), {"description"}),
    (video(video_url=None), {"video_url"}),
    (video(video_url=""), {"video_url"}),
    (video(video_url=7), {"video_url"}),
    (video(video_url="https://10.0.0.1/a.mp4"), {"video_url"}),
    (video(video_url="ftp://example.com/a.mp4"), {"video_url"}),
    (video(video_url="file:///etc/passwd"), {"video_url"}),
    (video(carousel_images=[IMAGE]), {"carousel_images"}),
    (carousel(carousel_images=[]), {"carousel_images"}),
    (carousel(carousel_images=[IMAGE] * 36), {"carousel_images"}),
    (carousel(carousel_images=[IMAGE, ""]), {"carousel_images[1]"}),
    (carousel(carousel_images=[IMAGE, "https://10.0.0.1/a.png"]), {"carousel_images[1]"}),
    (carousel(video_url=VIDEO), {"video_url"}),
    (video(volume_original_sound=101), {"volume_original_sound"}),
    (video(volume_original_sound=-1), {"volume_original_sound"}),
    (video(volume_added_sound=1.5), {"volume_added_sound"}),
    (video(name="x" * 201, external_ref="x" * 201), {"name", "external_ref"}),
    (video(disclose_as_ads="yes", auto_publish=1), {"disclose_as_ads", "auto_publish"}),
    (story(), {"video_type", "story_image_url"}),
    (
        video(
            instagram_content_type="reel",
            instagram_location="Paris",
            instagram_collaborators=["bob"],
            instagram_audio_name="song",
            instagram_add_to_story=True,
        ),
        {
            "instagram_content_type",
            "instagram_location",
            "instagram_collaborators",
            "instagram_audio_name",
            "instagram_add_to_story",
        },
    ),
    (video(colour="red", description="x" * 2201), {"colour", "description"}),
]
INSTAGRAM: list[tuple[dict[str, Any], set[str]]] = [
    (carousel(carousel_images=[IMAGE] * 21), {"carousel_images"}),
    (story(video_url=VIDEO), {"story_image_url"}),
    (story(story_image_url=None), {"story_image_url"}),
    (video(instagram_content_type="igtv"), {"instagram_content_type"}),
    (video(story_image_url=IMAGE), {"story_image_url"}),
]


@pytest.mark.parametrize(("platform", "cases"), [("tiktok", TIKTOK), ("instagram", INSTAGRAM)])
async def test_names_every_field_that_breaks_a_rule_and_keeps_the_slot_as_it_was(
    alice: Client, platform: str, cases: list[tuple[dict[str, Any], set[str]]]
) -> None:
    bundle_id = await ordered(alice, platform=platform)
    before = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    for body, fields in cases:
        reply = await alice.put(f"/bundles/{bundle_id}/videos/1", body)
        assert (reply.status, reply.code) == (400, "VALIDATION_ERROR"), body
        assert set(reply.problems) == fields, body
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data == before


@pytest.mark.parametrize(
    ("platform", "bodies"),
    [
        (
            "tiktok",
            [
                video(description="x" * 2200, name="x" * 200),
                video(volume_original_sound=0, volume_added_sound=100),
                video(tiktok_sound_url="https://www.tiktok.com/music/a-1"),
                video(carousel_title="", story_repost_url="", tiktok_sound_url=""),
                video(carousel_images=[], instagram_collaborators=[], instagram_add_to_story=False),
                video(instant_repost_as_story=False, editing_instructions="", auto_publish=False),
                video(youtube_title=None, youtube_tags=[]),
                carousel(carousel_images=[IMAGE] * 35, carousel_title="x" * 200),
                carousel(video_url="", story_image_url=None),
            ],
        ),
        (
            "instagram",
            [
                story(),
                story(description="Words are welcome."),
                story(story_image_url=None, video_url=VIDEO),
                carousel(carousel_images=[IMAGE] * 20),
                video(
                    instagram_content_type="reel",
                    instagram_location="Paris",
                    instagram_collaborators=["bob", "eve"],
                    instagram_audio_name="song",
                    instagram_add_to_story=True,
                ),
            ],
        ),
    ],
)
async def test_takes_what_the_platform_allows_up_to_its_bounds_and_neutral_values(
    alice: Client, platform: str, bodies: list[dict[str, Any]]
) -> None:
    bundle_id = await ordered(alice, platform=platform)
    for body in bodies:
        reply = await alice.put(f"/bundles/{bundle_id}/videos/1", body)
        assert reply.status == 200, (body, reply.json)
        for field, value in body.items():
            if field in reply.data:
                assert reply.data[field] == value, field


async def test_refuses_unknown_fields_and_options_of_other_platforms(alice: Client) -> None:
    bundle_id = await ordered(alice)
    unknown = await alice.put(f"/bundles/{bundle_id}/videos/1", video(colour="red"))
    assert (unknown.status, unknown.code) == (400, "UNKNOWN_FIELD")
    assert unknown.details == {"fields": ["colour"]}
    foreign = await alice.put(f"/bundles/{bundle_id}/videos/1", video(youtube_title="Mine"))
    assert (foreign.status, foreign.code) == (400, "OPTION_NOT_OFFERED")


async def test_media_may_be_named_by_storage_path_or_public_url_or_be_elsewhere(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, platform="instagram")
    first, second = [await uploaded(conn, world.acme, bundle_id, "carousel") for _ in range(2)]
    by_url = f"{alice.address}/media/{second}?from=cms#top"
    ours = (
        await alice.put(f"/bundles/{bundle_id}/videos/1", carousel(carousel_images=[first, by_url]))
    ).data
    assert [(m["storage_path"], m["status"]) for m in ours["media"]] == [
        (first, "ready"),
        (second, "ready"),
    ]
    assert ours["media_status"] == "ready"
    mixed = (
        await alice.put(f"/bundles/{bundle_id}/videos/1", carousel(carousel_images=[IMAGE, first]))
    ).data
    assert [m["status"] for m in mixed["media"]] == ["fetching", "ready"]
    assert mixed["media_status"] == "fetching"
    still = (await alice.put(f"/bundles/{bundle_id}/videos/1", story(story_image_url=first))).data
    assert [(m["kind"], m["storage_path"]) for m in still["media"]] == [("story_image", first)]


async def test_an_upload_that_is_not_there_not_ours_or_of_another_purpose_is_not_found(
    alice: Client, charlie: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice)
    theirs = await uploaded(conn, world.other, await ordered(charlie))
    picture = await uploaded(conn, world.acme, bundle_id, "carousel")
    for value in (
        theirs,
        f"{alice.address}/media/{theirs}",
        picture,
        f"{world.acme}/nothing",
        f"{alice.address}/media/../../etc/passwd",
    ):
        reply = await alice.put(f"/bundles/{bundle_id}/videos/1", video(video_url=value))
        assert (reply.status, reply.code) == (400, "MEDIA_NOT_FOUND"), value
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "pending"


async def test_editing_takes_an_edit_slot_and_gives_it_back(alice: Client) -> None:
    bundle_id = await ordered(alice, edits_quantity=1)
    edited = video(editing_instructions="Cut the end.")
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", edited)).status == 200
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", edited)).status == 200
    assert (await alice.get(f"/bundles/{bundle_id}")).data["edits_remaining"] == 0
    second = await alice.put(f"/bundles/{bundle_id}/videos/2", edited)
    assert (second.status, second.code) == (400, "NO_EDIT_SLOTS")
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", video())).status == 200
    assert (await alice.get(f"/bundles/{bundle_id}")).data["edits_remaining"] == 1
    assert (await alice.put(f"/bundles/{bundle_id}/videos/2", edited)).status == 200


async def test_in_corrections_the_slot_keeps_its_status_date_and_edit_slot(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(
        alice, conn, world, ports, videos=1, edits_quantity=1, auto_finalize_videos=False
    )
    await conn.execute("UPDATE slots SET uses_edit_slot = true, content = content || $1", EDITED)
    await posted(conn, world, ports, bundle_id)
    await sent_back(conn, world, ports, bundle_id)
    # The date was right when it was planned; by now it may lie behind.
    await conn.execute(
        "UPDATE slots SET target_start = current_date - 3, target_end = current_date - 2"
    )
    path = await uploaded(conn, world.acme, bundle_id)
    body = video(-3, video_url=path, description="Better.", auto_publish=True)
    reply = await alice.put(f"/bundles/{bundle_id}/videos/1", body)
    assert (reply.status, reply.data["status"]) == (200, "pending_corrections")
    assert reply.data["description"] == "Better."
    assert reply.data["target_publish_start_date"] == in_days(-3)
    assert reply.data["date_adjusted"] is False
    assert "auto_publish_error" not in reply.data
    assert (await alice.get(f"/bundles/{bundle_id}")).data["edits_remaining"] == 0


async def test_a_slot_that_was_published_can_be_configured_no_more(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=1)
    path = await uploaded(conn, world.acme, bundle_id)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video(video_url=path))
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await alice.post(f"/bundles/{bundle_id}/publish")
    for status, way_out in (
        ("published", "Unschedule or reset it first."),
        ("accepted", "PATCH can change"),
        ("in_review", "ask for corrections"),
        ("finalized", "add a slot"),
        ("cancelled", "add a slot"),
    ):
        await conn.execute("UPDATE slots SET status = $1", status)
        reply = await alice.put(f"/bundles/{bundle_id}/videos/1", video(video_url=path))
        assert (reply.status, reply.code) == (409, "VIDEO_INVALID_STATUS")
        assert way_out in reply.json["error"]["message"]
        assert reply.details == {
            "current_status": status,
            "allowed_from": ["pending", "configured", "pending_corrections"],
        }


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client, nobody: Client
) -> None:
    bundle_id = await ordered(alice)
    path = f"/bundles/{bundle_id}/videos/1"
    told = {
        "nobody": await nobody.put(path, video()),
        "bob": await bob.put(path, video()),
        "charlie": await charlie.put(path, video()),
        "no such slot": await alice.put(f"/bundles/{bundle_id}/videos/3", video()),
        "no such bundle": await alice.put(f"/bundles/{uuid4()}/videos/1", video()),
        "no id": await alice.put("/bundles/x/videos/1", video()),
    }
    assert {who: reply.code for who, reply in told.items()} == {
        "nobody": "AUTH_MISSING_KEY",
        "bob": "AUTH_INSUFFICIENT_SCOPE",
        "charlie": "BUNDLE_NOT_FOUND",
        "no such slot": "VIDEO_NOT_FOUND",
        "no such bundle": "BUNDLE_NOT_FOUND",
        "no id": "BUNDLE_NOT_FOUND",
    }


async def test_a_dry_run_shows_the_slot_and_the_price_and_changes_nothing(alice: Client) -> None:
    bundle_id = await ordered(alice)
    reply = await alice.put(
        f"/bundles/{bundle_id}/videos/1",
        video(volume_added_sound=50),
        headers={"X-TokPortal-Dry-Run": "true"},
    )
    assert (reply.data["status"], reply.data["options_paid"]) == ("configured", ["sound_volume"])
    assert (reply.json["credits_charged"], reply.json["credits_would_charge"]) == (0, 1)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["media"], slot["options_paid"]) == ("pending", [], [])
    assert (await alice.get("/credits/balance")).data["credits"] == 971
