"""``GET /bundles/{id}/account``."""

from __future__ import annotations

from tests.bundles.stages import delivered, in_review
from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_an_empty_profile_is_pending(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0)
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data

    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data

    assert profile == {
        "id": bundle_id,
        "bundle_id": bundle_id,
        "account_id": bundle["account_id"],
        "status": "pending",
        "username": None,
        "visible_name": None,
        "biography": None,
        "profile_picture_url": None,
        "link_in_bio": None,
        "niche_warming_instructions": None,
        "deviations": [],
        "corrections": [],
        "saved_account_id": None,
        "profile_url": None,
        "configured_at": None,
        "submitted_at": None,
        "review_deadline_at": None,
        "finalized_at": None,
    }


async def test_warming_that_was_ordered_is_in_the_profile_from_the_start(alice: Client) -> None:
    bundle_id = await ordered(
        alice, videos=0, wants_niche_warming=True, niche_warming_instructions="Cats."
    )

    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data

    assert profile["niche_warming_instructions"] == "Cats."


async def test_an_account_in_review_shows_where_to_look_and_until_when(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, account_id = await in_review(alice, conn, world, ports)

    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data

    assert profile["status"] == "in_review"
    assert profile["saved_account_id"] == str(account_id)
    assert profile["profile_url"] == "https://www.tiktok.com/@acme.daily"
    assert profile["submitted_at"] < profile["review_deadline_at"]
    assert (profile["deviations"], profile["finalized_at"]) == ([], None)


async def test_posts_on_a_delivered_account_have_no_profile(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    bundle_id = (await alice.post("/bundles", posts)).data["id"]

    reply = await alice.get(f"/bundles/{bundle_id}/account")

    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_FOUND")


async def test_a_strangers_profile_is_not_found(alice: Client, charlie: Client) -> None:
    bundle_id = await ordered(alice)

    reply = await charlie.get(f"/bundles/{bundle_id}/account")

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")
