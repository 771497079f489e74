"""``GET /bundles/{id}``."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.bundles.stages import configured, delivered, in_review
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, ordered
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_counts_slots_by_status_and_what_is_left_of_the_edits(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=3, edits_quantity=2)
    await configured(alice, bundle_id, 1)
    await configured(alice, bundle_id, 2, editing_instructions="Cut the first second.")

    bundle = (await alice.get(f"/bundles/{bundle_id}")).data

    assert bundle["videos_status_counts"] == {"pending": 1, "configured": 2}
    assert bundle["videos_configured_count"] == 2
    assert (bundle["edits_quantity"], bundle["edits_remaining"]) == (2, 1)


async def test_shows_the_wanted_username_until_there_is_an_account(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0)
    empty = (await alice.get(f"/bundles/{bundle_id}")).data
    await alice.put(f"/bundles/{bundle_id}/account", {**PROFILE, "username": "wanted"})
    wanted = (await alice.get(f"/bundles/{bundle_id}")).data

    assert (empty["username"], empty["account_configured"]) == (None, False)
    assert (wanted["username"], wanted["account_configured"]) == ("wanted", True)
    assert wanted["updated_at"] > empty["updated_at"]


async def test_every_step_of_an_order_shows_in_the_bundle(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, account_id = await in_review(alice, conn, world, ports)
    review = (await alice.get(f"/bundles/{bundle_id}")).data
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    done = (await alice.get(f"/bundles/{bundle_id}")).data

    assert (review["status"], review["account_status"]) == ("accepted", "in_review")
    assert review["saved_account_id"] == str(account_id)
    assert review["is_published"] is True
    assert review["published_at"] <= review["accepted_at"]
    assert review["completed_at"] is None
    assert (done["status"], done["account_status"]) == ("completed", "finalized")
    assert done["completed_at"] >= done["accepted_at"]
    assert done["updated_at"] >= done["completed_at"]


async def test_posts_on_an_account_show_its_name(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {
        "bundle_type": "videos_only",
        "videos_quantity": 1,
        "account_id": str(account_id),
    }
    bundle_id = (await alice.post("/bundles", posts)).data["id"]

    bundle = (await alice.get(f"/bundles/{bundle_id}")).data

    assert (bundle["username"], bundle["account_status"]) == ("acme.daily", None)


async def test_a_read_only_key_may_look(alice: Client, bob: Client) -> None:
    bundle_id = await ordered(alice)

    assert (await bob.get(f"/bundles/{bundle_id}")).data["id"] == bundle_id


@pytest.mark.parametrize("whose", ["nobody's", "Alice's"])
async def test_what_is_not_the_workspaces_is_not_found(
    alice: Client, charlie: Client, whose: str
) -> None:
    bundle_id = await ordered(alice) if whose == "Alice's" else str(uuid4())

    reply = await charlie.get(f"/bundles/{bundle_id}")

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")
    assert bundle_id in reply.json["error"]["message"]
