"""``POST /bundles/{id}/add-video-slots`` and ``/add-edit-slots``."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.bundles.stages import configured, grant, reverse_charges, wrong_books
from tests.bundles.traces import counters, events, everything, journal
from tests.cast import CREDITS, World
from tests.client import Client, Reply
from tests.orders.walk import (
    PROFILE,
    claimed,
    ordered,
    published,
    published_with_videos,
    uploaded,
    video,
    workable,
)
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

SET_PRICE = "INSERT INTO prices (name, amount) VALUES ($1, $2)"
END = "UPDATE bundles SET status = $2 WHERE id = $1"
SET_CREDITS = "UPDATE credit_lots SET remaining = $2, amount = $2 WHERE workspace_id = $1"
DEBITS = """
SELECT business_key, -amount AS amount FROM credit_entries WHERE type = 'debit' ORDER BY ordinal
"""
DRY = {"X-TokPortal-Dry-Run": "true"}


async def add(client: Client, bundle_id: str, what: str, quantity: Any = 1, **more: Any) -> Reply:
    return await client.post(
        f"/bundles/{bundle_id}/add-{what}-slots", {"quantity": quantity}, **more
    )


async def test_new_slots_come_after_the_last_and_are_paid_at_once(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=2)
    told = await events(conn, world.acme)

    reply = await add(alice, bundle_id, "video", 3)

    assert reply.data == {
        "bundle_id": bundle_id,
        "added": 3,
        "videos_quantity": 5,
        "edits_quantity": 0,
        "positions": [3, 4, 5],
    }
    assert (reply.json["credits_charged"], reply.json["credits_remaining"]) == (
        6,
        CREDITS - 29 - 6,
    )
    assert (reply.json["cost_breakdown"]["video_slots"], reply.json["cost_breakdown"]["total"]) == (
        6,
        6,
    )
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["videos_quantity"], bundle["videos_status_counts"]) == (5, {"pending": 5})
    assert (bundle["cost"]["total"], bundle["cost"]["breakdown"]["video_slots"]) == (35, 10)
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [(slot["position"], slot["status"]) for slot in slots] == [
        (position, "pending") for position in range(1, 6)
    ]
    assert await events(conn, world.acme) == told
    assert (await journal(conn, world.acme, bundle_id))[-3:] == [("slot", None, "pending")] * 3
    assert (await counters(conn, world.acme))["slot", "pending"] == 5
    assert await wrong_books(conn) == {}


async def test_edits_can_be_used_once_they_are_bought(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=2)
    wish = video(editing_instructions="Cut it.")
    refused = await alice.put(f"/bundles/{bundle_id}/videos/1", wish)
    assert refused.code == "NO_EDIT_SLOTS"

    reply = await add(alice, bundle_id, "edit", 2)

    assert reply.data == {
        "bundle_id": bundle_id,
        "added": 2,
        "videos_quantity": 2,
        "edits_quantity": 2,
        "positions": [],
    }
    assert (reply.json["credits_charged"], reply.json["cost_breakdown"]["edit_slots"]) == (6, 6)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", wish)).status == 200
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["edits_quantity"], bundle["edits_remaining"]) == (2, 1)
    assert bundle["cost"]["breakdown"]["edit_slots"] == 6
    assert await wrong_books(conn) == {}


async def test_what_is_added_costs_todays_price_and_what_was_bought_keeps_its_own(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=2)
    await conn.execute(SET_PRICE, "video_slot", 9)
    await add(alice, bundle_id, "video", 1)
    await conn.execute(SET_PRICE, "edit_slot", 4)
    await add(alice, bundle_id, "edit", 2)

    cost = (await alice.get(f"/bundles/{bundle_id}")).data["cost"]

    assert (cost["breakdown"]["video_slots"], cost["breakdown"]["edit_slots"]) == (13, 8)
    assert [tuple(row) for row in await conn.fetch(DEBITS)] == [
        (f"bundle:{bundle_id}:charge:1", 29),
        (f"bundle:{bundle_id}:charge:2", 9),
        (f"bundle:{bundle_id}:charge:3", 8),
    ]
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await reverse_charges(conn, world, bundle_id)
    paid = await alice.post(f"/bundles/{bundle_id}/publish")
    assert (paid.json["credits_charged"], paid.data["cost"]) == (46, cost)
    assert (await conn.fetch(DEBITS))[-1]["business_key"] == f"bundle:{bundle_id}:charge:4"
    assert await wrong_books(conn) == {}


async def test_a_published_bundle_takes_slots_that_are_then_published_one_by_one(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)

    added = (await add(alice, bundle_id, "video")).data
    path = await uploaded(conn, world.acme, bundle_id)
    await alice.put(f"/bundles/{bundle_id}/videos/2", video(video_url=path))
    slot = (await alice.post(f"/bundles/{bundle_id}/videos/2/publish")).data

    assert (added["positions"], slot["status"]) == ([2], "published")


async def test_a_claimed_bundle_is_not_done_before_its_new_slots(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=1)
    await claimed(conn, world, ports, bundle_id)

    await add(alice, bundle_id, "video", 2)
    await add(alice, bundle_id, "edit", 1)

    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["videos_status_counts"]) == ("accepted", {"pending": 3})
    later = await workable(alice, conn, world, ports, videos=1)
    await add(alice, later, "video")
    await configured(alice, later, 2)
    slot = (await alice.get(f"/bundles/{later}/videos/2")).data
    assert slot["status"] == "configured"


@pytest.mark.parametrize("what", ["video", "edit"])
async def test_an_account_alone_takes_no_slots(alice: Client, conn: Connection, what: str) -> None:
    bundle_id = await ordered(alice, videos=0)
    before = await everything(conn)

    reply = await add(alice, bundle_id, what)

    assert (reply.status, reply.code) == (400, "BUNDLE_TYPE_HAS_NO_VIDEOS")
    assert await everything(conn) == before


@pytest.mark.parametrize("what", ["video", "edit"])
@pytest.mark.parametrize("status", ["completed", "cancelled", "archived"])
async def test_a_bundle_that_has_ended_takes_no_slots(
    alice: Client, conn: Connection, what: str, status: str
) -> None:
    bundle_id = await ordered(alice, videos=2)
    await conn.execute(END, UUID(bundle_id), status)
    before = await everything(conn)

    reply = await add(alice, bundle_id, what)

    assert (reply.status, reply.code) == (400, "BUNDLE_CLOSED_FOR_SLOTS")
    assert reply.details["current_status"] == status
    assert await everything(conn) == before


@pytest.mark.parametrize("what", ["video", "edit"])
async def test_reversed_charges_are_paid_before_anything_is_added(
    alice: Client, conn: Connection, world: World, what: str
) -> None:
    bundle_id = await ordered(alice, videos=2)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await reverse_charges(conn, world, bundle_id)

    reply = await add(alice, bundle_id, what)

    assert (reply.status, reply.code) == (400, "BUNDLE_CLOSED_FOR_SLOTS")
    assert reply.details["charge_state"] == "reversed"
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    assert (await add(alice, bundle_id, what)).status == 200
    assert await wrong_books(conn) == {}


@pytest.mark.parametrize("what", ["video", "edit"])
@pytest.mark.parametrize("quantity", [0, -1, 501, 1.5, "2", None])
async def test_the_quantity_is_1_to_500(alice: Client, what: str, quantity: Any) -> None:
    reply = await add(alice, await ordered(alice, videos=2), what, quantity)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == {"quantity"}


async def test_a_bundle_has_at_most_a_thousand_slots(
    alice: Client, conn: Connection, world: World
) -> None:
    await grant(conn, world.acme, 3000)
    bundle_id = await ordered(alice, videos=499)
    assert (await add(alice, bundle_id, "video", 500)).status == 200

    reply = await add(alice, bundle_id, "video", 2)

    assert (reply.status, set(reply.problems)) == (400, {"quantity"})
    assert "room for 1 more" in reply.problems["quantity"]
    last = (await add(alice, bundle_id, "video", 1)).data
    assert (last["videos_quantity"], last["positions"]) == (1000, [1000])
    assert (await add(alice, bundle_id, "video", 1)).status == 400


async def test_there_are_never_more_edits_than_slots(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=3, edits_quantity=1)

    reply = await add(alice, bundle_id, "edit", 3)

    assert (reply.status, set(reply.problems)) == (400, {"quantity"})
    assert "room for 2 more" in reply.problems["quantity"]
    assert (await add(alice, bundle_id, "edit", 2)).data["edits_quantity"] == 3


@pytest.mark.parametrize("what", ["video", "edit"])
async def test_too_few_credits_add_nothing(
    alice: Client, conn: Connection, world: World, what: str
) -> None:
    bundle_id = await ordered(alice, videos=2)
    await conn.execute(SET_CREDITS, world.acme, 1)
    before = await everything(conn)

    reply = await add(alice, bundle_id, what)

    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert await everything(conn) == before


async def test_many_at_once_get_positions_and_charges_of_their_own(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=1)

    replies = await asyncio.gather(
        *(add(alice, bundle_id, "video", 3) for _ in range(5)),
    )

    positions = sorted(position for reply in replies for position in reply.data["positions"])
    assert positions == list(range(2, 17))
    assert len({row["business_key"] for row in await conn.fetch(DEBITS)}) == 6
    assert await wrong_books(conn) == {}


@pytest.mark.parametrize("what", ["video", "edit"])
@pytest.mark.parametrize("whose", ["nobody's", "Alice's"])
async def test_what_is_not_the_workspaces_is_not_found(
    alice: Client, charlie: Client, what: str, whose: str
) -> None:
    bundle_id = await ordered(alice) if whose == "Alice's" else str(uuid4())

    reply = await add(charlie, bundle_id, what)

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


@pytest.mark.parametrize(("what", "price"), [("video", 2), ("edit", 3)])
async def test_a_dry_run_prices_and_adds_nothing(
    alice: Client, conn: Connection, what: str, price: int
) -> None:
    bundle_id = await ordered(alice)
    imagined = (
        await alice.post(
            "/bundles",
            {"bundle_type": "account_and_videos", "country": "USA", "videos_quantity": 1},
            headers=DRY,
        )
    ).data["id"]
    before = await everything(conn)

    for target in (bundle_id, imagined):
        reply = await add(alice, target, what, 2, headers=DRY)
        assert reply.json["credits_would_charge"] == 2 * price
    assert await everything(conn) == before
