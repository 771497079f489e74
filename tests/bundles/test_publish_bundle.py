"""``POST /bundles/{id}/publish``."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.bundles.stages import (
    FETCH_FAILED,
    MEDIA_READY,
    SET_ACCOUNT,
    STALE,
    configured,
    delivered,
    in_review,
    pause,
    reverse_charges,
)
from tests.bundles.traces import actors, counters, events, everything, journal
from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, in_days, ordered, published
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

SET_STATUS = "UPDATE bundles SET status = $2 WHERE id = $1"
SET_CREDITS = "UPDATE credit_lots SET remaining = $2, amount = $2 WHERE workspace_id = $1"
NO_BIOGRAPHY = {name: text for name, text in PROFILE.items() if name != "biography"}
REJECT = {"X-TokPortal-Stale-Dates": "reject"}
DRY = {"X-TokPortal-Dry-Run": "true"}


def day(days: int) -> date:
    return real_now().date() + timedelta(days=days)


async def ready(alice: Client, conn: Connection, *, videos: int = 0, **more: Any) -> str:
    """Order a bundle with its profile and ``videos`` slots configured, the media all there."""
    bundle_id = await ordered(alice, videos=videos, **more)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    for position in range(1, videos + 1):
        await configured(alice, bundle_id, position, days=4 + (position - 1) // 3)
    await conn.execute(MEDIA_READY, UUID(bundle_id))
    return bundle_id


async def posts_on(alice: Client, account_id: UUID, *, videos: int = 1) -> str:
    """Order posts on a delivered account; give the bundle's id."""
    body = {
        "bundle_type": "videos_only",
        "videos_quantity": videos,
        "account_id": str(account_id),
    }
    return str((await alice.post("/bundles", body)).data["id"])


