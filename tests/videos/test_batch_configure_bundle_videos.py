"""Many slots in one call: each item succeeds or fails alone."""

from __future__ import annotations

from typing import Any

from tests.cast import World
from tests.client import Client, Reply
from tests.orders.walk import (
    events_of,
    in_days,
    ordered,
    published,
    published_with_videos,
    uploaded,
    video,
    workable,
)
from tests.videos.steps import slots_of
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.doctor import examine

REJECT = {"X-TokPortal-Stale-Dates": "reject"}


def item(position: object, days: int = 5, **more: Any) -> dict[str, Any]:
    """Give an item of a batch."""
    return {"position": position, **video(days, **more)}


async def batch(
    client: Client, bundle_id: str, *items: Any, headers: dict[str, str] | None = None, **more: Any
) -> Reply:
    """Configure several slots."""
    return await client.put(
        f"/bundles/{bundle_id}/videos/batch", {"videos": list(items), **more}, headers=headers
    )


def failures(reply: Reply) -> dict[int, str]:
    """Give the code of each position that failed."""
    return {failed["position"]: failed["error"]["code"] for failed in reply.data["failed"]}


def configured(reply: Reply) -> list[int]:
    """Give the positions that were configured."""
    return [slot["position"] for slot in reply.data["configured"]]


async def test_configures_every_slot_as_a_call_for_each_would(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=3)
    path = await uploaded(conn, world.acme, bundle_id)
    ready = item(1, 6, video_url=path, name="B")
    reply = await batch(alice, bundle_id, item(3, volume_added_sound=1), ready)
    slots = await slots_of(alice, bundle_id)
    assert (reply.status, reply.data) == (
        200,
        {
            "bundle_id": bundle_id,
            "configured": [
                {
                    "position": 1,
                    "video_id": slots[0]["id"],
                    "status": "configured",
                    "media_status": "ready",
                },
                {
                    "position": 3,
                    "video_id": slots[2]["id"],
                    "status": "configured",
                    "media_status": "fetching",
                },
            ],
            "failed": [],
            "adjusted_videos": [],
        },
    )
    assert reply.json["credits_charged"] == 1
    assert reply.json["cost_breakdown"] == {"sound_volume": 1}
    other = await ordered(alice, videos=3)
    await alice.put(
        f"/bundles/{other}/videos/1", {k: v for k, v in ready.items() if k != "position"}
    )
    alone = (await alice.get(f"/bundles/{other}/videos/1")).data
    own = {"id", "video_id", "bundle_id", "created_at", "updated_at"}
    assert {k: v for k, v in slots[0].items() if k not in own} == {
        k: v for k, v in alone.items() if k not in own
    }
    told = await events_of(conn, world, "video.configured")
    assert [event["data"]["position"] for event in told] == [1, 3, 1]


async def test_one_bad_item_spoils_no_other(alice: Client, conn: Connection, world: World) -> None:
    bundle_id = await ordered(alice, videos=9, edits_quantity=1)
    await conn.execute("UPDATE slots SET status = 'accepted' WHERE position = 8")
    reply = await batch(
        alice,
        bundle_id,
        item(1),
        {"position": 2, "video_type": "film", "colour": "red"},
        item(3, 1),
        item(4, video_url=f"{world.acme}/nothing"),
        item(5, video_url="https://10.0.0.1/a.mp4"),
        item(6, editing_instructions="Cut."),
        item(7, editing_instructions="Cut too."),
        item(8),
        item(9, youtube_title="T"),
        item(10),
        item(11, colour="red"),
    )
    assert configured(reply) == [1, 6]
    assert failures(reply) == {
        2: "VALIDATION_ERROR",
        3: "INVALID_DATE",
        4: "MEDIA_NOT_FOUND",
        5: "VALIDATION_ERROR",
        7: "NO_EDIT_SLOTS",
        8: "VIDEO_INVALID_STATUS",
        9: "OPTION_NOT_OFFERED",
        10: "VIDEO_NOT_FOUND",
        11: "UNKNOWN_FIELD",
    }
    second = next(failed for failed in reply.data["failed"] if failed["position"] == 2)
    assert {problem["field"] for problem in second["error"]["details"]["errors"]} == {
        "video_type",
        "target_publish_date",
        "colour",
    }
    slots = await slots_of(alice, bundle_id)
    assert [slot["status"] for slot in slots] == [
        "configured",
        *["pending"] * 4,
        "configured",
        "pending",
        "accepted",
        "pending",
    ]
    # What was refused has left nothing behind: no media, no job, no journal.
    assert await conn.fetchval("SELECT count(*) FROM media") == 2
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 2
    assert await conn.fetchval("SELECT count(*) FROM journal WHERE to_status = 'configured'") == 2


