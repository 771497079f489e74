"""``POST /bundles/{id}/account/corrections``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.bundles.stages import delivered, handed_in, in_review
from tests.bundles.traces import events, everything, journal
from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered, published
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

DUE = "SELECT due_at FROM claims WHERE bundle_id = $1 AND status = 'live'"
FIELDS = {
    "username": "acme.weekly",
    "visible_name": "Acme Inc.",
    "biography": "Shorter, please.",
    "profile_picture": "Use the round logo.",
    "link_in_bio": "https://acme.example",
}


async def test_an_account_in_review_goes_back_with_feedback_by_field(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, account_id = await in_review(alice, conn, world, ports, external_ref="crm-7")
    assert await conn.fetchval(DUE, UUID(bundle_id)) is None

    reply = await alice.post(
        f"/bundles/{bundle_id}/account/corrections",
        {"comment": "Nearly there.", "fields": FIELDS},
    )

    profile = reply.data
    assert (profile["status"], profile["review_deadline_at"]) == ("pending_corrections", None)
    [correction] = profile["corrections"]
    assert correction == {
        "round": 1,
        "comment": "Nearly there.",
        "fields": FIELDS,
        "requested_at": correction["requested_at"],
        "resolved_at": None,
    }
    assert (await alice.get(f"/bundles/{bundle_id}/account")).data == profile
    assert (await events(conn, world.acme))[-1] == (
        "account.pending_corrections",
        {
            "account_id": profile["account_id"],
            "saved_account_id": str(account_id),
            "bundle_id": bundle_id,
            "external_ref": "crm-7",
            "username": "acme.daily",
            "platform": "tiktok",
            "status": "pending_corrections",
            "previous_status": "in_review",
        },
    )
    assert (await journal(conn, world.acme, bundle_id))[-1] == (
        "profile",
        "in_review",
        "pending_corrections",
    )
    # It is the manager's turn again, with a deadline.
    assert await conn.fetchval(DUE, UUID(bundle_id)) is not None
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"


async def test_each_round_is_numbered_and_resolved_by_handing_in_again(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, account_id = await in_review(alice, conn, world, ports)
    for comment in ("One.", "Two."):
        path = f"/bundles/{bundle_id}/account/corrections"
        await alice.post(path, {"comment": comment})
        assert await handed_in(conn, world, ports, bundle_id) == account_id

    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data

    assert profile["status"] == "in_review"
    rounds = profile["corrections"]
    assert [(c["round"], c["comment"], c["fields"]) for c in rounds] == [
        (1, "One.", {}),
        (2, "Two.", {}),
    ]
    assert all(c["resolved_at"] >= c["requested_at"] for c in rounds)


async def test_fields_without_feedback_are_left_out(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)
    fields = {"username": "", "visible_name": None, "biography": "Shorter."}

    profile = (
        await alice.post(
            f"/bundles/{bundle_id}/account/corrections", {"comment": "c", "fields": fields}
        )
    ).data

    assert profile["corrections"][0]["fields"] == {"biography": "Shorter."}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"comment"}),
        ({"comment": ""}, {"comment"}),
        ({"comment": "c" * 2001}, {"comment"}),
        ({"comment": "c", "fields": {"password": "x"}}, {"fields"}),
        ({"comment": "c", "fields": {"biography": 7}}, {"fields.biography"}),
        ({"comment": "c", "fields": ["biography"]}, {"fields"}),
    ],
)
async def test_names_every_field_that_is_wrong(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    body: dict[str, Any],
    fields: set[str],
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)

    reply = await alice.post(f"/bundles/{bundle_id}/account/corrections", body)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields


async def test_a_comment_may_have_two_thousand_characters(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)

    reply = await alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "ü" * 2000})

    assert reply.data["corrections"][0]["comment"] == "ü" * 2000


async def test_only_an_account_in_review_can_be_corrected(
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
        reply = await alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "c"})
        assert (reply.status, reply.code) == (409, "ACCOUNT_INVALID_STATUS")
        assert reply.details == {"current_status": status, "allowed_from": ["in_review"]}
    assert await everything(conn) == before


async def test_posts_have_no_account_to_correct(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    bundle_id = (await alice.post("/bundles", posts)).data["id"]

    reply = await alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "c"})

    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_FOUND")


async def test_a_strangers_account_is_not_found(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)

    reply = await charlie.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "c"})

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


async def test_a_dry_run_shows_the_round_and_changes_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id, _ = await in_review(alice, conn, world, ports)
    before = await everything(conn)

    reply = await alice.post(
        f"/bundles/{bundle_id}/account/corrections",
        {"comment": "c"},
        headers={"X-TokPortal-Dry-Run": "true"},
    )

    assert reply.data["status"] == "pending_corrections"
    assert len(reply.data["corrections"]) == 1
    assert await everything(conn) == before
