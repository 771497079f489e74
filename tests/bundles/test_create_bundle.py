"""``POST /bundles``: what it makes, what it costs, and what happens when many call at once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from tests.bundles.traces import actors, counters, events, everything, journal
from tests.cast import CREDITS, World
from tests.client import Client
from tests.conftest import serving
from tests.orders.walk import order
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

SET_PRICE = "INSERT INTO prices (name, amount) VALUES ($1, $2)"
SET_OWN_PRICE = "INSERT INTO workspace_prices (workspace_id, name, amount) VALUES ($1, $2, $3)"
SET_CREDITS = "UPDATE credit_lots SET remaining = $2, amount = $2 WHERE workspace_id = $1"
CANCEL = "UPDATE bundles SET status = 'cancelled', cancelled_at = now() WHERE id = $1"
SOLD = "SELECT sold_prices FROM bundles WHERE id = $1"
FREE = {
    "account_creation": 0,
    "video_slots": 0,
    "edit_slots": 0,
    "niche_warming": 0,
    "deep_warming": 0,
    "moderation": 0,
}


def cost(**parts: int) -> dict[str, int]:
    return {**FREE, **parts, "total": sum(parts.values())}


async def test_answers_the_whole_bundle_object_and_what_was_charged(alice: Client) -> None:
    reply = await alice.post(
        "/bundles", order(videos=2, title="Autumn", external_ref="crm-7", edits_quantity=1)
    )

    assert reply.status == 201
    bundle = reply.data
    price = cost(account_creation=25, video_slots=4, edit_slots=3)
    assert str(UUID(bundle["account_id"])) == bundle["account_id"]
    assert bundle == {
        "id": bundle["id"],
        "bundle_id": bundle["id"],
        "bundle_type": "account_and_videos",
        "platform": "tiktok",
        "country": "USA",
        "status": "pending_setup",
        "title": "Autumn",
        "external_ref": "crm-7",
        "videos_quantity": 2,
        "edits_quantity": 1,
        "edits_remaining": 1,
        "auto_finalize_videos": True,
        "review_mode": "auto",
        "wants_niche_warming": False,
        "wants_deep_warming": False,
        "wants_moderation": False,
        "niche_warming_instructions": None,
        "moderation_notice": None,
        "account_id": bundle["account_id"],
        "account_status": "pending",
        "saved_account_id": None,
        "username": None,
        "account_configured": False,
        "videos_configured_count": 0,
        "videos_status_counts": {"pending": 2},
        "is_published": False,
        "published_at": None,
        "accepted_at": None,
        "completed_at": None,
        "charge_state": "paid",
        "cost": {"total": 32, "breakdown": price},
        "created_at": bundle["created_at"],
        "updated_at": bundle["created_at"],
    }
    assert reply.json["credits_charged"] == 32
    assert reply.json["credits_remaining"] == CREDITS - 32
    assert reply.json["cost_breakdown"] == price
    assert (await alice.get(f"/bundles/{bundle['id']}")).data == bundle


async def test_an_account_needs_no_more_than_its_country(alice: Client) -> None:
    bundle = (await alice.post("/bundles", {"bundle_type": "account_only", "country": "FR"})).data

    assert (bundle["platform"], bundle["country"]) == ("tiktok", "FR")
    assert bundle["videos_status_counts"] == {}
    assert bundle["cost"]["breakdown"] == cost(account_creation=25)


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        (
            {"wants_niche_warming": True, "niche_warming_instructions": "Cats."},
            {"account_creation": 25, "niche_warming": 7},
        ),
        (
            {"wants_deep_warming": True, "platform": "instagram"},
            {"account_creation": 25, "deep_warming": 40},
        ),
        (
            {"wants_moderation": True, "moderation_notice": "Be kind."},
            {"account_creation": 25, "moderation": 25},
        ),
    ],
)
async def test_extras_are_priced_and_shown(
    alice: Client, wanted: dict[str, Any], parts: dict[str, int]
) -> None:
    reply = await alice.post("/bundles", order(videos=0, **wanted))

    assert reply.json["cost_breakdown"] == cost(**parts)
    assert {name: reply.data[name] for name in wanted} == wanted


async def test_positions_run_from_1_to_the_quantity_and_are_pending(alice: Client) -> None:
    bundle = (await alice.post("/bundles", order(videos=400))).data
    slots = (await alice.get(f"/bundles/{bundle['id']}/videos")).data

    assert [slot["position"] for slot in slots] == list(range(1, 401))
    assert {slot["status"] for slot in slots} == {"pending"}
    assert bundle["cost"]["total"] == 25 + 2 * 400


async def test_tells_journal_counters_and_subscribers(
    alice: Client, world: World, conn: Connection
) -> None:
    bundle = (await alice.post("/bundles", order(videos=2, external_ref="crm-7"))).data

    assert await events(conn, world.acme) == [
        (
            "bundle.created",
            {
                "bundle_id": bundle["id"],
                "external_ref": "crm-7",
                "bundle_type": "account_and_videos",
                "platform": "tiktok",
                "status": "pending_setup",
                "previous_status": None,
            },
        )
    ]
    assert await journal(conn, world.acme, bundle["id"]) == [
        ("bundle", None, "pending_setup"),
        ("profile", None, "pending"),
        ("slot", None, "pending"),
        ("slot", None, "pending"),
    ]
    assert await actors(conn, world.acme, bundle["id"]) == {("customer", world.alice_key_id)}
    assert await counters(conn, world.acme) == {
        ("bundle", "pending_setup"): 1,
        ("profile", "pending"): 1,
        ("slot", "pending"): 2,
    }


async def test_the_debit_is_in_the_history_with_its_parts(alice: Client) -> None:
    bundle = (await alice.post("/bundles", order(videos=2))).data
    entry = (await alice.get("/credits/history")).data[0]

    assert (entry["type"], entry["amount"]) == ("debit", -29)
    assert entry["breakdown"] == cost(account_creation=25, video_slots=4)
    assert entry["reference"] == {"kind": "bundle", "id": bundle["id"]}
    assert entry["balance_after"] == CREDITS - 29


# Prices.


async def test_an_order_keeps_the_prices_that_it_was_sold_at(
    alice: Client, conn: Connection
) -> None:
    before = (await alice.post("/bundles", order(videos=2))).data
    await conn.execute(SET_PRICE, "video_slot", 5)
    await conn.execute(SET_PRICE, "account_creation", 30)

    after = await alice.post("/bundles", order(videos=2))

    assert after.json["credits_charged"] == 40
    assert (await alice.get(f"/bundles/{before['id']}")).data["cost"] == before["cost"]
    sold = await conn.fetchval(SOLD, UUID(before["id"]))
    assert (sold["video_slot"], sold["edit_slot"]) == (2, 3)


async def test_a_workspace_with_its_own_prices_pays_those(
    alice: Client, charlie: Client, world: World, conn: Connection
) -> None:
    await conn.execute(SET_OWN_PRICE, world.acme, "account_creation", 20)
    await conn.execute(SET_OWN_PRICE, world.acme, "video_slot", 1)

    assert (await alice.post("/bundles", order(videos=2))).json["credits_charged"] == 22
    assert (await charlie.post("/bundles", order(videos=2))).json["credits_charged"] == 29


async def test_what_is_free_writes_no_ledger_entry(
    alice: Client, world: World, conn: Connection
) -> None:
    await conn.execute(SET_OWN_PRICE, world.acme, "account_creation", 0)

    reply = await alice.post("/bundles", order(videos=0))

    assert (reply.status, reply.json["credits_charged"]) == (201, 0)
    assert reply.json["credits_remaining"] == CREDITS
    assert [row["type"] for row in (await alice.get("/credits/history")).data] == ["credit"]


async def test_too_few_credits_leave_no_trace_in_any_table(
    alice: Client, world: World, conn: Connection
) -> None:
    await conn.execute(SET_CREDITS, world.acme, 28)
    before = await everything(conn)

    reply = await alice.post(
        "/bundles", order(videos=2, external_ref="crm-7"), headers={"Idempotency-Key": "k"}
    )

    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert reply.details == {
        "required": 29,
        "available": 28,
        "missing": 1,
        "breakdown": cost(account_creation=25, video_slots=4),
    }
    assert await everything(conn) == before


# Many at once.


async def test_of_two_orders_with_credits_for_one_exactly_one_succeeds(
    alice: Client, world: World, conn: Connection
) -> None:
    await conn.execute(SET_CREDITS, world.acme, 29 + 28)

    replies = await asyncio.gather(*(alice.post("/bundles", order(videos=2)) for _ in range(2)))

    assert sorted(reply.status for reply in replies) == [201, 402]
    assert (await alice.get("/credits/balance")).data["credits"] == 28
    assert (await alice.get("/bundles")).json["pagination"]["total"] == 1


async def test_of_twenty_orders_with_one_reference_exactly_one_succeeds(
    alice: Client, world: World, conn: Connection
) -> None:
    body = order(videos=0, external_ref="crm-7")

    replies = await asyncio.gather(*(alice.post("/bundles", body) for _ in range(20)))

    won = [reply for reply in replies if reply.status == 201]
    lost = [reply for reply in replies if reply.status == 409]
    assert (len(won), len(lost)) == (1, 19)
    assert {reply.code for reply in lost} == {"DUPLICATE_ACCOUNT_BUNDLE"}
    assert {reply.details["existing_bundle_id"] for reply in lost} == {won[0].data["id"]}
    assert (await alice.get("/credits/balance")).data["credits"] == CREDITS - 25
    assert await counters(conn, world.acme) == {
        ("bundle", "pending_setup"): 1,
        ("profile", "pending"): 1,
    }


async def test_one_key_sent_twenty_times_at_once_orders_one_bundle(alice: Client) -> None:
    body, headers = order(videos=2), {"Idempotency-Key": "once"}

    replies = await asyncio.gather(
        *(alice.post("/bundles", body, headers=headers) for _ in range(20))
    )

    created = [reply for reply in replies if reply.status == 201]
    assert {reply.code for reply in replies if reply.status != 201} <= {"IDEMPOTENCY_IN_PROGRESS"}
    assert len({reply.body for reply in created}) == 1
    fresh = [reply for reply in created if "Idempotent-Replayed" not in reply.headers]
    assert len(fresh) == 1
    assert (await alice.get("/bundles")).json["pagination"]["total"] == 1
    assert (await alice.get("/credits/balance")).data["credits"] == CREDITS - 29


# external_ref.


async def test_a_reference_is_taken_by_any_live_account_bundle(alice: Client) -> None:
    first = (await alice.post("/bundles", order(videos=0, external_ref="crm-7"))).data

    reply = await alice.post("/bundles", order(videos=3, external_ref="crm-7"))

    assert (reply.status, reply.code) == (409, "DUPLICATE_ACCOUNT_BUNDLE")
    assert reply.details["existing_bundle_id"] == first["id"]


async def test_a_reference_is_free_again_after_its_bundle_was_cancelled(
    alice: Client, conn: Connection
) -> None:
    first = (await alice.post("/bundles", order(videos=0, external_ref="crm-7"))).data
    await conn.execute(CANCEL, UUID(first["id"]))

    assert (await alice.post("/bundles", order(videos=0, external_ref="crm-7"))).status == 201


async def test_a_reference_belongs_to_its_workspace(alice: Client, charlie: Client) -> None:
    for client in (alice, charlie):
        assert (await client.post("/bundles", order(videos=0, external_ref="crm-7"))).status == 201


@pytest.mark.parametrize("neutral", [None, ""])
async def test_bundles_without_a_reference_never_collide(
    alice: Client, neutral: str | None
) -> None:
    for _ in range(2):
        reply = await alice.post("/bundles", order(videos=0, external_ref=neutral))
        assert (reply.status, reply.data["external_ref"]) == (201, None)


# The create bucket.


async def test_the_create_bucket_refuses_with_the_seconds_to_wait(
    settings: Settings, world: World, conn: Connection
) -> None:
    limited = replace(settings, create_bucket_per_minute=2)
    async with serving(limited) as address, Client(address, world.alice_key) as alice:
        for _ in range(2):
            assert (await alice.post("/bundles", order(videos=0))).status == 201
        before = await everything(conn)
        reply = await alice.post("/bundles", order(videos=0))

        assert (reply.status, reply.code) == (429, "CREATE_RATE_LIMIT_EXCEEDED")
        wait = reply.details["retry_after_seconds"]
        assert 1 <= wait <= 30
        assert reply.headers["Retry-After"] == str(wait)
        assert await everything(conn) == before
        # What is refused for another reason takes no token, and is told first.
        wrong = await alice.post("/bundles", {"bundle_type": "account_only"})
        assert (wrong.status, wrong.code) == (400, "VALIDATION_ERROR")


async def test_only_bundles_that_were_created_count_against_the_bucket(
    settings: Settings, world: World
) -> None:
    limited = replace(settings, create_bucket_per_minute=1)
    async with serving(limited) as address, Client(address, world.alice_key) as alice:
        rehearsed = await alice.post(
            "/bundles", order(videos=0), headers={"X-TokPortal-Dry-Run": "true"}
        )
        assert rehearsed.status == 201
        poor = await alice.post("/bundles", order(videos=500, edits_quantity=500))
        assert poor.status == 402
        assert (await alice.post("/bundles", order(videos=0))).status == 201
        refused = await alice.post(
            "/bundles", order(videos=0), headers={"X-TokPortal-Dry-Run": "true"}
        )
        assert refused.code == "CREATE_RATE_LIMIT_EXCEEDED"


# Dry run.


async def test_a_dry_run_prices_the_order_and_changes_nothing(
    alice: Client, conn: Connection
) -> None:
    before = await everything(conn)

    reply = await alice.post(
        "/bundles",
        order(videos=2, external_ref="crm-7"),
        headers={"X-TokPortal-Dry-Run": "true", "Idempotency-Key": "k"},
    )

    assert reply.status == 201
    assert reply.headers["X-TokPortal-Dry-Run"] == "true"
    assert reply.data["status"] == "pending_setup"
    assert reply.data["videos_status_counts"] == {"pending": 2}
    assert reply.json["credits_charged"] == 0
    assert reply.json["credits_would_charge"] == 29
    assert reply.json["credits_remaining"] == CREDITS
    assert reply.json["cost_breakdown"] == cost(account_creation=25, video_slots=4)
    assert reply.json["dry_run"] is True
    for name in ("id", "bundle_id", "account_id"):
        assert reply.data[name].startswith("00000000-0000-4000-8000-")
    assert await everything(conn) == before

    live = await alice.post(f"/bundles/{reply.data['id']}/publish")
    assert (live.status, live.code) == (400, "DRY_RUN_ID_IN_LIVE_REQUEST")


async def test_a_dry_run_refuses_what_a_live_call_would(
    alice: Client, world: World, conn: Connection
) -> None:
    headers = {"X-TokPortal-Dry-Run": "1"}
    await alice.post("/bundles", order(videos=0, external_ref="crm-7"))
    duplicate = await alice.post("/bundles", order(external_ref="crm-7"), headers=headers)
    assert (duplicate.status, duplicate.code) == (409, "DUPLICATE_ACCOUNT_BUNDLE")

    await conn.execute(SET_CREDITS, world.acme, 28)
    poor = await alice.post("/bundles", order(videos=2), headers=headers)
    assert (poor.status, poor.code) == (402, "INSUFFICIENT_CREDITS")
