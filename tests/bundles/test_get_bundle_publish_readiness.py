"""``GET /bundles/{id}/publish-readiness``.

That publish refuses with the same blockers in the same order is shown by its own tests.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.bundles.stages import (
    FETCH_FAILED,
    MEDIA_READY,
    PICTURE_FAILED,
    SET_ACCOUNT,
    STALE,
    configured,
    delivered,
    pause,
    reverse_charges,
)
from tests.bundles.traces import everything
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, ordered, published
from tokportal_server.entry.operations import all_operations
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

SET_STATUS = "UPDATE bundles SET status = $2 WHERE id = $1"
SET_CREDITS = "UPDATE credit_lots SET remaining = $2, amount = $2 WHERE workspace_id = $1"
OPERATIONS = {op.operation_id: (op.method, op.path) for op in all_operations()}
PICTURED = {**PROFILE, "profile_picture_url": "https://media.example.com/me.jpg"}


async def readiness(alice: Client, bundle_id: str) -> Any:
    """Ask, and check that every way out is a call that exists, or somebody else's to take."""
    found = (await alice.get(f"/bundles/{bundle_id}/publish-readiness")).data
    assert found["ready"] is (found["blockers"] == [])
    for item in (*found["blockers"], *found["warnings"]):
        resolve = item["resolve"]
        assert item["message"]
        if resolve["who"] != "customer":
            assert set(resolve) == {"who"}
            continue
        method, template = OPERATIONS[resolve["operation_id"]]
        assert resolve["method"] == method
        assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), resolve["path"])
    return found


def codes(items: list[dict[str, Any]]) -> list[str]:
    return [item["code"] for item in items]


async def test_a_bundle_with_all_that_it_needs_is_ready(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)

    found = await readiness(alice, bundle_id)

    assert (found["ready"], codes(found["warnings"])) == (True, ["NO_PROFILE_PICTURE"])


async def test_lists_every_blocker_of_an_account_order_at_once(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=3)
    for position in (1, 2, 3):
        await configured(alice, bundle_id, position)
    for position in (1, 3):
        await conn.execute(FETCH_FAILED, UUID(bundle_id), position)
    await pause(conn, "all", reason="fraud wave")
    await reverse_charges(conn, world, bundle_id)
    await conn.execute(SET_CREDITS, world.acme, 30)

    blockers = (await readiness(alice, bundle_id))["blockers"]

    assert codes(blockers) == [
        "PUBLISHING_PAUSED",
        "ACCOUNT_NOT_CONFIGURED",
        "MEDIA_FAILED",
        "MEDIA_FAILED",
        "CHARGES_REVERSED",
    ]
    paused, profile, first, third, charges = blockers
    assert paused["resolve"] == charges["resolve"] == {"who": "operator"}
    assert "fraud wave" in paused["message"]
    assert profile["resolve"]["path"] == f"/bundles/{bundle_id}/account"
    assert (first["position"], third["position"]) == (1, 3)
    assert third["resolve"] == {
        "who": "customer",
        "operation_id": "configureBundleVideo",
        "method": "PUT",
        "path": f"/bundles/{bundle_id}/videos/3",
    }
    assert "no such host" in first["message"]
    assert "31 credits" in charges["message"]


async def test_lists_every_blocker_of_posts_at_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    body = {"bundle_type": "videos_only", "videos_quantity": 2, "account_id": str(account_id)}
    bundle_id = (await alice.post("/bundles", body)).data["id"]
    await conn.execute(SET_ACCOUNT, account_id, "detached")
    await pause(conn, "account", account_id)
    await reverse_charges(conn, world, bundle_id)
    await conn.execute(SET_CREDITS, world.acme, 3)

    blockers = (await readiness(alice, bundle_id))["blockers"]

    assert codes(blockers) == [
        "SAVED_ACCOUNT_UNAVAILABLE",
        "PUBLISHING_PAUSED",
        "NO_VIDEOS_CONFIGURED",
        "CHARGES_REVERSED",
    ]
    assert "detached" in blockers[0]["message"]
    assert blockers[2]["position"] == 1


