"""An operator gives an order's price back while it is being set up; publishing charges it again."""

from __future__ import annotations

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import PROFILE, ordered, published, video
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import BundleStatusError
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.errors import ChargesReversedError

KEYS = (
    "SELECT business_key FROM credit_entries WHERE workspace_id = $1 AND type = $2 ORDER BY ordinal"
)


async def _publish(alice: Client, bundle_id: str) -> dict[str, int]:
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    reply = await alice.post(f"/bundles/{bundle_id}/publish")
    assert reply.status == 200, reply.json
    assert isinstance(reply.json, dict)
    return {name: reply.json[name] for name in ("credits_charged", "credits_remaining")}


async def test_gives_the_whole_price_back_and_publishing_takes_it_again(
    alice: Client, conn: Connection, world: World, olga: Office
) -> None:
    bundle_id = await ordered(alice, videos=2)
    done = await olga.reverse(bundle_id)
    assert done.refund.breakdown == {"account_creation": 25, "video_slots": 4, "total": 29}
    assert done.credits_remaining == CREDITS
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["charge_state"], bundle["cost"]["total"]) == ("reversed", 29)
    assert [f for f in await examine(conn) if f.contradictions] == []
    paid = await _publish(alice, bundle_id)
    assert paid == {"credits_charged": 29, "credits_remaining": CREDITS - 29}
    assert (await alice.get(f"/bundles/{bundle_id}")).data["charge_state"] == "paid"
    debits = [row["business_key"] for row in await conn.fetch(KEYS, world.acme, "debit")]
    assert debits == [f"bundle:{bundle_id}:charge:{n}" for n in (1, 2)]
    assert [f for f in await examine(conn) if f.contradictions] == []
    cancelled = await olga.cancel(bundle_id)
    assert cancelled.credits_remaining == CREDITS
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_options_stay_paid_and_a_cancelled_slot_is_not_sold_again(
    alice: Client, conn: Connection, olga: Office
) -> None:
    bundle_id = await ordered(alice, videos=3)
    paid_extra = video(volume_added_sound=1)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", paid_extra)).status == 200
    await olga.cancel_slot(bundle_id, 3)
    done = await olga.reverse(bundle_id)
    assert (done.refund.amount, done.credits_remaining) == (29, CREDITS - 1)
    paid = await _publish(alice, bundle_id)
    assert paid == {"credits_charged": 29, "credits_remaining": CREDITS - 30}
    cost = (await alice.get(f"/bundles/{bundle_id}")).data["cost"]
    assert (cost["total"], cost["breakdown"]["video_slots"]) == (29, 4)
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_refuses_a_second_time_a_published_order_and_no_reason(
    alice: Client, conn: Connection, olga: Office
) -> None:
    bundle_id = await ordered(alice)
    with pytest.raises(ValidationError):
        await olga.reverse(bundle_id, reason="")
    await olga.reverse(bundle_id)
    with pytest.raises(ChargesReversedError):
        await olga.reverse(bundle_id)
    out = await published(alice, videos=0)
    with pytest.raises(BundleStatusError):
        await olga.reverse(out)
    assert [row["action"] for row in await olga.audit()] == ["bundle.reverse_charges"]
    assert [f for f in await examine(conn) if f.contradictions] == []
