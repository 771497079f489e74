"""A customer's own cancellation, before a manager has begun (a page of the console)."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from tests.bundles.stages import configured, in_review, reverse_charges, wrong_books
from tests.bundles.traces import events, everything, journal
from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, ordered, published, released, working
from tokportal_server.bundles.errors import BundleAcceptedError
from tokportal_server.bundles.operations.cancel_own_bundle import cancel_own_bundle
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.cancellation import Cancelled
from tokportal_server.orders.errors import BundleNotFoundError, BundleStatusError

PRIORITY = "UPDATE bundles SET status = 'published_priority' WHERE id = $1"
END = "UPDATE bundles SET status = $2 WHERE id = $1"


async def cancel(conn: Connection, world: World, bundle_id: str) -> Cancelled:
    async with working(conn, world) as tx:
        actor = Actor("customer", world.alice)
        return await cancel_own_bundle(tx=tx, actor=actor, bundle_id=UUID(bundle_id))


async def test_everything_that_was_paid_comes_back(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=3, edits_quantity=1, external_ref="crm-7")
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await configured(alice, bundle_id, volume_added_sound=40)
    await alice.post(f"/bundles/{bundle_id}/add-video-slots", {"quantity": 2})
    await alice.post(f"/bundles/{bundle_id}/publish")

    done = await cancel(conn, world, bundle_id)

    assert (done.refund.amount, done.credits_remaining) == (25 + 3 * 2 + 3 + 1 + 2 * 2, CREDITS)
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["account_status"]) == ("cancelled", "cancelled")
    assert bundle["videos_status_counts"] == {"cancelled": 5}
    kind, data = (await events(conn, world.acme))[-1]
    assert (kind, data["previous_status"]) == ("bundle.cancelled", "published")
    assert (await journal(conn, world.acme, bundle_id))[-1] == (
        "bundle",
        "published",
        "cancelled",
    )
    assert await ordered(alice, external_ref="crm-7") != bundle_id
    assert await wrong_books(conn) == {}


async def test_of_a_bulk_order_one_bundle_gives_back_its_own_part(
    alice: Client, conn: Connection, world: World
) -> None:
    body = {
        "platforms": ["tiktok", "instagram"],
        "country": "USA",
        "accounts_count": 2,
        "upload_accounts_count": 1,
        "videos_per_account": 4,
    }
    bundles = (await alice.post("/bundles/bulk", body)).data["bundles"]

    given_back = [(await cancel(conn, world, b["id"])).refund.amount for b in bundles]

    assert given_back == [33, 25, 33, 25]
    assert (await alice.get("/credits/balance")).data["credits"] == CREDITS
    assert await wrong_books(conn) == {}


@pytest.mark.parametrize("stage", ["pending_setup", "published", "published_priority", "released"])
async def test_it_is_possible_until_a_manager_has_done_something(
    alice: Client, conn: Connection, world: World, ports: Ports, stage: str
) -> None:
    bundle_id = await (ordered if stage == "pending_setup" else published)(alice, videos=0)
    if stage == "published_priority":
        await conn.execute(PRIORITY, UUID(bundle_id))
    if stage == "released":
        await claimed(conn, world, ports, bundle_id)
        await released(conn, world, ports, bundle_id)

    assert (await cancel(conn, world, bundle_id)).refund.amount == 25


async def test_charges_that_were_reversed_do_not_come_back_twice(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await reverse_charges(conn, world, bundle_id)

    done = await cancel(conn, world, bundle_id)

    assert (done.refund.amount, done.credits_remaining) == (0, CREDITS)
    assert await wrong_books(conn) == {}


async def test_what_a_manager_has_or_had_in_hand_is_the_operators_to_cancel(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    taken = await published(alice, videos=0)
    await claimed(conn, world, ports, taken)
    offered_again, _ = await in_review(alice, conn, world, ports)
    await released(conn, world, ports, offered_again)
    done, _ = await in_review(alice, conn, world, ports)
    await alice.post(f"/bundles/{done}/account/finalize")
    before = await everything(conn)

    for bundle_id in (taken, offered_again, done):
        with pytest.raises(BundleAcceptedError):
            await cancel(conn, world, bundle_id)
    assert await everything(conn) == before


@pytest.mark.parametrize("status", ["cancelled", "archived"])
async def test_what_has_ended_cannot_be_cancelled(
    alice: Client, conn: Connection, world: World, status: str
) -> None:
    bundle_id = await ordered(alice, videos=0)
    await conn.execute(END, UUID(bundle_id), status)

    with pytest.raises(BundleStatusError):
        await cancel(conn, world, bundle_id)


async def test_a_strangers_bundle_is_not_found(
    charlie: Client, conn: Connection, world: World
) -> None:
    for bundle_id in (await ordered(charlie, videos=0), str(uuid4())):
        with pytest.raises(BundleNotFoundError):
            await cancel(conn, world, bundle_id)


async def test_of_cancelling_and_claiming_at_once_exactly_one_happens(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=0)

    async def cancelled() -> None:
        async with ports.database.connection() as other:
            await cancel(other, world, bundle_id)

    done, claim = await asyncio.gather(
        cancelled(), claimed(conn, world, ports, bundle_id), return_exceptions=True
    )

    assert (done is None) is not (claim is None)
    status = (await alice.get(f"/bundles/{bundle_id}")).data["status"]
    assert status == ("cancelled" if done is None else "accepted")
    assert await wrong_books(conn) == {}
