"""``PATCH /bundles/{id}``."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.bundles.stages import delivered
from tests.bundles.traces import events, everything
from tests.cast import World
from tests.client import Client, Reply
from tests.orders.walk import ordered, published
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

CANCEL = "UPDATE bundles SET status = 'cancelled', cancelled_at = now() WHERE id = $1"
DRY = {"X-TokPortal-Dry-Run": "true"}


async def patch(client: Client, bundle_id: str, body: Any, **more: Any) -> Reply:
    return await client.call("PATCH", f"/bundles/{bundle_id}", json=body, **more)


async def test_changes_what_it_names_and_nothing_else(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, title="Old", external_ref="crm-1")
    before = (await alice.get(f"/bundles/{bundle_id}")).data
    told = await events(conn, world.acme)

    titled = (await patch(alice, bundle_id, {"title": "New"})).data
    manual = (await patch(alice, bundle_id, {"auto_finalize_videos": False})).data
    renamed = (await patch(alice, bundle_id, {"external_ref": "crm-2"})).data

    assert titled == {**before, "title": "New", "updated_at": titled["updated_at"]}
    assert titled["updated_at"] > before["updated_at"]
    assert (manual["auto_finalize_videos"], manual["review_mode"]) == (False, "manual")
    assert (renamed["external_ref"], renamed["title"]) == ("crm-2", "New")
    assert (await alice.get(f"/bundles/{bundle_id}")).data == renamed
    assert await events(conn, world.acme) == told


@pytest.mark.parametrize("nothing", [None, ""])
async def test_null_takes_title_and_reference_away(alice: Client, nothing: str | None) -> None:
    bundle_id = await ordered(alice, title="Old", external_ref="crm-1")

    bundle = (await patch(alice, bundle_id, {"title": nothing, "external_ref": nothing})).data

    assert (bundle["title"], bundle["external_ref"]) == (None, None)
    assert await ordered(alice, external_ref="crm-1") != bundle_id


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"body"}),
        ({"title": "x" * 201}, {"title"}),
        ({"title": 7, "external_ref": "x" * 201}, {"title", "external_ref"}),
        ({"auto_finalize_videos": None}, {"auto_finalize_videos"}),
        ({"auto_finalize_videos": "yes"}, {"auto_finalize_videos"}),
    ],
)
async def test_names_every_field_that_is_wrong(
    alice: Client, body: dict[str, Any], fields: set[str]
) -> None:
    bundle_id = await ordered(alice)

    reply = await patch(alice, bundle_id, body)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields


async def test_a_field_that_does_not_exist_is_refused(alice: Client) -> None:
    reply = await patch(alice, await ordered(alice), {"videos_quantity": 3})

    assert (reply.status, reply.code) == (400, "UNKNOWN_FIELD")


async def test_a_reference_that_is_taken_is_refused(alice: Client, conn: Connection) -> None:
    first = await ordered(alice, videos=0, external_ref="crm-1")
    second = await ordered(alice, videos=0, external_ref="crm-2")
    before = await everything(conn)

    reply = await patch(alice, second, {"external_ref": "crm-1", "title": "x"})

    assert (reply.status, reply.code) == (409, "DUPLICATE_EXTERNAL_REF")
    assert reply.details["existing_bundle_id"] == first
    assert await everything(conn) == before
    assert (await patch(alice, first, {"external_ref": "crm-1"})).status == 200


async def test_a_reference_is_free_where_no_live_account_bundle_has_it(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    first, second = [(await alice.post("/bundles", posts)).data["id"] for _ in range(2)]
    gone = await ordered(alice, videos=0, external_ref="r")
    await conn.execute(CANCEL, UUID(gone))
    await ordered(charlie, videos=0, external_ref="r")

    for bundle_id in (await ordered(alice, videos=0), first, second, gone):
        assert (await patch(alice, bundle_id, {"external_ref": "r"})).status == 200


async def test_of_two_bundles_that_want_one_reference_at_once_one_gets_it(alice: Client) -> None:
    bundles = [await ordered(alice, videos=0) for _ in range(3)]

    replies = await asyncio.gather(*(patch(alice, b, {"external_ref": "one"}) for b in bundles))

    assert sorted(reply.status for reply in replies) == [200, 409, 409]


async def test_settings_can_be_changed_whatever_the_bundle_does(alice: Client) -> None:
    bundle_id = await published(alice, videos=0)

    assert (await patch(alice, bundle_id, {"title": "Live"})).data["status"] == "published"


async def test_a_strangers_bundle_is_forbidden_and_untouched(
    alice: Client, charlie: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice)
    before = await everything(conn)

    reply = await patch(charlie, bundle_id, {"title": "Mine"})

    assert (reply.status, reply.code) == (403, "BUNDLE_NOT_OWNED")
    assert await everything(conn) == before
    nobodys = await patch(charlie, "6f1c7f3e-0000-4000-9000-000000000001", {"title": "x"})
    assert (nobodys.status, nobodys.code) == (404, "BUNDLE_NOT_FOUND")


async def test_a_dry_run_shows_the_change_and_makes_none(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, title="Old")
    before = await everything(conn)

    reply = await patch(alice, bundle_id, {"title": "New"}, headers=DRY)

    assert reply.data["title"] == "New"
    assert await everything(conn) == before