async def test_the_days_fill_up_in_order_of_position(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=5)
    reply = await batch(alice, bundle_id, *(item(position) for position in (5, 3, 4, 1, 2)))
    assert configured(reply) == [1, 2, 3]
    assert failures(reply) == dict.fromkeys((4, 5), "VIDEOS_PER_DAY_EXCEEDED")


async def test_a_slot_that_moves_makes_room_for_those_after_it(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=4)
    await batch(alice, bundle_id, *(item(position) for position in (1, 2, 3)))
    reply = await batch(alice, bundle_id, item(1, 6), item(4))
    assert configured(reply) == [1, 4]
    back = await batch(alice, bundle_id, item(1), item(4, 6))
    assert failures(back) == {1: "VIDEOS_PER_DAY_EXCEEDED"}


async def test_credits_go_to_the_first_positions_and_the_rest_fails_alone(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, platform="instagram", videos=6)
    left = (await alice.get("/credits/balance")).data["credits"]
    price = left // 2 - 1
    await conn.execute(
        "INSERT INTO prices (name, amount) VALUES ('sound_volume', $1), ('instant_repost', 2)",
        price,
    )
    both = {"volume_added_sound": 1, "instant_repost_as_story": True}
    reply = await batch(
        alice,
        bundle_id,
        item(1, volume_added_sound=1),
        item(2, 6, **both),
        item(3, 6, volume_added_sound=1),
        item(4, 6),
        item(5, 6, **both),
        item(6, 6, instant_repost_as_story=True),
    )
    # The second leaves too little; the sixth, of the third's day and less dear, does not either.
    assert configured(reply) == [1, 2, 4]
    assert failures(reply) == dict.fromkeys((3, 5, 6), "INSUFFICIENT_CREDITS")
    third = next(failed for failed in reply.data["failed"] if failed["position"] == 3)
    assert third["error"]["details"]["required"] == price
    assert third["error"]["details"]["breakdown"] == {"sound_volume": price}
    charged = 2 * price + 2
    assert reply.json["credits_charged"] == charged
    assert reply.json["credits_remaining"] == left - charged
    assert reply.json["cost_breakdown"] == {"sound_volume": 2 * price, "instant_repost": 2}
    slots = await slots_of(alice, bundle_id)
    assert [slot["options_paid"] for slot in slots] == [
        ["sound_volume"],
        ["instant_repost", "sound_volume"],
        [],
        [],
        [],
        [],
    ]
    assert [slot["media"] == [] for slot in slots] == [False, False, True, False, True, True]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_what_is_too_dear_in_all_costs_nothing_in_part(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, platform="instagram", videos=2)
    left = (await alice.get("/credits/balance")).data["credits"]
    await conn.execute("INSERT INTO prices (name, amount) VALUES ('story_repost', $1)", left)
    dear = item(1, volume_added_sound=1, story_repost_url="https://www.instagram.com/s/1")
    reply = await batch(alice, bundle_id, dear, item(2, volume_added_sound=1))
    assert (configured(reply), failures(reply)) == ([2], {1: "INSUFFICIENT_CREDITS"})
    assert reply.json["credits_charged"] == 1


async def test_a_slot_that_cannot_be_paid_leaves_its_day_to_the_next(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=5)
    await conn.execute("INSERT INTO prices (name, amount) VALUES ('sound_volume', 5000)")
    dear = [item(position, volume_added_sound=1) for position in (1, 2)]
    reply = await batch(alice, bundle_id, *dear, *(item(position) for position in (3, 4, 5)))
    assert configured(reply) == [3, 4, 5]
    assert failures(reply) == dict.fromkeys((1, 2), "INSUFFICIENT_CREDITS")


async def test_auto_publish_publishes_and_an_item_may_say_otherwise(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=3)
    paths = [await uploaded(conn, world.acme, bundle_id) for _ in range(2)]
    reply = await batch(
        alice,
        bundle_id,
        item(1, video_url=paths[0]),
        item(2, video_url=paths[1], auto_publish=False),
        item(3),
        auto_publish=True,
    )
    assert [slot["status"] for slot in reply.data["configured"]] == [
        "published",
        "configured",
        "configured",
    ]
    waiting = [slot["publish_when_ready"] for slot in await slots_of(alice, bundle_id)]
    assert waiting == [False, False, True]
    fresh = await ordered(alice)
    reply = await batch(alice, fresh, item(1), auto_publish=True)
    assert reply.data["configured"][0]["status"] == "configured"
    assert (await slots_of(alice, fresh))[0]["publish_when_ready"] is True


