from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, published, workable
from tests.workbench.desk import Desk
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.errors import ClaimNotYoursError


async def test_what_was_not_posted_waits_again_and_everything_else_stays(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=3, auto_finalize_videos=False)
    mona.hours = 24 * 6
    await mona.post(bundle_id, 1)
    await mona.post(bundle_id, 2)
    await alice.post(f"/bundles/{bundle_id}/videos/2/finalize")
    await mona.release(bundle_id, "I am ill.")

    bundle = await conn.fetchrow("SELECT * FROM bundles")
    assert bundle is not None
    assert (bundle["status"], bundle["accepted_at"]) == ("published", None)
    assert bundle["priority_at"] - bundle["updated_at"] == timedelta(hours=24)
    slots = await conn.fetch("SELECT * FROM slots ORDER BY position")
    assert [s["status"] for s in slots] == ["in_review", "finalized", "published"]
    assert (slots[2]["workable_at"], slots[2]["accepted_at"]) == (None, None)
    assert slots[0]["review_deadline_at"] is not None
    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert profile["status"] == "finalized"
    claim = await conn.fetchrow("SELECT * FROM claims")
    assert claim is not None
    assert (claim["status"], claim["reason"], claim["due_at"]) == ("released", "I am ill.", None)
    assert claim["ended_at"] == bundle["updated_at"]
    [event] = await events_of(conn, world, "bundle.released")
    assert (event["data"]["previous_status"], event["data"]["status"]) == ("accepted", "published")


async def test_a_released_order_can_be_claimed_by_somebody_else_and_no_longer_worked_on(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    await mona.release(bundle_id)
    with pytest.raises(ClaimNotYoursError):
        await mona.set_up(bundle_id)
    with pytest.raises(ClaimNotYoursError):
        await mona.release(bundle_id)
    await nora.claim(bundle_id)
    await nora.set_up(bundle_id)
    assert [r["status"] for r in await conn.fetch("SELECT status FROM claims ORDER BY status")] == [
        "live",
        "released",
    ]
    assert await conn.fetchval("SELECT manager_id FROM saved_accounts") == nora.actor.id
    assert len(await events_of(conn, world, "bundle.accepted")) == 2


async def test_only_the_holder_may_release(alice: Client, mona: Desk, nora: Desk) -> None:
    bundle_id = await published(alice, videos=0)
    with pytest.raises(ClaimNotYoursError):
        await nora.release(bundle_id)
    await mona.claim(bundle_id)
    with pytest.raises(ClaimNotYoursError):
        await nora.release(bundle_id)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_a_release_needs_a_reason(alice: Client, mona: Desk, reason: str) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    with pytest.raises(ValidationError, match="reason"):
        await mona.release(bundle_id, reason)