async def test_names_the_fields_that_the_profile_lacks(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0)
    await alice.put(
        f"/bundles/{bundle_id}/account", {"username": "acme", "visible_name": "A", "biography": ""}
    )

    [blocker] = (await readiness(alice, bundle_id))["blockers"]

    assert (blocker["code"], blocker["fields"]) == ("ACCOUNT_MISSING_FIELDS", ["biography"])
    assert "biography" in blocker["message"]


async def test_reversed_charges_that_can_be_paid_are_no_blocker(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=0)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await reverse_charges(conn, world, bundle_id)
    await conn.execute(SET_CREDITS, world.acme, 25)
    assert (await readiness(alice, bundle_id))["ready"] is True

    await conn.execute(SET_CREDITS, world.acme, 24)
    assert codes((await readiness(alice, bundle_id))["blockers"]) == ["CHARGES_REVERSED"]


async def test_a_picture_is_warned_of_while_it_is_fetched_and_blocks_when_it_failed(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=0)
    await alice.put(f"/bundles/{bundle_id}/account", PICTURED)

    fetching = await readiness(alice, bundle_id)
    await conn.execute(PICTURE_FAILED, UUID(bundle_id))
    failed = await readiness(alice, bundle_id)

    assert fetching["ready"] is True
    assert [(w["code"], w["field"]) for w in fetching["warnings"]] == [
        ("MEDIA_FETCHING", "profile_picture_url")
    ]
    assert [(b["code"], b["field"]) for b in failed["blockers"]] == [
        ("MEDIA_FAILED", "profile_picture_url")
    ]


async def test_warns_of_everything_that_publishing_will_do_differently(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=3)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await configured(alice, bundle_id, 1)
    await conn.execute(MEDIA_READY, UUID(bundle_id))
    await conn.execute(STALE, UUID(bundle_id), real_now().date() + timedelta(days=2))
    await configured(alice, bundle_id, 2)

    found = await readiness(alice, bundle_id)

    assert found["ready"] is True
    assert [(w["code"], w.get("position")) for w in found["warnings"]] == [
        ("NO_PROFILE_PICTURE", None),
        ("MEDIA_FETCHING", 2),
        ("STALE_DATES", 1),
    ]


@pytest.mark.parametrize(
    ("status", "code", "way_out"),
    [
        ("published", "BUNDLE_ALREADY_PUBLISHED", "unpublishBundle"),
        ("published_priority", "BUNDLE_ALREADY_PUBLISHED", "unpublishBundle"),
        ("accepted", "BUNDLE_ALREADY_PUBLISHED", "publishAllBundleVideos"),
        ("completed", "BUNDLE_ALREADY_PUBLISHED", "createBundle"),
        ("cancelled", "BUNDLE_INVALID_STATUS", "createBundle"),
        ("archived", "BUNDLE_INVALID_STATUS", "createBundle"),
    ],
)
async def test_past_its_set_up_only_the_status_counts(
    alice: Client, conn: Connection, status: str, code: str, way_out: str
) -> None:
    bundle_id = await published(alice, videos=2)
    await conn.execute(SET_STATUS, UUID(bundle_id), status)
    await pause(conn, "all")

    found = await readiness(alice, bundle_id)

    [blocker] = found["blockers"]
    assert (blocker["code"], found["warnings"]) == (code, [])
    assert blocker["resolve"]["operation_id"] == way_out


async def test_asking_changes_nothing(alice: Client, bob: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=2)
    before = await everything(conn)

    assert (await bob.get(f"/bundles/{bundle_id}/publish-readiness")).data["ready"] is False
    assert await everything(conn) == before


async def test_a_strangers_bundle_is_not_found(alice: Client, charlie: Client) -> None:
    reply = await charlie.get(f"/bundles/{await ordered(alice)}/publish-readiness")

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")