async def test_a_refused_publication_is_told_and_stops_no_other(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=3)
    for position in (1, 2, 3):
        await alice.post(f"/bundles/{bundle_id}/videos/{position}/unschedule")
    # Slot 1 and 2 were planned long ago; keeping their day is allowed, publishing them moves it.
    await conn.execute(
        "UPDATE slots SET target_start = current_date + 1, target_end = current_date + 2"
        " WHERE position < 3"
    )
    path = await uploaded(conn, world.acme, bundle_id)
    items = [item(p, 1 if p < 3 else 5, video_url=path) for p in (1, 2, 3)]
    reply = await batch(alice, bundle_id, *items, auto_publish=True, headers=REJECT)
    told = [
        (slot["status"], slot.get("auto_publish_error", {}).get("code"))
        for slot in reply.data["configured"]
    ]
    assert told == [
        ("configured", "STALE_DATES"),
        ("configured", "STALE_DATES"),
        ("published", None),
    ]
    moved = await batch(alice, bundle_id, *items[:2], auto_publish=True)
    assert [v["new_date"] for v in moved.data["adjusted_videos"]] == [in_days(3)] * 2
    assert len(await events_of(conn, world, "video.rescheduled")) == 2


async def test_on_a_claimed_order_options_are_paid_and_slots_accepted(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await alice.post(f"/bundles/{bundle_id}/add-video-slots", {"quantity": 2})
    path = await uploaded(conn, world.acme, bundle_id)
    more: dict[str, Any] = {"video_url": path, "volume_added_sound": 1}
    reply = await batch(alice, bundle_id, item(2, **more), item(3, **more), auto_publish=True)
    assert [slot["status"] for slot in reply.data["configured"]] == ["accepted", "accepted"]
    assert reply.json["credits_charged"] == 2


async def test_positions_concern_the_whole_call(alice: Client) -> None:
    bundle_id = await ordered(alice)
    wrong: list[object] = [item(position) for position in (1, 1, 0, "2", True, 1001)]
    reply = await batch(alice, bundle_id, *wrong, {})
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == {f"videos[{n}].position" for n in (1, 2, 3, 4, 5, 6)}
    assert (await batch(alice, bundle_id, item(1), 7)).problems.keys() == {"videos[1]"}
    assert (await batch(alice, bundle_id)).problems.keys() == {"videos"}
    unstorable = await batch(alice, bundle_id, item(1), item(2, description="\0"))
    assert unstorable.problems.keys() == {"videos[1].description"}
    many = await batch(alice, bundle_id, *(item(p + 1) for p in range(501)))
    assert many.problems.keys() == {"videos"}
    assert (await slots_of(alice, bundle_id))[0]["status"] == "pending"


async def test_a_batch_that_fails_in_whole_is_still_an_answer(alice: Client) -> None:
    bundle_id = await ordered(alice)
    reply = await batch(alice, bundle_id, item(1, 0), item(7))
    assert (reply.status, configured(reply)) == (200, [])
    assert (reply.json["credits_charged"], reply.json["cost_breakdown"]) == (0, {})


async def test_the_same_idempotency_key_configures_and_buys_once(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice)
    key = {"Idempotency-Key": "batch-1"}
    items = [item(1, volume_added_sound=1), item(2, 0)]
    first = await batch(alice, bundle_id, *items, headers=key)
    second = await batch(alice, bundle_id, *items, headers=key)
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await conn.fetchval("SELECT count(*) FROM slot_options") == 1
    kept = await conn.fetchval("SELECT expires_at - created_at FROM idempotency_keys")
    assert kept.days == 7


async def test_a_dry_run_prices_every_item_and_changes_nothing(alice: Client) -> None:
    bundle_id = await ordered(alice)
    items = [item(1, volume_added_sound=1), item(2, 0)]
    reply = await batch(alice, bundle_id, *items, headers={"X-TokPortal-Dry-Run": "1"})
    assert (configured(reply), failures(reply)) == ([1], {2: "INVALID_DATE"})
    assert (reply.json["credits_charged"], reply.json["credits_would_charge"]) == (0, 1)
    assert (await slots_of(alice, bundle_id))[0]["status"] == "pending"


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client
) -> None:
    bundle_id = await ordered(alice)
    assert (await batch(bob, bundle_id, item(1))).code == "AUTH_INSUFFICIENT_SCOPE"
    assert (await batch(charlie, bundle_id, item(1))).code == "BUNDLE_NOT_FOUND"
    wrong = await alice.post(f"/bundles/{bundle_id}/videos/batch", {"videos": [item(1)]})
    assert (wrong.status, wrong.headers["Allow"]) == (405, "OPTIONS, PUT")
