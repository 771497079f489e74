"""Which debit gives what back, when an order was paid by several or shares one with others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, ordered, posted, set_up, uploaded, video, working
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.refund_debit import refund_debit
from tokportal_server.workbench.operations.set_price import set_price

REFUNDS = """
SELECT d.business_key, r.amount, r.breakdown, r.reference_kind, r.reference_id
  FROM credit_entries r
  JOIN credit_entries d ON d.workspace_id = r.workspace_id AND d.id = r.refunds_entry_id
 WHERE r.workspace_id = $1 ORDER BY r.ordinal
"""
DEBITS = "SELECT id FROM credit_entries WHERE workspace_id = $1 AND type = 'debit' ORDER BY ordinal"


async def given_back(conn: Connection, world: World) -> list[tuple[str, dict[str, int]]]:
    """Give each refund's debit (the last part of its business key) with its parts."""
    rows = await conn.fetch(REFUNDS, world.acme)
    return [(row["business_key"].split(":")[-1], row["breakdown"]) for row in rows]


async def costs(conn: Connection, world: World, **prices: int) -> None:
    """Have prices changed."""
    for name, amount in prices.items():
        await set_price(conn=conn, actor=world.as_olga, name=name, amount=amount)


async def grown(alice: Client, conn: Connection, world: World) -> str:
    """Two slots and an edit at 2 and 3 credits; then two of each added, at 5 and 7."""
    bundle_id = await ordered(alice, videos=2, edits_quantity=1)
    await costs(conn, world, video_slot=5, edit_slot=7)
    for what in ("video", "edit"):
        reply = await alice.post(f"/bundles/{bundle_id}/add-{what}-slots", {"quantity": 2})
        assert reply.status == 200, reply.body
    await costs(conn, world, video_slot=1, edit_slot=1)
    return bundle_id


async def test_every_debit_gets_its_own_back(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    bundle_id = await grown(alice, conn, world)
    done = await olga.cancel(bundle_id)
    assert done.credits_remaining == CREDITS
    assert await given_back(conn, world) == [
        ("1", {"account_creation": 25, "video_slots": 4, "edit_slots": 3, "total": 32}),
        ("2", {"video_slots": 10, "total": 10}),
        ("3", {"edit_slots": 14, "total": 14}),
    ]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_a_slot_gives_back_what_it_was_sold_at(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    bundle_id = await grown(alice, conn, world)
    assert (await olga.cancel_slot(bundle_id, 2)).refund.breakdown == {"video_slots": 2, "total": 2}
    # Two slots are left for three edits: the one that was bought last is of no use.
    assert (await olga.cancel_slot(bundle_id, 4)).refund.breakdown == {
        "video_slots": 5,
        "edit_slots": 7,
        "total": 12,
    }
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["edits_quantity"], bundle["edits_remaining"]) == (2, 2)
    assert [key for key, _ in await given_back(conn, world)] == ["1", "2", "3"]
    assert (await olga.cancel(bundle_id)).credits_remaining == CREDITS
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_used_slots_and_edits_stay_paid(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await grown(alice, conn, world)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    for position in (1, 3):
        path = await uploaded(conn, world.acme, bundle_id)
        body = video(video_url=path, editing_instructions="Cut it.", volume_added_sound=1)
        put = await alice.put(f"/bundles/{bundle_id}/videos/{position}", body)
        assert put.status == 200, put.body
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await posted(conn, world, ports, bundle_id, 3)
    done = await olga.cancel(bundle_id)
    # Slot 3 with its option and one edit, the oldest bought, was used.
    assert await given_back(conn, world) == [
        ("1", {"video_slots": 4, "total": 4}),
        ("2", {"video_slots": 5, "total": 5}),
        ("3", {"edit_slots": 14, "total": 14}),
        ("sound_volume", {"sound_volume": 1, "total": 1}),
    ]
    assert done.credits_remaining == CREDITS - 25 - 5 - 3 - 1
    assert [f for f in await examine(conn) if f.contradictions] == []


async def bulk(alice: Client, **more: Any) -> list[str]:
    """Order two accounts on each platform at once, one of them with two videos; give the ids."""
    body = {
        "platforms": ["tiktok", "instagram"],
        "country": "USA",
        "accounts_count": 2,
        "upload_accounts_count": 1,
        "videos_per_account": 2,
        **more,
    }
    reply = await alice.post("/bundles/bulk", body)
    assert reply.status == 201, reply.body
    return [bundle["id"] for bundle in reply.data["bundles"]]


async def test_bundles_of_one_debit_give_back_their_own_part(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    bundles = await bulk(alice)
    [debit] = await conn.fetch(DEBITS, world.acme)
    first = await olga.cancel(bundles[0])
    assert first.refund.breakdown == {"account_creation": 25, "video_slots": 4, "total": 29}
    assert (await olga.reverse(bundles[1])).refund.amount == 25
    rows = await conn.fetch(REFUNDS, world.acme)
    assert [(row["reference_kind"], str(row["reference_id"])) for row in rows] == [
        ("bundle", bundles[0]),
        ("bundle", bundles[1]),
    ]
    assert [f for f in await examine(conn) if f.contradictions] == []
    async with working(conn, world) as tx:
        with pytest.raises(ValidationError, match="paid for 4 bundles"):
            await refund_debit(
                tx=tx, actor=world.as_olga, entry_id=debit["id"], amount=1, reason="Sorry."
            )
        await refund_debit(
            tx=tx,
            actor=world.as_olga,
            entry_id=debit["id"],
            amount=3,
            reason="Sorry.",
            bundle_id=UUID(bundles[2]),
        )
    assert (await olga.cancel(bundles[2])).refund.amount == 26
    assert (await olga.cancel(bundles[3])).credits_remaining == CREDITS
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_free_things_give_nothing_back(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    await costs(conn, world, video_slot=0, account_creation=0)
    bundle_id = await ordered(alice, videos=2)
    assert (await olga.cancel_slot(bundle_id, 2)).refund.amount == 0
    assert (await olga.reverse(bundle_id)).refund.amount == 0
    assert (await olga.cancel(bundle_id)).credits_remaining == CREDITS
    assert [f for f in await examine(conn) if f.contradictions] == []
