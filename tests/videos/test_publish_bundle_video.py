"""publishBundleVideo, and auto_publish, which goes the same way."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    PROFILE,
    claimed,
    events_of,
    in_days,
    ordered,
    published,
    uploaded,
    video,
    workable,
)
from tests.videos.steps import media_settles
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

REJECT = {"X-TokPortal-Stale-Dates": "reject"}


async def with_a_configured_slot(alice: Client, conn: Connection, world: World, **more: Any) -> str:
    """Publish a bundle of four slots with nothing in them, then configure the first."""
    bundle_id = await ordered(alice, videos=4)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    path = await uploaded(conn, world.acme, bundle_id)
    await alice.put(f"/bundles/{bundle_id}/videos/4", video(20, video_url=path))
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    await configure(alice, conn, world, bundle_id, 1, **more)
    return bundle_id


async def configure(
    alice: Client, conn: Connection, world: World, bundle_id: str, position: int, **more: Any
) -> Any:
    """Configure a slot with an uploaded video; give the slot."""
    path = await uploaded(conn, world.acme, bundle_id)
    body = video(**{"video_url": path, **more})
    return (await alice.put(f"/bundles/{bundle_id}/videos/{position}", body)).data


async def grow_stale(conn: Connection, bundle_id: str, *positions: int) -> None:
    """Let it be two days before the slots' first day."""
    await conn.execute(
        "UPDATE slots SET target_start = current_date + 2, target_end = current_date + 3"
        " WHERE bundle_id = $1 AND position = ANY ($2)",
        UUID(bundle_id),
        list(positions),
    )


