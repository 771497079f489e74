"""``POST /bundles/{id}/account/finalize``."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tests.bundles.stages import MEDIA_READY, configured, delivered, handed_in, in_review
from tests.bundles.traces import events, everything, journal
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, ordered, published, set_up
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

CLAIM = "SELECT status, due_at FROM claims WHERE bundle_id = $1"
WORKABLE = "SELECT workable_at FROM slots WHERE bundle_id = $1 AND position = 1"


async def test_an_account_alone_is_delivered_and_completes_its_order(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, account_id = await in_review(alice, conn, world, ports, external_ref="crm-7")
    seen = len(await events(conn, world.acme))

    profile = (await alice.post(f"/bundles/{bundle_id}/account/finalize")).data

    assert (profile["status"], profile["review_deadline_at"]) == ("finalized", None)
    assert profile["finalized_at"] is not None
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert account["delivered_at"] == profile["finalized_at"]
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["completed_at"]) == ("completed", profile["finalized_at"])
    told = (await events(conn, world.acme))[seen:]
    assert [kind for kind, _ in told] == ["account.finalized", "bundle.completed"]
    assert told[0][1] == {
        "account_id": profile["account_id"],
        "saved_account_id": str(account_id),
        "bundle_id": bundle_id,
        "external_ref": "crm-7",
        "username": "acme.daily",
        "platform": "tiktok",
        "status": "finalized",
        "previous_status": "in_review",
    }
    assert told[1][1]["previous_status"] == "accepted"
    assert (await journal(conn, world.acme, bundle_id))[-2:] == [
        ("profile", "in_review", "finalized"),
        ("bundle", "accepted", "completed"),
    ]
    assert tuple(await conn.fetchrow(CLAIM, UUID(bundle_id)) or ()) == ("completed", None)


async def test_with_videos_the_account_is_delivered_and_the_slots_become_workable(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await configured(alice, bundle_id)
    await conn.execute(MEDIA_READY, UUID(bundle_id))
    await alice.post(f"/bundles/{bundle_id}/publish")
    await claimed(conn, world, ports, bundle_id)
    account_id = await set_up(conn, world, ports, bundle_id)
    assert await conn.fetchval(WORKABLE, UUID(bundle_id)) is None

    await alice.post(f"/bundles/{bundle_id}/account/finalize")

    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["account_status"]) == ("accepted", "finalized")
    assert (await alice.get(f"/accounts/{account_id}")).data["delivered_at"] is not None
    assert await conn.fetchval(WORKABLE, UUID(bundle_id)) is not None
    claim = await conn.fetchrow(CLAIM, UUID(bundle_id))
    assert claim is not None
    assert claim["status"] == "live"
    assert claim["due_at"] is not None


async def test_deviations_stay_in_the_profile_and_events_name_the_real_account(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    await handed_in(
        conn,
        world,
        ports,
        bundle_id,
        username="acme.daily2",
        visible_name="Acme!",
        profile_url="https://www.tiktok.com/@acme.daily2",
    )
    deviations = [
        {"field": "username", "wanted": "acme.daily", "actual": "acme.daily2"},
        {"field": "visible_name", "wanted": "Acme", "actual": "Acme!"},
    ]
    kind, data = (await events(conn, world.acme))[-1]
    assert (kind, data["username"]) == ("account.in_review", "acme.daily2")
    assert data["deviations"] == deviations

    profile = (await alice.post(f"/bundles/{bundle_id}/account/finalize")).data

    assert profile["deviations"] == deviations
    assert profile["username"] == "acme.daily"
    told = dict(await events(conn, world.acme))
    assert told["account.finalized"]["username"] == "acme.daily2"
    assert (await alice.get(f"/bundles/{bundle_id}")).data["username"] == "acme.daily2"
    account = (await alice.get(f"/accounts/{profile['saved_account_id']}")).data
    assert (account["username"], account["visible_name"]) == ("acme.daily2", "Acme!")


async def test_only_an_account_in_review_can_be_finalized(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    pending = await ordered(alice, videos=0)
    waiting = await published(alice, videos=0)
    corrected, _ = await in_review(alice, conn, world, ports)
    await alice.post(f"/bundles/{corrected}/account/corrections", {"comment": "c"})
    finalized, _ = await in_review(alice, conn, world, ports)
    await alice.post(f"/bundles/{finalized}/account/finalize")
    before = await everything(conn)

    for bundle_id, status in (
        (pending, "pending"),
        (waiting, "published"),
        (corrected, "pending_corrections"),
        (finalized, "finalized"),
    ):
        reply = await alice.post(f"/bundles/{bundle_id}/account/finalize")
        assert (reply.status, reply.code) == (409, "ACCOUNT_INVALID_STATUS")
        assert reply.details == {"current_status": status, "allowed_from": ["in_review"]}
    assert await everything(conn) == before


async def test_of_approval_and_correction_at_once_exactly_one_counts(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)

    replies = await asyncio.gather(
        alice.post(f"/bundles/{bundle_id}/account/finalize"),
        alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "c"}),
    )

    assert sorted(reply.status for reply in replies) == [200, 409]


async def test_posts_have_no_account_to_finalize(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    bundle_id = (await alice.post("/bundles", posts)).data["id"]

    reply = await alice.post(f"/bundles/{bundle_id}/account/finalize")

    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_FOUND")


async def test_a_strangers_account_is_not_found(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)

    reply = await charlie.post(f"/bundles/{bundle_id}/account/finalize")

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


async def test_a_dry_run_shows_the_approval_and_changes_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)
    before = await everything(conn)

    reply = await alice.post(
        f"/bundles/{bundle_id}/account/finalize", headers={"X-TokPortal-Dry-Run": "true"}
    )

    assert reply.data["status"] == "finalized"
    assert await everything(conn) == before