async def test_offers_the_profile_and_the_configured_slots(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ready(alice, conn, videos=2, external_ref="crm-7")
    told_before = len(await events(conn, world.acme))
    written_before = len(await journal(conn, world.acme, bundle_id))

    reply = await alice.post(f"/bundles/{bundle_id}/publish")

    bundle = reply.data
    assert (bundle["status"], bundle["is_published"]) == ("published", True)
    assert (bundle["account_status"], bundle["videos_status_counts"]) == (
        "published",
        {"published": 2},
    )
    assert bundle["published_at"] == bundle["updated_at"]
    assert (bundle["videos_published"], bundle["videos_waiting_media"]) == (2, [])
    assert bundle["adjusted_videos"] == []
    assert [warning["code"] for warning in bundle["warnings"]] == ["NO_PROFILE_PICTURE"]
    assert "credits_charged" not in reply.json
    own = ("videos_published", "videos_waiting_media", "adjusted_videos", "warnings")
    plain = {name: value for name, value in bundle.items() if name not in own}
    assert (await alice.get(f"/bundles/{bundle_id}")).data == plain

    told = (await events(conn, world.acme))[told_before:]
    assert sorted(kind for kind, _ in told) == [
        "account.published",
        "bundle.published",
        "video.published",
        "video.published",
    ]
    assert dict(told)["bundle.published"] == {
        "bundle_id": bundle_id,
        "external_ref": "crm-7",
        "bundle_type": "account_and_videos",
        "platform": "tiktok",
        "status": "published",
        "previous_status": "pending_setup",
    }
    written = (await journal(conn, world.acme, bundle_id))[written_before:]
    assert sorted(written) == [
        ("bundle", "pending_setup", "published"),
        ("profile", "configured", "published"),
        ("slot", "configured", "published"),
        ("slot", "configured", "published"),
    ]
    assert await actors(conn, world.acme, bundle_id) == {("customer", world.alice_key_id)}
    assert await counters(conn, world.acme) == {
        ("bundle", "published"): 1,
        ("profile", "published"): 1,
        ("slot", "published"): 2,
    }


async def test_an_empty_slot_does_not_hold_the_account_up(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=2)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await configured(alice, bundle_id, 2)
    await conn.execute(MEDIA_READY, UUID(bundle_id))

    bundle = (await alice.post(f"/bundles/{bundle_id}/publish")).data

    assert bundle["videos_status_counts"] == {"pending": 1, "published": 1}
    assert bundle["videos_published"] == 1


async def test_a_slot_whose_media_is_on_its_way_is_published_once_it_is_there(
    alice: Client,
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await configured(alice, bundle_id)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data

    bundle = (await alice.post(f"/bundles/{bundle_id}/publish")).data

    assert bundle["status"] == "published"
    assert (bundle["videos_published"], bundle["videos_waiting_media"]) == (0, [slot["id"]])
    assert [(w["code"], w.get("position")) for w in bundle["warnings"]] == [
        ("NO_PROFILE_PICTURE", None),
        ("MEDIA_FETCHING", 1),
    ]
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["publish_when_ready"]) == ("configured", True)


# Dates that have gone stale.


async def test_stale_dates_move_to_the_earliest_free_days_in_order(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ready(alice, conn, videos=4)
    await conn.execute(STALE, UUID(bundle_id), day(-1))

    bundle = (await alice.post(f"/bundles/{bundle_id}/publish")).data

    moved = bundle["adjusted_videos"]
    assert [video["position"] for video in moved] == [1, 2, 3, 4]
    assert {video["previous_date"] for video in moved} == {day(-1).isoformat()}
    assert [video["new_date"] for video in moved] == [in_days(3)] * 3 + [in_days(4)]
    stale = [w["position"] for w in bundle["warnings"] if w["code"] == "STALE_DATES"]
    assert stale == [1, 2, 3, 4]
    for video in moved:
        slot = (await alice.get(f"/bundles/{bundle_id}/videos/{video['position']}")).data
        assert (slot["id"], slot["date_adjusted"]) == (video["video_id"], True)
        assert slot["target_publish_start_date"] == video["new_date"]
    told = [data for kind, data in await events(conn, world.acme) if kind == "video.rescheduled"]
    assert [(data["position"], data["previous_date"], data["new_date"]) for data in told] == [
        (video["position"], video["previous_date"], video["new_date"]) for video in moved
    ]


async def test_the_last_day_with_enough_notice_is_not_stale(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ready(alice, conn, videos=1)
    await conn.execute(STALE, UUID(bundle_id), day(3))

    assert (await alice.post(f"/bundles/{bundle_id}/publish")).data["adjusted_videos"] == []


async def test_a_delivered_account_needs_a_day_of_notice(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await posts_on(alice, await delivered(alice, conn, world, ports))
    await configured(alice, bundle_id)
    await conn.execute(MEDIA_READY, UUID(bundle_id))
    await conn.execute(STALE, UUID(bundle_id), day(0))

    [moved] = (await alice.post(f"/bundles/{bundle_id}/publish")).data["adjusted_videos"]

    assert moved["new_date"] == in_days(1)


async def test_stale_dates_are_refused_on_request(alice: Client, conn: Connection) -> None:
    bundle_id = await ready(alice, conn, videos=2)
    await conn.execute(STALE, UUID(bundle_id), day(2))
    before = await everything(conn)

    reply = await alice.post(f"/bundles/{bundle_id}/publish", headers=REJECT)

    assert (reply.status, reply.code) == (409, "STALE_DATES")
    assert reply.details["positions"] == [1, 2]
    assert reply.details["earliest_allowed"] == in_days(3)
    assert await everything(conn) == before
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200


async def test_fresh_dates_pass_where_stale_ones_are_refused(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ready(alice, conn, videos=1)

    assert (await alice.post(f"/bundles/{bundle_id}/publish", headers=REJECT)).status == 200


async def test_a_mistyped_wish_for_stale_dates_is_refused(alice: Client, conn: Connection) -> None:
    bundle_id = await ready(alice, conn)

    reply = await alice.post(
        f"/bundles/{bundle_id}/publish", headers={"X-TokPortal-Stale-Dates": "rejct"}
    )

    assert set(reply.problems) == {"X-TokPortal-Stale-Dates"}
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "pending_setup"


# Blockers.


async def refused(alice: Client, bundle_id: str, conn: Connection) -> tuple[str, list[str]]:
    """Publish in vain; give the code, and those in the details, which readiness lists as well."""
    before = await everything(conn)
    reply = await alice.post(f"/bundles/{bundle_id}/publish")
    assert reply.status == 409, reply.body
    assert await everything(conn) == before
    readiness = (await alice.get(f"/bundles/{bundle_id}/publish-readiness")).data
    assert readiness["ready"] is False
    assert reply.details["blockers"] == readiness["blockers"]
    return reply.code, [blocker["code"] for blocker in readiness["blockers"]]


async def test_answers_with_the_first_blocker_until_the_last_is_cleared(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await configured(alice, bundle_id)
    await conn.execute(FETCH_FAILED, UUID(bundle_id), 1)
    await pause(conn, "workspace", world.acme)
    await reverse_charges(conn, world, bundle_id)
    await conn.execute(SET_CREDITS, world.acme, 1)

    left = ["PUBLISHING_PAUSED", "ACCOUNT_NOT_CONFIGURED", "MEDIA_FAILED", "CHARGES_REVERSED"]
    assert await refused(alice, bundle_id, conn) == (left[0], left)

    await conn.execute("DELETE FROM kill_switches")
    assert await refused(alice, bundle_id, conn) == (left[1], left[1:])

    await alice.put(f"/bundles/{bundle_id}/account", NO_BIOGRAPHY)
    left[1] = "ACCOUNT_MISSING_FIELDS"
    assert await refused(alice, bundle_id, conn) == (left[1], left[1:])

    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    assert await refused(alice, bundle_id, conn) == (left[2], left[2:])

    await configured(alice, bundle_id)
    poor = await alice.post(f"/bundles/{bundle_id}/publish")
    assert (poor.status, poor.code) == (402, "INSUFFICIENT_CREDITS")

    await conn.execute(SET_CREDITS, world.acme, 27)
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200


async def test_posts_need_an_account_that_can_take_them_and_something_to_post(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    bundle_id = await posts_on(alice, account_id)
    await conn.execute(SET_ACCOUNT, account_id, "banned")

    left = ["SAVED_ACCOUNT_UNAVAILABLE", "NO_VIDEOS_CONFIGURED"]
    assert await refused(alice, bundle_id, conn) == (left[0], left)
    await conn.execute(SET_ACCOUNT, account_id, "active")
    assert await refused(alice, bundle_id, conn) == (left[1], left[1:])
    await configured(alice, bundle_id)
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200


@pytest.mark.parametrize("scope", ["all", "workspace", "account"])
async def test_a_kill_switch_stops_what_it_is_about(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports, scope: str
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = await posts_on(alice, account_id)
    await configured(alice, posts)
    own, theirs = await ready(alice, conn), await ready(charlie, conn)
    subjects = {"workspace": world.acme, "account": account_id}
    await pause(conn, scope, subjects.get(scope, UUID(int=0)), reason="fraud wave")

    stopped = await alice.post(f"/bundles/{posts}/publish")
    replies = [
        await client.post(f"/bundles/{bundle_id}/publish")
        for client, bundle_id in ((alice, own), (charlie, theirs))
    ]

    assert (stopped.status, stopped.code) == (409, "PUBLISHING_PAUSED")
    assert "fraud wave" in stopped.json["error"]["message"]
    assert [reply.status for reply in replies] == {
        "all": [409, 409],
        "workspace": [409, 200],
        "account": [200, 200],
    }[scope]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("published", "BUNDLE_ALREADY_PUBLISHED"),
        ("published_priority", "BUNDLE_ALREADY_PUBLISHED"),
        ("accepted", "BUNDLE_ALREADY_PUBLISHED"),
        ("completed", "BUNDLE_ALREADY_PUBLISHED"),
        ("cancelled", "BUNDLE_INVALID_STATUS"),
        ("archived", "BUNDLE_INVALID_STATUS"),
    ],
)
async def test_only_a_bundle_that_is_being_set_up_is_published(
    alice: Client, conn: Connection, status: str, code: str
) -> None:
    bundle_id = await published(alice, videos=0)
    await conn.execute(SET_STATUS, UUID(bundle_id), status)

    assert await refused(alice, bundle_id, conn) == (code, [code])


async def test_of_two_publications_at_once_exactly_one_counts(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ready(alice, conn, videos=2)

    replies = await asyncio.gather(*(alice.post(f"/bundles/{bundle_id}/publish") for _ in range(2)))

    assert sorted(reply.status for reply in replies) == [200, 409]
    told = [kind for kind, _ in await events(conn, world.acme)]
    assert told.count("bundle.published") == 1


@pytest.mark.parametrize("whose", ["nobody's", "Alice's"])
async def test_what_is_not_the_workspaces_is_not_found(
    alice: Client, charlie: Client, conn: Connection, whose: str
) -> None:
    bundle_id = await ready(alice, conn) if whose == "Alice's" else str(uuid4())

    reply = await charlie.post(f"/bundles/{bundle_id}/publish")

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


# Charges that were reversed.


async def test_reversed_charges_are_paid_again_at_the_sold_prices(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ready(alice, conn, videos=2)
    await reverse_charges(conn, world, bundle_id)
    await conn.execute("INSERT INTO prices (name, amount) VALUES ('video_slot', 9)")
    assert (await alice.get(f"/bundles/{bundle_id}")).data["charge_state"] == "reversed"
    readiness = (await alice.get(f"/bundles/{bundle_id}/publish-readiness")).data
    assert readiness["ready"] is True

    rehearsed = await alice.post(f"/bundles/{bundle_id}/publish", headers=DRY)
    reply = await alice.post(f"/bundles/{bundle_id}/publish")

    assert rehearsed.json["credits_would_charge"] == 29
    assert rehearsed.json["credits_remaining"] == CREDITS
    assert reply.data["charge_state"] == "paid"
    assert reply.json["credits_charged"] == 29
    assert reply.json["credits_remaining"] == CREDITS - 29
    assert reply.json["cost_breakdown"] == reply.data["cost"]["breakdown"]
    keys = "SELECT business_key FROM credit_entries WHERE type = 'debit' ORDER BY ordinal"
    assert [row["business_key"] for row in await conn.fetch(keys)] == [
        f"bundle:{bundle_id}:charge:1",
        f"bundle:{bundle_id}:charge:2",
    ]


async def test_too_few_credits_to_pay_again_leave_everything_as_it_was(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ready(alice, conn, videos=2)
    await reverse_charges(conn, world, bundle_id)
    await conn.execute(SET_CREDITS, world.acme, 28)
    before = await everything(conn)

    reply = await alice.post(f"/bundles/{bundle_id}/publish")

    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert (reply.details["required"], reply.details["missing"]) == (29, 1)
    assert reply.details["breakdown"]["video_slots"] == 4
    assert await everything(conn) == before


async def test_a_dry_run_shows_the_publication_and_changes_nothing(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ready(alice, conn, videos=2)
    await conn.execute(STALE, UUID(bundle_id), day(0))
    before = await everything(conn)

    reply = await alice.post(f"/bundles/{bundle_id}/publish", headers=DRY)

    assert (reply.data["status"], reply.data["videos_published"]) == ("published", 2)
    assert len(reply.data["adjusted_videos"]) == 2
    assert (reply.json["credits_charged"], reply.json["credits_would_charge"]) == (0, 0)
    assert await everything(conn) == before
    rejected = await alice.post(f"/bundles/{bundle_id}/publish", headers={**DRY, **REJECT})
    assert rejected.code == "STALE_DATES"


async def test_a_claimed_bundle_is_not_published_again(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    reviewed, _ = await in_review(alice, conn, world, ports)

    for taken in (bundle_id, reviewed):
        assert await refused(alice, taken, conn) == (
            "BUNDLE_ALREADY_PUBLISHED",
            ["BUNDLE_ALREADY_PUBLISHED"],
        )
