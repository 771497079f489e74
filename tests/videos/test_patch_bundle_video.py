"""Changing names at any time, description and dates until the post is up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.orders.walk import events_of, in_days, ordered, posted, video, workable
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def patched(client: Client, bundle_id: str, body: Any, position: int = 1) -> Reply:
    """Patch a slot."""
    return await client.call("PATCH", f"/bundles/{bundle_id}/videos/{position}", json=body)


def window(start: int, end: int) -> dict[str, str]:
    """Give a pair of dates in days from today."""
    return {"target_publish_start_date": in_days(start), "target_publish_end_date": in_days(end)}


async def test_changes_what_is_given_and_nothing_else(alice: Client) -> None:
    bundle_id = await ordered(alice)
    before = (
        await alice.put(f"/bundles/{bundle_id}/videos/1", video(name="One", external_ref="r"))
    ).data
    reply = await patched(alice, bundle_id, {"name": "Two", "description": "New words."})
    assert reply.status == 200
    changed = {k: v for k, v in reply.data.items() if v != before[k] and k != "updated_at"}
    assert changed == {"name": "Two", "description": "New words."}
    cleared = await patched(alice, bundle_id, {"name": None, "external_ref": None})
    assert (cleared.data["name"], cleared.data["external_ref"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "first", "last"),
    [
        ({"target_publish_date": in_days(9)}, 9, 10),
        (window(9, 9), 9, 9),
        (window(9, 15), 9, 15),
        (window(5, 11), 5, 11),
    ],
)
async def test_a_window_has_two_days_or_as_many_as_the_pair_says(
    alice: Client, conn: Connection, body: dict[str, str], first: int, last: int
) -> None:
    bundle_id = await ordered(alice)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video(5))
    await conn.execute("UPDATE slots SET date_adjusted = true")
    slot = (await patched(alice, bundle_id, body)).data
    assert slot["target_publish_start_date"] == in_days(first)
    assert slot["target_publish_end_date"] == in_days(last)
    # What was moved once has a new day of the customer's own, unless the first day stays.
    assert slot["date_adjusted"] is (first == 5)


BROKEN: list[tuple[Any, set[str]]] = [
    ({}, {"body"}),
    ({"target_publish_date": None}, {"target_publish_date"}),
    ({"target_publish_date": "soon"}, {"target_publish_date"}),
    ({"target_publish_date": "9999-12-31"}, {"target_publish_date"}),
    ({"target_publish_start_date": in_days(9)}, {"target_publish_end_date"}),
    ({"target_publish_end_date": in_days(9)}, {"target_publish_start_date"}),
    ({"target_publish_date": in_days(9), **window(9, 10)}, {"target_publish_date"}),
    (window(9, 8), {"target_publish_end_date"}),
    (window(9, 16), {"target_publish_end_date"}),
    ({"description": None}, {"description"}),
    ({"description": ""}, {"description"}),
    ({"description": "x" * 2201}, {"description"}),
    ({"name": "x" * 201, "external_ref": 7}, {"name", "external_ref"}),
    ({"name": "A", "video_url": "https://e.example"}, {"video_url"}),
]


async def test_names_every_field_that_breaks_a_rule(alice: Client) -> None:
    bundle_id = await ordered(alice)
    before = (await alice.put(f"/bundles/{bundle_id}/videos/1", video())).data
    for body, fields in BROKEN:
        reply = await patched(alice, bundle_id, body)
        assert reply.status == 400, body
        named = (
            set(reply.details["fields"]) if reply.code == "UNKNOWN_FIELD" else set(reply.problems)
        )
        assert named == fields, body
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data == before


async def test_a_date_keeps_the_rules_of_configuring(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=5)
    for position in (1, 2, 3):
        await alice.put(f"/bundles/{bundle_id}/videos/{position}", video(5))
    await alice.put(f"/bundles/{bundle_id}/videos/4", video(6))
    full = await patched(alice, bundle_id, window(5, 8), 4)
    assert (full.status, full.code) == (400, "VIDEOS_PER_DAY_EXCEEDED")
    assert full.details["field"] == "target_publish_start_date"
    soon = await patched(alice, bundle_id, {"target_publish_date": in_days(2)}, 4)
    assert (soon.code, soon.details["earliest_allowed"]) == ("INVALID_DATE", in_days(3))
    # Its own day is not in its way, and a day given up is free for others.
    assert (await patched(alice, bundle_id, window(5, 9), 1)).status == 200
    assert (await patched(alice, bundle_id, {"target_publish_date": in_days(7)}, 1)).status == 200
    assert (await patched(alice, bundle_id, {"target_publish_date": in_days(5)}, 4)).status == 200


async def test_a_window_that_has_begun_may_be_lengthened_and_is_not_overdue_any_more(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute(
        "UPDATE slots SET target_start = current_date - 2, target_end = current_date - 1,"
        " overdue_at = now()"
    )
    same = await patched(alice, bundle_id, window(-2, -1))
    assert same.data["overdue_at"] is not None
    past = await patched(alice, bundle_id, window(-2, -2))
    assert past.problems.keys() == {"target_publish_end_date"}
    slot = (await patched(alice, bundle_id, window(-2, 4))).data
    assert (slot["overdue_at"], slot["target_publish_end_date"]) == (None, in_days(4))
    # The manager's deadline follows the window.
    due = await conn.fetchval("SELECT due_at FROM claims WHERE status = 'live'")
    midnight = real_now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert due == midnight + timedelta(days=5, hours=ports.settings.slot_claim_hours)
    assert await events_of(conn, world, "video.rescheduled") == []


@pytest.mark.parametrize(
    ("status", "editable"),
    [
        ("pending", True),
        ("configured", True),
        ("published", True),
        ("accepted", True),
        ("in_review", False),
        ("pending_corrections", True),
        ("finalized", False),
        ("cancelled", False),
    ],
)
async def test_names_change_in_any_status_and_the_rest_until_the_post_is_handed_in(
    alice: Client, conn: Connection, status: str, *, editable: bool
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video())
    await conn.execute("UPDATE slots SET status = $1", status)
    assert (await patched(alice, bundle_id, {"name": "N", "external_ref": "E"})).status == 200
    for body in ({"description": "D"}, {"target_publish_date": in_days(6)}, window(6, 7)):
        reply = await patched(alice, bundle_id, body)
        if editable:
            assert reply.status == 200, reply.body
        else:
            assert (reply.status, reply.code) == (400, "VIDEO_NOT_EDITABLE")
            assert reply.details["current_status"] == status


async def test_a_slot_in_corrections_has_its_old_date_still(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    await alice.post(f"/bundles/{bundle_id}/videos/1/corrections", {"comment": "No."})
    reply = await patched(alice, bundle_id, {"description": "Better words."})
    assert (reply.data["status"], reply.data["description"]) == (
        "pending_corrections",
        "Better words.",
    )


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client
) -> None:
    bundle_id = await ordered(alice)
    body = {"name": "N"}
    assert (await patched(bob, bundle_id, body)).code == "AUTH_INSUFFICIENT_SCOPE"
    assert (await patched(charlie, bundle_id, body)).code == "BUNDLE_NOT_FOUND"
    assert (await patched(alice, bundle_id, body, 9)).code == "VIDEO_NOT_FOUND"
