"""``POST /bundles/bulk``."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from tests.bundles.stages import grant, wrong_books
from tests.bundles.traces import actors, counters, events, everything, journal
from tests.cast import CREDITS, World
from tests.client import Client, Reply
from tests.conftest import serving
from tests.orders.lock_probe import LockProbe
from tests.orders.walk import order, ordered
from tokportal_server.bundles.bulk_wire import CreateBulkBundlesRequest
from tokportal_server.bundles.operations.create_bundles_bulk import create_bundles_bulk
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work

DRY = {"X-TokPortal-Dry-Run": "true"}
SET_COUNTRY = "UPDATE countries SET enabled_for = $2 WHERE code = $1"
CLOSE_PLATFORM = "UPDATE platforms SET enabled = false WHERE code = $1"
CANCEL = "UPDATE bundles SET status = 'cancelled', cancelled_at = now() WHERE id = $1"
ENTRIES = "SELECT * FROM credit_entries WHERE type = 'debit' ORDER BY ordinal"
FREE = "INSERT INTO prices (name, amount) VALUES ('account_creation', 0), ('video_slot', 0)"


def bulk(**more: Any) -> dict[str, Any]:
    return {"platforms": ["tiktok"], "country": "USA", "accounts_count": 2, **more}


async def many(alice: Client, **more: Any) -> Reply:
    return await alice.post("/bundles/bulk", bulk(**more))


async def test_orders_accounts_on_every_platform_and_answers_them_in_order(
    alice: Client, conn: Connection, world: World
) -> None:
    reply = await many(
        alice,
        platforms=["instagram", "tiktok"],
        accounts_count=3,
        upload_accounts_count=1,
        videos_per_account=4,
        external_ref="summer",
        wants_niche_warming=True,
        niche_warming_instructions="Gardens",
        auto_finalize_videos=False,
    )

    assert reply.status == 201
    data = reply.data
    assert (data["total_bundles"], data["total_videos"]) == (6, 8)
    told = [(b["platform"], b["bundle_type"], b["external_ref"]) for b in data["bundles"]]
    assert told == [
        ("instagram", "account_and_videos", "summer-1"),
        ("instagram", "account_only", "summer-2"),
        ("instagram", "account_only", "summer-3"),
        ("tiktok", "account_and_videos", "summer-4"),
        ("tiktok", "account_only", "summer-5"),
        ("tiktok", "account_only", "summer-6"),
    ]
    for made in data["bundles"]:
        whole = (await alice.get(f"/bundles/{made['id']}")).data
        assert {name: whole[name] for name in made} == made
        assert made["id"] == made["bundle_id"]
        assert (whole["review_mode"], whole["account_status"]) == ("manual", "pending")
        assert whole["niche_warming_instructions"] == "Gardens"
        videos = 4 if made["bundle_type"] == "account_and_videos" else 0
        assert whole["videos_status_counts"] == ({"pending": 4} if videos else {})
        assert whole["cost"]["total"] == 25 + 7 + 2 * videos
    listed = [bundle["external_ref"] for bundle in (await alice.get("/bundles")).data]
    assert listed == [f"summer-{n}" for n in (6, 5, 4, 3, 2, 1)]
    slots = (await alice.get(f"/bundles/{data['bundles'][0]['id']}/videos")).data
    assert [slot["position"] for slot in slots] == [1, 2, 3, 4]

    total = 6 * (25 + 7) + 8 * 2
    assert (reply.json["credits_charged"], reply.json["credits_remaining"]) == (
        total,
        CREDITS - total,
    )
    assert reply.json["cost_breakdown"] == {
        "account_creation": 150,
        "video_slots": 16,
        "edit_slots": 0,
        "niche_warming": 42,
        "deep_warming": 0,
        "moderation": 0,
        "total": total,
    }
    told_events = await events(conn, world.acme)
    assert [kind for kind, _ in told_events] == ["bundle.created"] * 6
    assert [data["external_ref"] for _, data in told_events] == [f"summer-{n}" for n in range(1, 7)]
    assert await counters(conn, world.acme) == {
        ("bundle", "pending_setup"): 6,
        ("profile", "pending"): 6,
        ("slot", "pending"): 8,
    }
    first = data["bundles"][0]["id"]
    assert sorted(await journal(conn, world.acme, first), key=str) == [
        ("bundle", None, "pending_setup"),
        ("profile", None, "pending"),
        *[("slot", None, "pending")] * 4,
    ]
    assert await actors(conn, world.acme, first) == {("customer", world.alice_key_id)}


async def test_is_one_debit_that_the_books_agree_with(alice: Client, conn: Connection) -> None:
    await many(alice, accounts_count=3, upload_accounts_count=2, videos_per_account=5)

    [entry] = await conn.fetch(ENTRIES)
    assert -entry["amount"] == 3 * 25 + 10 * 2
    assert entry["breakdown"]["total"] == -entry["amount"]
    newest = (await alice.get("/credits/history")).data[0]
    assert (newest["type"], newest["amount"]) == ("debit", entry["amount"])
    assert newest["reference"]["kind"] == "bulk_order"
    assert await wrong_books(conn) == {}


async def test_a_bundle_of_a_bulk_order_is_like_any_other(alice: Client) -> None:
    [one] = (await many(alice, accounts_count=1)).data["bundles"]
    other = await ordered(alice, videos=0)

    got, like = [(await alice.get(f"/bundles/{b}")).data for b in (one["id"], other)]

    own = {"id", "bundle_id", "account_id", "created_at", "updated_at"}
    assert {k: v for k, v in got.items() if k not in own} == {
        k: v for k, v in like.items() if k not in own
    }


async def test_costs_nothing_where_everything_is_free(alice: Client, conn: Connection) -> None:
    await conn.execute(FREE)

    reply = await many(alice, upload_accounts_count=1, videos_per_account=1)

    assert (reply.status, reply.json["credits_charged"]) == (201, 0)
    assert await conn.fetch(ENTRIES) == []
    assert await wrong_books(conn) == {}


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"platforms": []}, {"platforms"}),
        ({"platforms": ["tiktok", "tiktok"]}, {"platforms"}),
        ({"platforms": ["tiktok", "youtube"]}, {"platforms[1]"}),
        ({"accounts_count": 0}, {"accounts_count"}),
        ({"accounts_count": 101}, {"accounts_count"}),
        ({"accounts_count": None}, {"accounts_count"}),
        ({"upload_accounts_count": 3, "videos_per_account": 1}, {"upload_accounts_count"}),
        ({"upload_accounts_count": 1}, {"videos_per_account"}),
        ({"upload_accounts_count": 1, "videos_per_account": 501}, {"videos_per_account"}),
        ({"videos_per_account": 5}, {"videos_per_account"}),
        (
            {"accounts_count": 100, "upload_accounts_count": 21, "videos_per_account": 500},
            {"videos_per_account"},
        ),
        ({"wants_niche_warming": True}, {"niche_warming_instructions"}),
        ({"wants_deep_warming": True}, {"wants_deep_warming"}),
        (
            {"wants_deep_warming": True, "platforms": ["instagram", "tiktok"]},
            {"wants_deep_warming"},
        ),
        ({"external_ref": "x" * 191}, {"external_ref"}),
        ({"country": "Atlantis"}, {"country"}),
        ({"country": ""}, {"country"}),
        ({"country": None}, {"country"}),
        (
            {"upload_accounts_count": 3, "wants_niche_warming": True, "platforms": ["tiktok"] * 2},
            {
                "upload_accounts_count",
                "videos_per_account",
                "niche_warming_instructions",
                "platforms",
            },
        ),
    ],
)
async def test_names_everything_that_is_wrong_at_once(
    alice: Client, conn: Connection, more: dict[str, Any], fields: set[str]
) -> None:
    before = await everything(conn)

    reply = await many(alice, **more)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields
    assert await everything(conn) == before


async def test_values_that_ask_for_nothing_are_let_pass(alice: Client) -> None:
    reply = await many(
        alice,
        upload_accounts_count=0,
        videos_per_account=0,
        external_ref="",
        wants_niche_warming=False,
        wants_deep_warming=False,
        wants_advanced_warming=False,
        niche_warming_instructions=None,
    )

    assert {b["bundle_type"] for b in reply.data["bundles"]} == {"account_only"}
    assert {b["external_ref"] for b in reply.data["bundles"]} == {None}
    refused = await many(alice, wants_advanced_warming=True)
    assert (refused.status, refused.code) == (400, "OPTION_NOT_OFFERED")
    unknown = await many(alice, edits_quantity=1)
    assert (unknown.status, unknown.code) == (400, "UNKNOWN_FIELD")


async def test_deep_warming_is_sold_on_instagram(alice: Client) -> None:
    reply = await many(alice, platforms=["instagram"], wants_deep_warming=True)

    assert reply.json["cost_breakdown"]["deep_warming"] == 80


@pytest.mark.parametrize("open_for", [["account"], ["videos"], []])
async def test_a_country_must_be_open_for_all_that_is_ordered(
    alice: Client, conn: Connection, open_for: list[str]
) -> None:
    await conn.execute(SET_COUNTRY, "USA", open_for)

    alone = await many(alice)
    mixed = await many(alice, upload_accounts_count=1, videos_per_account=1)

    assert alone.status == (201 if "account" in open_for else 400)
    assert (mixed.status, mixed.code) == (400, "COUNTRY_NOT_ENABLED")


async def test_a_closed_platform_stops_the_whole_order(alice: Client, conn: Connection) -> None:
    await conn.execute(CLOSE_PLATFORM, "instagram")

    reply = await many(alice, platforms=["tiktok", "instagram"])

    assert set(reply.problems) == {"platforms"}
    assert (await many(alice)).status == 201


async def test_references_that_are_taken_are_all_named(
    alice: Client, charlie: Client, conn: Connection
) -> None:
    second = await ordered(alice, videos=0, external_ref="summer-2")
    third = await ordered(alice, videos=0, external_ref="summer-3")
    gone = await ordered(alice, videos=0, external_ref="summer-1")
    await conn.execute(CANCEL, UUID(gone))
    await ordered(charlie, videos=0, external_ref="summer-4")
    before = await everything(conn)

    reply = await many(alice, accounts_count=4, external_ref="summer")

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == {"external_ref"}
    assert reply.details["existing_bundle_ids"] == [second, third]
    assert await everything(conn) == before


async def test_of_two_orders_with_one_reference_at_once_exactly_one_counts(
    alice: Client, conn: Connection
) -> None:
    replies = await asyncio.gather(
        *(many(alice, accounts_count=5, external_ref="race") for _ in range(3)),
        alice.post("/bundles", order(videos=0, external_ref="race-3")),
    )

    assert sum(reply.status == 201 for reply in replies) == 1
    assert await wrong_books(conn) == {}


async def test_too_few_credits_order_nothing(alice: Client, conn: Connection) -> None:
    before = await everything(conn)

    reply = await many(alice, accounts_count=41)

    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert (reply.details["required"], reply.details["missing"]) == (1025, 25)
    assert reply.details["breakdown"]["account_creation"] == 1025
    assert await everything(conn) == before


async def test_a_call_takes_one_token_of_the_create_bucket(
    settings: Settings, world: World
) -> None:
    async with (
        serving(replace(settings, create_bucket_per_minute=2)) as address,
        Client(address, world.alice_key) as alice,
    ):
        told = [(await many(alice, accounts_count=3)).status for _ in range(2)]
        limited = await many(alice)

    assert told == [201, 201]
    assert (limited.status, limited.code) == (429, "CREATE_RATE_LIMIT_EXCEEDED")
    assert int(limited.headers["Retry-After"]) == limited.details["retry_after_seconds"]


async def test_a_dry_run_prices_the_order_and_makes_nothing(
    alice: Client, conn: Connection
) -> None:
    before = await everything(conn)

    reply = await alice.post(
        "/bundles/bulk", bulk(upload_accounts_count=1, videos_per_account=3), headers=DRY
    )

    assert (reply.json["credits_charged"], reply.json["credits_would_charge"]) == (0, 56)
    assert {b["id"][:24] for b in reply.data["bundles"]} == {"00000000-0000-4000-8000-"}
    assert await everything(conn) == before


async def test_a_repeated_key_orders_once(alice: Client) -> None:
    key = {"Idempotency-Key": "bulk-1"}

    first, again = [await alice.post("/bundles/bulk", bulk(), headers=key) for _ in range(2)]

    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert (await alice.get("/bundles")).json["pagination"]["total"] == 2


async def test_the_largest_order_takes_as_many_statements_as_the_smallest(
    conn: Connection, world: World
) -> None:
    await grant(conn, world.acme, 200 * 25 + 10_000 * 2)
    probe = LockProbe()
    probe.watch(conn)
    smallest = CreateBulkBundlesRequest(
        platforms=["tiktok"],
        country="USA",
        accounts_count=1,
        upload_accounts_count=1,
        videos_per_account=1,
        external_ref="small",
    )
    largest = CreateBulkBundlesRequest(
        platforms=["tiktok", "instagram"],
        country="USA",
        accounts_count=100,
        upload_accounts_count=100,
        videos_per_account=50,
        external_ref="large",
    )
    # The first one also has the driver ask for the types of parameters.
    first = replace(smallest, external_ref="first")
    for request, bundles in ((first, 1), (smallest, 1), (largest, 200)):
        async with unit_of_work(conn, world.acme, now=real_now()) as tx:
            made, _ = await create_bundles_bulk(
                tx=tx, actor=SYSTEM, request=request, per_minute=1000
            )
        assert len(made) == bundles

    small, large = probe.transactions[-2:]
    assert large == small
    assert len(large) < 12
    assert probe.faults() == set()
    assert await conn.fetchval("SELECT count(*) FROM slots") == 10_002
    assert await wrong_books(conn) == {}
