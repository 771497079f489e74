"""``POST`` and ``GET /accounts/{id}/edit-request``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.accounts.revealing import PROFILE_CHANGE, balance, owned
from tests.bundles.stages import SET_ACCOUNT, delivered, in_review, wrong_books
from tests.bundles.test_configure_bundle_account import uploaded
from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

LEAVE = "UPDATE saved_accounts SET manager_id = NULL WHERE id = $1"
SPEND = "UPDATE credit_lots SET remaining = 7 WHERE workspace_id = $1"


async def test_a_request_is_charged_and_waits_for_the_manager(
    alice: Client, bob: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    before = await balance(alice)

    reply = await alice.post(
        f"/accounts/{account_id}/edit-request",
        {**PROFILE_CHANGE, "requested_biography": "Every week."},
    )

    assert reply.status == 201
    assert reply.data == {
        "id": reply.data["id"],
        "edit_request_id": reply.data["id"],
        "account_id": str(account_id),
        "status": "pending",
        "requested_username": "acme.weekly",
        "requested_visible_name": "Acme Weekly",
        "requested_biography": "Every week.",
        "requested_profile_picture_url": None,
        "requested_link_in_bio": None,
        "reason": None,
        "created_at": reply.data["created_at"],
        "completed_at": None,
    }
    assert (reply.json["credits_charged"], reply.json["credits_remaining"]) == (8, before - 8)
    assert reply.json["cost_breakdown"] == {"account_edit": 8, "total": 8}
    assert (await bob.get(f"/accounts/{account_id}/edit-request")).data == reply.data
    assert await wrong_books(conn) == {}


async def test_without_a_request_there_is_none_to_read(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    _, account_id = await in_review(alice, conn, world, ports)
    reply = await alice.get(f"/accounts/{account_id}/edit-request")
    assert (reply.status, reply.json) == (200, {"data": None})


async def test_one_request_of_an_account_is_active_at_a_time(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    path = f"/accounts/{account_id}/edit-request"
    first = await alice.post(path, PROFILE_CHANGE)

    second = await alice.post(path, PROFILE_CHANGE)

    assert (second.status, second.code) == (409, "EDIT_REQUEST_ALREADY_ACTIVE")
    assert second.details == {"edit_request_id": first.data["id"]}


async def test_nobody_is_asked_where_there_is_no_manager(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await conn.execute(LEAVE, account_id)

    reply = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)

    assert (reply.status, reply.code) == (400, "EDIT_REQUEST_NO_CM")


async def test_an_account_in_review_has_corrections_instead(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    _, account_id = await in_review(alice, conn, world, ports)
    reply = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)
    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_DELIVERED")


@pytest.mark.parametrize("status", ["banned", "detached"])
async def test_an_account_that_is_lost_is_not_changed(
    alice: Client, conn: Connection, world: World, ports: Ports, status: str
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await conn.execute(SET_ACCOUNT, account_id, status)

    reply = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)

    assert (reply.status, reply.code) == (409, "SAVED_ACCOUNT_UNAVAILABLE")
    assert reply.details == {"field": "id", "reason": status}


async def test_too_few_credits_change_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await conn.execute(SPEND, world.acme)

    reply = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)

    assert (reply.status, reply.code, reply.details["missing"]) == (402, "INSUFFICIENT_CREDITS", 1)
    assert (await alice.get(f"/accounts/{account_id}/edit-request")).data is None


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"requested_username": "has blanks"}, {"requested_username"}),
        ({"requested_username": "x" * 25}, {"requested_username"}),
        ({"requested_visible_name": ""}, {"requested_visible_name"}),
        ({"requested_biography": "x" * 81}, {"requested_biography"}),
        ({"requested_link_in_bio": "no address"}, {"requested_link_in_bio"}),
        ({"requested_link_in_bio": "https://example.com"}, {"requested_link_in_bio"}),
        (
            {"requested_profile_picture_url": "http://127.0.0.1:1/x.png#\n"},
            {"requested_profile_picture_url"},
        ),
    ],
)
async def test_what_a_profile_cannot_have_is_named(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    wrong: dict[str, Any],
    fields: set[str],
) -> None:
    account_id = await owned(alice, conn, world, ports)

    reply = await alice.post(f"/accounts/{account_id}/edit-request", {**PROFILE_CHANGE, **wrong})

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields


async def test_both_names_are_required(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    reply = await alice.post(f"/accounts/{account_id}/edit-request", {})
    assert set(reply.problems) == {"requested_username", "requested_visible_name"}


async def test_an_instagram_account_may_have_a_link(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    await conn.execute("UPDATE saved_accounts SET platform = 'instagram' WHERE id = $1", account_id)
    link = {"requested_link_in_bio": "https://example.com/shop"}

    reply = await alice.post(f"/accounts/{account_id}/edit-request", {**PROFILE_CHANGE, **link})

    assert reply.data["requested_link_in_bio"] == "https://example.com/shop"


async def test_an_uploaded_picture_is_shown_by_its_address(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    upload = await uploaded(alice, await ordered(alice, videos=0))
    picture = {"requested_profile_picture_url": upload["storage_path"]}

    reply = await alice.post(f"/accounts/{account_id}/edit-request", {**PROFILE_CHANGE, **picture})

    assert reply.data["requested_profile_picture_url"] == upload["public_url"]


async def test_a_picture_that_is_not_there_is_named(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    picture = {"requested_profile_picture_url": f"{world.other}/nothing"}

    reply = await alice.post(f"/accounts/{account_id}/edit-request", {**PROFILE_CHANGE, **picture})

    assert (reply.status, reply.code) == (400, "MEDIA_NOT_FOUND")
    assert reply.details["field"] == "requested_profile_picture_url"
