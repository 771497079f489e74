"""An operator cancels an order: what ends, what goes back, what is told and noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import (
    claimed,
    events_of,
    ordered,
    posted,
    published,
    published_with_videos,
    set_up,
    video,
    workable,
)
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.errors import BundleNotFoundError, BundleStatusError
from tokportal_server.workbench.doctor import examine

Begin = Callable[[Client, Connection, World, Ports], Awaitable[str]]
REFUNDS = """
SELECT amount, breakdown, reference_kind, reference_id FROM credit_entries
 WHERE workspace_id = $1 AND type = 'refund' ORDER BY ordinal
"""
PROFILE_PARTS = {"account_creation": 25, "niche_warming": 7, "moderation": 25}
WISHES: dict[str, Any] = {
    "wants_niche_warming": True,
    "niche_warming_instructions": "Cats.",
    "wants_moderation": True,
    "edits_quantity": 1,
}


async def being_set_up(alice: Client, _: Connection, __: World, ___: Ports) -> str:
    """An order that nothing was done for: 25 + 7 + 25 + 2 slots of 2 + 1 edit slot of 3."""
    return await ordered(alice, **WISHES)


async def with_an_option(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """The same, of which slot 1 is configured with a paid option and an edit."""
    bundle_id = await being_set_up(alice, conn, world, ports)
    body = video(volume_added_sound=50, editing_instructions="Cut it.")
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", body)).status == 200
    return bundle_id


async def offered(alice: Client, _: Connection, __: World, ___: Ports) -> str:
    """The same, published."""
    return await published(alice, **WISHES)


async def at_work(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """The same, claimed by Mona."""
    bundle_id = await offered(alice, conn, world, ports)
    await claimed(conn, world, ports, bundle_id)
    return bundle_id


async def account_in_review(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """The same, with its account handed in."""
    bundle_id = await at_work(alice, conn, world, ports)
    await set_up(conn, world, ports, bundle_id)
    return bundle_id


async def one_slot_posted(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """Account delivered, slot 1 finalized, slot 2 waiting; no warming."""
    bundle_id = await workable(alice, conn, world, ports, videos=2, edits_quantity=1)
    await posted(conn, world, ports, bundle_id, 1)
    return bundle_id


@pytest.mark.parametrize(
    ("begin", "refund"),
    [
        (being_set_up, PROFILE_PARTS | {"video_slots": 4, "edit_slots": 3, "total": 64}),
        (
            with_an_option,
            PROFILE_PARTS | {"video_slots": 4, "edit_slots": 3, "sound_volume": 1, "total": 65},
        ),
        (offered, PROFILE_PARTS | {"video_slots": 4, "edit_slots": 3, "total": 64}),
        (at_work, PROFILE_PARTS | {"video_slots": 4, "edit_slots": 3, "total": 64}),
        (account_in_review, {"video_slots": 4, "edit_slots": 3, "total": 7}),
        (one_slot_posted, {"video_slots": 2, "edit_slots": 3, "total": 5}),
    ],
)
async def test_gives_back_what_was_paid_and_not_used(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    olga: Office,
    begin: Begin,
    refund: dict[str, int],
) -> None:
    bundle_id = await begin(alice, conn, world, ports)
    before = (await alice.get("/credits/balance")).data["credits"]
    seen = await olga.preview(bundle_id)
    assert seen.refund.breakdown == refund
    assert (await alice.get("/credits/balance")).data["credits"] == before
    done = await olga.cancel(bundle_id)
    assert done.refund == seen.refund
    assert done.credits_remaining == before + refund["total"]
    assert (await alice.get("/credits/balance")).data["credits"] == before + refund["total"]
    assert sum(row["amount"] for row in await conn.fetch(REFUNDS, world.acme)) == refund["total"]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_everything_that_is_not_final_is_cancelled_and_no_deadline_is_left(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=3, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id, 1)
    await posted(conn, world, ports, bundle_id, 2)
    olga.hours = 24 * 6
    await alice.post(f"/bundles/{bundle_id}/videos/1/finalize")
    await olga.cancel(bundle_id)
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["account_status"]) == ("cancelled", "finalized")
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in slots] == ["finalized", "cancelled", "cancelled"]
    assert {slot["review_deadline_at"] for slot in slots} == {None}
    claim = await conn.fetchrow("SELECT status, due_at, reason FROM claims")
    assert claim is not None
    assert tuple(claim) == ("cancelled", None, "Too late.")
    [told] = await events_of(conn, world, "bundle.cancelled")
    assert (told["data"]["previous_status"], told["data"]["status"]) == ("accepted", "cancelled")
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_an_account_in_review_is_cancelled_with_its_order(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await account_in_review(alice, conn, world, ports)
    await olga.cancel(bundle_id)
    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert (profile["status"], profile["review_deadline_at"]) == ("cancelled", None)
    assert [f for f in await examine(conn) if f.contradictions] == []


@pytest.mark.parametrize(("amount", "parts"), [(0, {}), (2, {"video_slots": 2}), (29, None)])
async def test_the_operator_may_name_another_amount(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    olga: Office,
    amount: int,
    parts: dict[str, int] | None,
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    done = await olga.cancel(bundle_id, amount=amount)
    assert done.refund.amount == amount
    assert done.refund.most == 29
    assert done.credits_remaining == CREDITS - 29 + amount
    if parts is not None:
        assert done.refund.breakdown == parts | {"total": amount}
    assert len(await conn.fetch(REFUNDS, world.acme)) == (1 if amount else 0)
    assert [f for f in await examine(conn) if f.contradictions] == []


@pytest.mark.parametrize("amount", [-1, 30])
async def test_refuses_to_give_back_more_than_was_paid(
    alice: Client, conn: Connection, world: World, olga: Office, amount: int
) -> None:
    bundle_id = await ordered(alice)
    with pytest.raises(ValidationError) as refusal:
        await olga.cancel(bundle_id, amount=amount)
    assert refusal.value.details["errors"][0]["field"] == "amount"
    assert "0 to 29" in refusal.value.message
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "pending_setup"
    assert await conn.fetch(REFUNDS, world.acme) == []


async def test_what_was_given_back_before_is_not_given_back_again(
    alice: Client, conn: Connection, olga: Office
) -> None:
    bundle_id = await ordered(alice, videos=3, edits_quantity=3)
    first = await olga.cancel_slot(bundle_id, 2)
    # With two slots left, the third edit slot is of no use to anybody.
    assert first.refund.breakdown == {"video_slots": 2, "edit_slots": 3, "total": 5}
    second = await olga.cancel_slot(bundle_id, 3, amount=1)
    assert second.refund.breakdown == {"video_slots": 1, "total": 1}
    done = await olga.cancel(bundle_id)
    assert done.refund.breakdown == {
        "account_creation": 25,
        "video_slots": 2,
        "edit_slots": 6,
        "total": 33,
    }
    assert done.credits_remaining == CREDITS - 1
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_a_charge_that_was_reversed_does_not_count(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    bundle_id = await ordered(alice)
    reversed_ = await olga.reverse(bundle_id)
    assert reversed_.credits_remaining == CREDITS
    done = await olga.cancel(bundle_id)
    assert (done.refund.amount, done.credits_remaining) == (0, CREDITS)
    again = await published(alice, videos=0)
    assert (await alice.post(f"/bundles/{again}/publish")).code == "BUNDLE_ALREADY_PUBLISHED"
    assert len(await conn.fetch(REFUNDS, world.acme)) == 1
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_notes_who_did_it_and_why(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    bundle_id = await ordered(alice)
    await olga.preview(bundle_id)
    await olga.cancel(bundle_id, reason="A mistake of ours.")
    [row] = await olga.audit()
    assert row == {
        "action": "bundle.cancel",
        "subject_kind": "bundle",
        "subject_id": UUID(bundle_id),
        "actor_kind": "operator",
        "actor_id": world.olga,
        "reason": "A mistake of ours.",
        "details": {
            "refund": {"account_creation": 25, "video_slots": 4, "total": 29},
            "by_rule": True,
        },
    }
    journal = await conn.fetch(
        "SELECT kind, reason, actor_id FROM journal WHERE to_status = 'cancelled'"
    )
    assert sorted(row["kind"] for row in journal) == ["bundle", "profile", "slot", "slot"]
    assert {(row["reason"], row["actor_id"]) for row in journal} == {
        ("A mistake of ours.", world.olga)
    }
    entry = (await alice.get("/credits/history")).data[0]
    assert entry["type"] == "refund"
    assert "A mistake of ours." in entry["description"]
    assert entry["reference"] == {"kind": "bundle", "id": bundle_id}


async def test_the_reference_of_a_cancelled_order_is_free_again(
    alice: Client, olga: Office
) -> None:
    bundle_id = await ordered(alice, external_ref="one")
    await olga.cancel(bundle_id)
    assert await ordered(alice, external_ref="one") != bundle_id


async def test_refuses_what_is_not_there_is_over_or_has_no_reason(
    alice: Client, conn: Connection, olga: Office
) -> None:
    with pytest.raises(BundleNotFoundError):
        await olga.cancel(str(uuid4()))
    bundle_id = await ordered(alice)
    with pytest.raises(ValidationError):
        await olga.cancel(bundle_id, reason=" ")
    await olga.cancel(bundle_id)
    with pytest.raises(BundleStatusError):
        await olga.cancel(bundle_id)
    await olga.archive(bundle_id)
    with pytest.raises(BundleStatusError):
        await olga.cancel(bundle_id)
    assert [f for f in await examine(conn) if f.contradictions] == []
