"""Sending a post back to its manager, round after round."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, ordered, posted, workable
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

DUE = "SELECT due_at FROM claims WHERE status = 'live'"


async def test_each_round_has_its_comment_and_fields_and_the_manager_gets_time(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    path = f"/bundles/{bundle_id}/videos/1"
    await posted(conn, world, ports, bundle_id)
    assert await conn.fetchval(DUE) is None
    first = await alice.post(
        f"{path}/corrections",
        {"comment": "Louder.", "fields": {"sound": "twice as loud", "video": None}},
    )
    assert (first.status, first.data["status"]) == (200, "pending_corrections")
    assert first.data["review_deadline_at"] is None
    [asked] = first.data["corrections"]
    assert (asked["round"], asked["comment"], asked["fields"], asked["resolved_at"]) == (
        1,
        "Louder.",
        {"sound": "twice as loud"},
        None,
    )
    due = await conn.fetchval(DUE)
    requested = await conn.fetchval("SELECT requested_at FROM corrections")
    assert due == requested + timedelta(hours=ports.settings.slot_claim_hours)

    await posted(conn, world, ports, bundle_id, days=6)
    second = await alice.post(f"{path}/corrections", {"comment": "Still not."})
    rounds = second.data["corrections"]
    assert [(r["round"], r["comment"], r["resolved_at"] is None) for r in rounds] == [
        (1, "Louder.", False),
        (2, "Still not.", True),
    ]
    told = await events_of(conn, world, "video.pending_corrections")
    assert [event["data"]["previous_status"] for event in told] == ["in_review", "in_review"]


async def test_only_a_post_in_review_can_be_sent_back(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=1)
    path = f"/bundles/{bundle_id}/videos/1/corrections"
    for status in ("pending", "configured", "published", "accepted", "finalized", "cancelled"):
        await conn.execute("UPDATE slots SET status = $1", status)
        reply = await alice.post(path, {"comment": "No."})
        assert (reply.status, reply.code) == (409, "INVALID_STATUS_TRANSITION")
        assert reply.details == {"current_status": status, "allowed_from": ["in_review"]}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"comment"}),
        ({"comment": ""}, {"comment"}),
        ({"comment": "x" * 2001}, {"comment"}),
        ({"comment": "No.", "fields": {"sound": 7}}, {"fields.sound"}),
        ({"comment": "No.", "fields": {"colour": "red"}}, {"fields"}),
    ],
)
async def test_names_what_is_wrong_with_a_request(
    alice: Client, body: dict[str, Any], fields: set[str]
) -> None:
    bundle_id = await ordered(alice, videos=1)
    reply = await alice.post(f"/bundles/{bundle_id}/videos/1/corrections", body)
    assert reply.status == 400
    assert set(reply.problems) == fields


async def test_the_same_idempotency_key_asks_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    sent: dict[str, Any] = {"json": {"comment": "No."}, "headers": {"Idempotency-Key": "once"}}
    path = f"/bundles/{bundle_id}/videos/1/corrections"
    first, second = await alice.post(path, **sent), await alice.post(path, **sent)
    assert second.body == first.body
    assert await conn.fetchval("SELECT count(*) FROM corrections") == 1
