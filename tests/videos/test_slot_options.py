"""Paid extras of a slot: bought once, at the day's price, and kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import in_days, ordered, video
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine

STORY = "https://www.instagram.com/stories/acme/1"
DOUBLE = "INSERT INTO prices (name, amount) VALUES ('sound_volume', 5)"


async def balance(alice: Client) -> int:
    """Give Alice's credits."""
    return int((await alice.get("/credits/balance")).data["credits"])


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"volume_original_sound": 0}, ["sound_volume"]),
        ({"volume_original_sound": 10, "volume_added_sound": 90}, ["sound_volume"]),
        ({"story_repost_url": STORY}, ["story_repost"]),
        (
            {"instant_repost_as_story": True, "story_repost_url": STORY, "volume_added_sound": 1},
            ["instant_repost", "sound_volume", "story_repost"],
        ),
    ],
)
async def test_each_option_costs_a_credit_the_first_time(
    alice: Client, more: dict[str, Any], names: list[str]
) -> None:
    bundle_id = await ordered(alice, platform="instagram", videos=1)
    before = await balance(alice)
    first = await alice.put(f"/bundles/{bundle_id}/videos/1", video(**more))
    assert first.data["options_paid"] == names
    assert first.json["credits_charged"] == len(names)
    assert first.json["credits_remaining"] == before - len(names)
    assert first.json["cost_breakdown"] == dict.fromkeys(names, 1)
    again = await alice.put(f"/bundles/{bundle_id}/videos/1", video(**more))
    assert (again.json["credits_charged"], again.data["options_paid"]) == (0, names)
    assert await balance(alice) == before - len(names)


async def test_an_option_stays_paid_when_it_is_left_out_and_taken_up_again(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video(volume_added_sound=50))
    without = await alice.put(f"/bundles/{bundle_id}/videos/1", video())
    assert without.data["options_paid"] == ["sound_volume"]
    await conn.execute(DOUBLE)
    again = await alice.put(f"/bundles/{bundle_id}/videos/1", video(volume_added_sound=60))
    assert again.json["credits_charged"] == 0
    keys = await conn.fetch("SELECT business_key FROM credit_entries WHERE amount = -1")
    assert [row["business_key"] for row in keys] == [f"slot:{again.data['id']}:option:sound_volume"]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_an_option_costs_the_price_of_the_day_it_is_bought_not_of_the_order(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await conn.execute(DOUBLE)
    reply = await alice.put(f"/bundles/{bundle_id}/videos/1", video(volume_added_sound=50))
    assert reply.json["credits_charged"] == 5


async def test_too_few_credits_leave_no_trace(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=1)
    await conn.execute("UPDATE prices SET amount = 5000 WHERE name = 'sound_volume'")
    tables = ("credit_entries", "slot_options", "media", "events", "journal", "pgqueuer")
    before = [await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    body = video(volume_added_sound=50)
    reply = await alice.put(f"/bundles/{bundle_id}/videos/1", body)
    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert reply.details == {
        "required": 5000,
        "available": 973,
        "missing": 4027,
        "breakdown": {"sound_volume": 5000},
    }
    after = [await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    assert after == before
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "pending"


async def test_what_is_wrong_with_a_request_is_said_before_what_it_costs(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await conn.execute("UPDATE prices SET amount = 5000 WHERE name = 'sound_volume'")
    path = f"/bundles/{bundle_id}/videos/1"
    missing = video(volume_added_sound=1, video_url=f"{world.acme}/nothing")
    assert (await alice.put(path, missing)).code == "MEDIA_NOT_FOUND"
    soon = video(volume_added_sound=1, target_publish_date=in_days(0))
    assert (await alice.put(path, soon)).code == "INVALID_DATE"
    edited = video(volume_added_sound=1, editing_instructions="Cut.")
    assert (await alice.put(path, edited)).code == "NO_EDIT_SLOTS"


async def test_the_same_idempotency_key_buys_once(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=1)
    before = await balance(alice)
    sent: dict[str, Any] = {
        "json": video(volume_added_sound=50),
        "headers": {"Idempotency-Key": "configure-1"},
    }
    first = await alice.put(f"/bundles/{bundle_id}/videos/1", **sent)
    second = await alice.put(f"/bundles/{bundle_id}/videos/1", **sent)
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await balance(alice) == before - 1