async def test_a_configured_slot_of_a_published_bundle_is_published(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
    assert (reply.status, reply.data["status"]) == (200, "published")
    assert reply.data["published_at"] is not None
    assert reply.data["accepted_at"] is None
    assert reply.data["date_adjusted"] is False
    assert "new_date" not in reply.data
    events = await events_of(conn, world, "video.published", "video.rescheduled")
    assert [(e["type"], e["data"]["position"]) for e in events] == [
        ("video.published", 4),
        ("video.published", 1),
    ]


async def test_on_an_accepted_bundle_the_slot_goes_on_to_accepted_at_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    await claimed(conn, world, ports, bundle_id)
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
    assert reply.data["status"] == "accepted"
    assert reply.data["published_at"] == reply.data["accepted_at"] is not None
    steps = await conn.fetch(
        "SELECT from_status, to_status, xmin FROM journal WHERE object_id = $1 ORDER BY ordinal",
        UUID(reply.data["id"]),
    )
    assert [(s["from_status"], s["to_status"]) for s in steps][-2:] == [
        ("configured", "published"),
        ("published", "accepted"),
    ]
    assert steps[-1]["xmin"] == steps[-2]["xmin"]


async def test_on_a_delivered_account_the_slot_is_workable_at_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await conn.execute("UPDATE slots SET status = 'pending', workable_at = NULL WHERE position = 2")
    await configure(alice, conn, world, bundle_id, 2, days=3)
    assert (await alice.post(f"/bundles/{bundle_id}/videos/2/publish")).status == 200
    row = await conn.fetchrow(
        "SELECT s.workable_at, c.due_at, s.target_end FROM slots s JOIN claims c USING (bundle_id)"
        " WHERE s.position = 2"
    )
    assert row is not None
    assert row["workable_at"] is not None
    assert row["due_at"].date().isoformat() == in_days(7)


async def test_a_stale_date_is_moved_to_the_first_free_day_and_everybody_is_told(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    for position in (2, 3, 4):
        await conn.execute(
            "UPDATE slots SET status = 'published', target_start = current_date + 3,"
            " target_end = current_date + 4 WHERE position = $1",
            position,
        )
    await grow_stale(conn, bundle_id, 1)
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
    assert reply.data["status"] == "published"
    assert reply.data["target_publish_start_date"] == in_days(4)
    assert reply.data["target_publish_end_date"] == in_days(5)
    assert reply.data["date_adjusted"] is True
    assert (reply.data["original_date"], reply.data["new_date"]) == (in_days(2), in_days(4))
    [event] = await events_of(conn, world, "video.rescheduled")
    assert event["data"]["previous_date"] == in_days(2)
    assert event["data"]["new_date"] == in_days(4)
    assert event["data"]["status"] == event["data"]["previous_status"] == "configured"


@pytest.mark.parametrize("media", ["ready", "fetching"])
async def test_a_stale_date_is_refused_if_the_caller_wants_that(
    alice: Client, conn: Connection, world: World, media: str
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    await grow_stale(conn, bundle_id, 1)
    await conn.execute("UPDATE slots SET media_status = $1 WHERE position = 1", media)
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish", headers=REJECT)
    assert (reply.status, reply.code) == (409, "STALE_DATES")
    assert reply.details == {"positions": [1], "earliest_allowed": in_days(3)}
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["publish_when_ready"]) == ("configured", False)


async def test_a_misspelt_wish_for_stale_dates_moves_no_date(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    await grow_stale(conn, bundle_id, 1)
    typo = {"X-TokPortal-Stale-Dates": "rejct"}
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish", headers=typo)
    assert (reply.status, list(reply.problems)) == (400, ["X-TokPortal-Stale-Dates"])
    loud = {"X-TokPortal-Stale-Dates": "REJECT"}
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish", headers=loud)
    assert reply.code == "STALE_DATES"


async def test_a_slot_whose_media_are_on_their_way_waits_for_them(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await with_a_configured_slot(
        alice, conn, world, video_url="https://media.example.com/a.mp4"
    )
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
    assert (reply.status, reply.data["status"]) == (200, "configured")
    assert (reply.data["publish_when_ready"], reply.data["media_status"]) == (True, "fetching")
    path = await uploaded(conn, world.acme, bundle_id)
    await media_settles(conn, world, ports, reply.data["id"], upload=path)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["publish_when_ready"]) == ("published", False)
    assert slot["media_status"] == "ready"


async def test_media_that_failed_are_told_and_published_by_nobody(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await with_a_configured_slot(
        alice, conn, world, video_url="https://media.example.com/a.mp4"
    )
    waiting = (await alice.post(f"/bundles/{bundle_id}/videos/1/publish")).data
    await media_settles(conn, world, ports, waiting["id"], upload=None)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["media_status"]) == ("configured", "failed")
    assert slot["media_error"]["code"] == "FETCH_REFUSED"
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
    assert (reply.status, reply.code) == (409, "MEDIA_FAILED")
    mended = await configure(alice, conn, world, bundle_id, 1, auto_publish=True)
    assert (mended["status"], mended["media_error"]) == ("published", None)


async def test_media_that_arrive_before_the_bundle_is_published_publish_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await ordered(alice)
    slot = (await alice.put(f"/bundles/{bundle_id}/videos/1", video(auto_publish=True))).data
    assert (slot["status"], slot["publish_when_ready"]) == ("configured", True)
    path = await uploaded(conn, world.acme, bundle_id)
    await media_settles(conn, world, ports, slot["id"], upload=path)
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "configured"
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "pending_setup"


async def test_only_a_configured_slot_can_be_published(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    for status in (
        "pending",
        "published",
        "accepted",
        "in_review",
        "pending_corrections",
        "finalized",
        "cancelled",
    ):
        await conn.execute("UPDATE slots SET status = $1 WHERE position = 1", status)
        reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
        assert (reply.status, reply.code) == (409, "INVALID_STATUS_TRANSITION"), status
        assert reply.details["current_status"] == status
        assert reply.details["allowed_from"] == ["configured"]


async def test_the_bundle_must_be_published_or_accepted(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    for status in ("pending_setup", "completed", "cancelled", "archived"):
        await conn.execute("UPDATE bundles SET status = $1", status)
        reply = await alice.post(f"/bundles/{bundle_id}/videos/1/publish")
        assert (reply.status, reply.code) == (409, "BUNDLE_INVALID_STATUS"), status
    await conn.execute("UPDATE bundles SET status = 'published_priority'")
    assert (await alice.post(f"/bundles/{bundle_id}/videos/1/publish")).status == 200


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client, nobody: Client
) -> None:
    bundle_id = await published(alice, videos=0)
    path = f"/bundles/{bundle_id}/videos/1/publish"
    told = [
        await nobody.post(path),
        await bob.post(path),
        await charlie.post(path),
        await alice.post(path),
        await alice.post(f"/bundles/{uuid4()}/videos/1/publish"),
        await alice.post(f"/bundles/{bundle_id}/videos/one/publish"),
    ]
    assert [reply.code for reply in told] == [
        "AUTH_MISSING_KEY",
        "AUTH_INSUFFICIENT_SCOPE",
        "BUNDLE_NOT_FOUND",
        "VIDEO_NOT_FOUND",
        "BUNDLE_NOT_FOUND",
        "VIDEO_NOT_FOUND",
    ]


async def test_a_dry_run_publishes_nothing_and_a_replay_publishes_once(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    path = f"/bundles/{bundle_id}/videos/1/publish"
    dry = await alice.post(path, headers={"X-TokPortal-Dry-Run": "1"})
    assert (dry.data["status"], dry.json["dry_run"]) == ("published", True)
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "configured"
    first = await alice.post(path, headers={"Idempotency-Key": "p"})
    second = await alice.post(path, headers={"Idempotency-Key": "p"})
    assert (first.status, second.body) == (200, first.body)
    assert len(await events_of(conn, world, "video.published")) == 2


async def test_auto_publish_never_publishes_a_bundle_that_is_being_set_up(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice)
    slot = await configure(alice, conn, world, bundle_id, 1, auto_publish=True)
    assert (slot["status"], slot["publish_when_ready"]) == ("configured", True)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "pending_setup"


@pytest.mark.parametrize("status", ["published", "accepted"])
async def test_auto_publish_publishes_on_a_live_bundle(
    alice: Client, conn: Connection, world: World, ports: Ports, status: str
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    if status == "accepted":
        await claimed(conn, world, ports, bundle_id)
    fresh = await configure(alice, conn, world, bundle_id, 2, auto_publish=True)
    assert fresh["status"] == status
    assert "auto_publish_error" not in fresh
    waiting = await configure(
        alice, conn, world, bundle_id, 3, auto_publish=True, video_url="https://example.com/a.mp4"
    )
    assert (waiting["status"], waiting["publish_when_ready"]) == ("configured", True)


async def test_a_refused_auto_publish_is_told_and_the_configuration_stands(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await with_a_configured_slot(alice, conn, world)
    await grow_stale(conn, bundle_id, 1)
    path = await uploaded(conn, world.acme, bundle_id)
    body = video(2, video_url=path, description="New words.", auto_publish=True)
    reply = await alice.put(f"/bundles/{bundle_id}/videos/1", body, headers=REJECT)
    assert (reply.status, reply.data["status"]) == (200, "configured")
    assert reply.data["auto_publish_error"]["code"] == "STALE_DATES"
    assert reply.data["description"] == "New words."
    moved = (await alice.put(f"/bundles/{bundle_id}/videos/1", body)).data
    assert (moved["status"], moved["date_adjusted"]) == ("published", True)
    assert (moved["original_date"], moved["new_date"]) == (in_days(2), in_days(3))
