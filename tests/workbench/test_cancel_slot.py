"""An operator takes slots out of an order; those that stay empty for 60 days go by themselves."""

from __future__ import annotations

from datetime import timedelta

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
from tests.workbench.test_deadlines import later, sweep
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.errors import SlotTransitionError, VideoNotFoundError
from tokportal_server.workbench.doctor import examine

DAYS = 24


async def test_gives_back_the_slots_price_and_its_options(
    alice: Client, conn: Connection, olga: Office
) -> None:
    bundle_id = await ordered(alice, videos=2)
    body = video(volume_added_sound=1, volume_original_sound=1)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", body)).status == 200
    done = await olga.cancel_slot(bundle_id, 1)
    assert done.refund.breakdown == {"video_slots": 2, "sound_volume": 1, "total": 3}
    assert done.credits_remaining == CREDITS - 27
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot["status"] == "cancelled"
    kinds = [
        (e["amount"], e["reference"]["kind"]) for e in (await alice.get("/credits/history")).data
    ]
    assert kinds[:2] == [(1, "video"), (2, "bundle")]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_an_edit_slot_of_a_cancelled_slot_is_free_for_another(
    alice: Client, olga: Office
) -> None:
    bundle_id = await ordered(alice, videos=2, edits_quantity=1)
    edited = video(editing_instructions="Cut it.")
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", edited)).status == 200
    done = await olga.cancel_slot(bundle_id, 1)
    assert done.refund.breakdown == {"video_slots": 2, "total": 2}
    assert (await alice.get(f"/bundles/{bundle_id}")).data["edits_remaining"] == 1
    assert (await alice.put(f"/bundles/{bundle_id}/videos/2", edited)).status == 200


async def test_a_slot_that_was_in_review_gives_nothing_back_unless_the_operator_says_so(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=3, auto_finalize_videos=False)
    for position in (1, 2):
        await posted(conn, world, ports, bundle_id, position)
    assert (await olga.cancel_slot(bundle_id, 1)).refund.amount == 0
    with pytest.raises(ValidationError):
        await olga.cancel_slot(bundle_id, 2, amount=3)
    assert (await olga.cancel_slot(bundle_id, 2, amount=2)).refund.amount == 2
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in slots] == ["cancelled", "cancelled", "accepted"]
    assert {slot["review_deadline_at"] for slot in slots} == {None}
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_completes_an_order_of_which_nothing_else_is_open(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await posted(conn, world, ports, bundle_id, 1)
    await olga.cancel_slot(bundle_id, 2)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
    [told] = await events_of(conn, world, "bundle.completed")
    assert told["data"]["bundle_id"] == bundle_id
    assert await conn.fetchval("SELECT status FROM claims") == "completed"


async def test_an_order_without_any_post_is_not_completed_by_it(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await olga.cancel_slot(bundle_id, 1)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"
    done = await olga.cancel(bundle_id)
    assert done.refund.amount == 0
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "cancelled"


async def test_the_claims_deadline_is_that_of_the_slots_that_are_left(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await conn.execute("UPDATE slots SET target_end = target_end + 3 WHERE position = 2")
    first = await conn.fetchval("SELECT due_at FROM claims")
    await olga.cancel_slot(bundle_id, 1)
    assert await conn.fetchval("SELECT due_at FROM claims") == first + timedelta(days=3)


async def test_refuses_a_slot_that_is_not_there_or_over(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await posted(conn, world, ports, bundle_id, 1)
    with pytest.raises(SlotTransitionError):
        await olga.cancel_slot(bundle_id, 1)
    with pytest.raises(VideoNotFoundError):
        await olga.cancel_slot(bundle_id, 3)
    with pytest.raises(ValidationError):
        await olga.cancel_slot(bundle_id, 2, reason="")
    await olga.cancel_slot(bundle_id, 2)
    with pytest.raises(SlotTransitionError):
        await olga.cancel_slot(bundle_id, 2)
    assert [row["action"] for row in await olga.audit()] == ["slot.cancel"]


async def test_slots_that_stay_empty_for_sixty_days_are_cancelled_and_refunded(
    alice: Client, conn: Connection, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=3, edits_quantity=2)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/2", video())).status == 200
    assert await sweep(conn, ports, later(60 * DAYS - 1)) == []
    assert await sweep(conn, ports, later(60 * DAYS)) == ["idle"]
    assert await sweep(conn, ports, later(60 * DAYS)) == []
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in slots] == ["cancelled", "configured", "cancelled"]
    entry = (await alice.get("/credits/history")).data[0]
    assert (entry["type"], entry["breakdown"]) == (
        "refund",
        {"video_slots": 4, "edit_slots": 3, "total": 7},
    )
    journal = await conn.fetch(
        "SELECT actor_kind, reason FROM journal WHERE to_status = 'cancelled'"
    )
    assert {tuple(row) for row in journal} == {("system", "no content for 60 days")}
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_the_sixty_days_begin_with_the_orders_last_change_of_status(
    alice: Client, conn: Connection, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await conn.execute("UPDATE slots SET updated_at = updated_at - interval '90 days'")
    await conn.execute("UPDATE bundles SET moved_at = moved_at - interval '59 days'")
    assert await sweep(conn, ports, later(0)) == []
    profile = {"username": "acme.daily", "visible_name": "Acme", "biography": "Every day."}
    assert (await alice.put(f"/bundles/{bundle_id}/account", profile)).status == 200
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    moved = await conn.fetchval("SELECT moved_at FROM bundles")
    assert abs(moved - real_now()) < timedelta(minutes=5)
    assert await sweep(conn, ports, later(24)) == ["priority"]
    assert await sweep(conn, ports, later(24 + 60 * DAYS - 1)) == []
    assert await sweep(conn, ports, later(24 + 60 * DAYS)) == ["idle"]


async def test_a_slot_that_was_added_late_has_sixty_days_of_its_own(
    alice: Client, conn: Connection, ports: Ports
) -> None:
    await published(alice, videos=2)
    await conn.execute(
        "UPDATE slots SET updated_at = updated_at - interval '61 days' WHERE position = 1"
    )
    await conn.execute(
        "UPDATE bundles SET moved_at = moved_at - interval '61 days', priority_at = NULL"
    )
    assert await sweep(conn, ports, later(0)) == ["idle"]
    rows = await conn.fetch("SELECT status FROM slots ORDER BY position")
    assert [row["status"] for row in rows] == ["cancelled", "pending"]
