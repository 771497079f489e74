"""``POST /bundles/{id}/unpublish``."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.bundles.stages import configured, delivered, in_review, wrong_books
from tests.bundles.traces import counters, events, everything, journal
from tests.cast import World
from tests.client import Client, Reply
from tests.orders.walk import (
    PROFILE,
    claimed,
    ordered,
    posted,
    published,
    published_with_videos,
    released,
    workable,
    working,
)
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.operations.publish_slot import publish_ready_slot
from tokportal_server.workbench.deadlines import find_due, settle

DRY = {"X-TokPortal-Dry-Run": "true"}
END = "UPDATE bundles SET status = $2 WHERE id = $1"
MEDIA_READY = "UPDATE slots SET media_status = 'ready' WHERE bundle_id = $1 RETURNING id"
TIMES = "SELECT published_at, priority_at FROM bundles WHERE id = $1"


async def unpublish(client: Client, bundle_id: str, **more: Any) -> Reply:
    return await client.post(f"/bundles/{bundle_id}/unpublish", **more)


async def test_profile_and_slots_are_configured_again_with_all_that_they_hold(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=3, external_ref="crm-7")
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    for position in (1, 2):
        await configured(alice, bundle_id, position)
    await conn.execute(MEDIA_READY, UUID(bundle_id))
    set_up = (await alice.get(f"/bundles/{bundle_id}")).data
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    told, written = (
        len(await events(conn, world.acme)),
        len(await journal(conn, world.acme, bundle_id)),
    )
    balance = (await alice.get("/credits/balance")).data["credits"]

    bundle = (await unpublish(alice, bundle_id)).data

    changed = {"updated_at": bundle["updated_at"]}
    assert bundle == {**set_up, **changed}
    assert (bundle["status"], bundle["account_status"]) == ("pending_setup", "configured")
    assert bundle["videos_status_counts"] == {"configured": 2, "pending": 1}
    for before, after in zip(
        slots, (await alice.get(f"/bundles/{bundle_id}/videos")).data, strict=True
    ):
        assert {**before, "updated_at": after["updated_at"]} == after
    assert (await alice.get("/credits/balance")).data["credits"] == balance
    new = (await events(conn, world.acme))[told:]
    assert [kind for kind, _ in new] == [
        "video.unscheduled",
        "video.unscheduled",
        "bundle.unpublished",
    ]
    assert new[-1][1] == {
        "bundle_id": bundle_id,
        "external_ref": "crm-7",
        "bundle_type": "account_and_videos",
        "platform": "tiktok",
        "status": "pending_setup",
        "previous_status": "published",
    }
    assert sorted((await journal(conn, world.acme, bundle_id))[written:]) == [
        ("bundle", "published", "pending_setup"),
        ("profile", "published", "configured"),
        ("slot", "published", "configured"),
        ("slot", "published", "configured"),
    ]
    assert await counters(conn, world.acme) == {
        ("bundle", "pending_setup"): 1,
        ("profile", "configured"): 1,
        ("slot", "configured"): 2,
        ("slot", "pending"): 1,
    }
    assert await wrong_books(conn) == {}


async def test_it_can_be_changed_and_published_again(alice: Client) -> None:
    bundle_id = await published(alice, videos=0)
    await unpublish(alice, bundle_id)

    renamed = await alice.put(f"/bundles/{bundle_id}/account", {**PROFILE, "username": "acme.two"})
    again = await alice.post(f"/bundles/{bundle_id}/publish")

    assert (renamed.status, again.data["status"], again.data["username"]) == (
        200,
        "published",
        "acme.two",
    )
    assert "credits_charged" not in again.json


async def test_a_bundle_of_priority_is_taken_back_too_and_loses_it(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=0)
    later = real_now() + timedelta(hours=25)
    for due in await find_due(conn, later, None):
        await settle(conn, due, later, OrderRules.of(ports.settings))
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published_priority"

    assert (await unpublish(alice, bundle_id)).data["status"] == "pending_setup"

    assert tuple(await conn.fetchrow(TIMES, UUID(bundle_id)) or ()) == (None, None)
    _, told = (await events(conn, world.acme))[-1]
    assert told["previous_status"] == "published_priority"


async def test_media_that_come_later_do_not_publish_a_slot_of_it(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await configured(alice, bundle_id)
    [waiting] = (await alice.post(f"/bundles/{bundle_id}/publish")).data["videos_waiting_media"]
    await unpublish(alice, bundle_id)

    await conn.execute(MEDIA_READY, UUID(bundle_id))
    async with working(conn, world) as tx:
        await publish_ready_slot(
            tx=tx,
            actor=world.as_mona,
            slot_id=UUID(waiting),
            rules=OrderRules.of(ports.settings),
        )

    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "configured"


async def test_posts_are_taken_back_after_a_claim_that_came_to_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    body = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    bundle_id = (await alice.post("/bundles", body)).data["id"]
    await configured(alice, bundle_id)
    await conn.execute(MEDIA_READY, UUID(bundle_id))
    await alice.post(f"/bundles/{bundle_id}/publish")
    await claimed(conn, world, ports, bundle_id)
    await released(conn, world, ports, bundle_id)

    bundle = (await unpublish(alice, bundle_id)).data

    assert (bundle["status"], bundle["videos_status_counts"]) == (
        "pending_setup",
        {"configured": 1},
    )
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["published_at"], slot["accepted_at"], slot["overdue_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("pending_setup", "BUNDLE_NOT_PUBLISHED"),
        ("accepted", "BUNDLE_ALREADY_ACCEPTED"),
        ("completed", "BUNDLE_ALREADY_ACCEPTED"),
        ("cancelled", "BUNDLE_NOT_PUBLISHED"),
        ("archived", "BUNDLE_NOT_PUBLISHED"),
    ],
)
async def test_only_what_is_published_can_be_taken_back(
    alice: Client, conn: Connection, status: str, code: str
) -> None:
    bundle_id = await published(alice, videos=0)
    await conn.execute(END, UUID(bundle_id), status)
    before = await everything(conn)

    reply = await unpublish(alice, bundle_id)

    assert (reply.status, reply.code) == (409, code)
    assert reply.details == {"current_status": status}
    assert await everything(conn) == before


async def test_what_was_ever_in_review_is_not_taken_back_even_when_it_is_offered_again(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account, _ = await in_review(alice, conn, world, ports)
    await released(conn, world, ports, account)
    videos = await workable(alice, conn, world, ports, videos=2, auto_finalize_videos=False)
    await posted(conn, world, ports, videos)
    await released(conn, world, ports, videos)

    for bundle_id in (account, videos):
        assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published"
        reply = await unpublish(alice, bundle_id)
        assert (reply.status, reply.code) == (409, "BUNDLE_ALREADY_ACCEPTED")
        assert reply.details == {"current_status": "published"}


async def test_of_unpublishing_and_claiming_at_once_exactly_one_happens(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)

    reply, claim = await asyncio.gather(
        unpublish(alice, bundle_id),
        claimed(conn, world, ports, bundle_id),
        return_exceptions=True,
    )

    assert isinstance(reply, Reply)
    assert (reply.status == 200) is (claim is not None)
    assert await wrong_books(conn) == {}


async def test_of_two_at_once_exactly_one_counts(alice: Client) -> None:
    bundle_id = await published(alice, videos=0)

    replies = await asyncio.gather(*(unpublish(alice, bundle_id) for _ in range(2)))

    assert sorted(reply.status for reply in replies) == [200, 409]


@pytest.mark.parametrize("whose", ["nobody's", "Alice's"])
async def test_what_is_not_the_workspaces_is_not_found(
    alice: Client, charlie: Client, whose: str
) -> None:
    bundle_id = await published(alice, videos=0) if whose == "Alice's" else str(uuid4())

    reply = await unpublish(charlie, bundle_id)

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


async def test_a_dry_run_changes_nothing(alice: Client, conn: Connection) -> None:
    bundle_id = await published(alice, videos=0)
    before = await everything(conn)

    assert (await unpublish(alice, bundle_id, headers=DRY)).data["status"] == "pending_setup"
    assert await everything(conn) == before
