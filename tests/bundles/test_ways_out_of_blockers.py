"""Readiness names the call that clears each blocker and warning: each is made, and seen to work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
    reverse_charges,
)
from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    PROFILE,
    claimed,
    in_days,
    order,
    ordered,
    published,
    uploaded,
    video,
    working,
)
from tokportal_server.bundles.operations.publish_bundle import BLOCKERS
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.acting import act
from tokportal_server.workbench.operations.cancel_slot import cancel_slot
from tokportal_server.workbench.operations.grant_credits import grant_credits
from tokportal_server.workbench.operations.kill_switch import Scope, Switch, pause, resume

WARNINGS = {"NO_PROFILE_PICTURE", "MEDIA_FETCHING", "STALE_DATES"}
# Too few credits to pay again is what publish answers with 402, so it is no blocker of publish's.
ALL = set(BLOCKERS) | {"CHARGES_REVERSED"} | WARNINGS
PICTURED = {**PROFILE, "profile_picture_url": "https://media.example.com/me.jpg"}
SET_CREDITS = "UPDATE credit_lots SET remaining = $2, amount = $2 WHERE workspace_id = $1"
END = "UPDATE bundles SET status = $2 WHERE id = $1"


@dataclass(frozen=True)
class Scene:
    """Alice's workspace, and what the operator and the manager need to work in it."""

    alice: Client
    conn: Connection
    world: World
    ports: Ports

    async def posts(self, *, videos: int = 1) -> str:
        """Order posts on a delivered account; give the bundle's id."""
        account_id = await delivered(self.alice, self.conn, self.world, self.ports)
        body = {
            "bundle_type": "videos_only",
            "videos_quantity": videos,
            "account_id": str(account_id),
        }
        return str((await self.alice.post("/bundles", body)).data["id"])

    async def body(self, operation_id: str, bundle_id: str) -> dict[str, Any] | None:
        """Give what the named call is sent with."""
        workspace = self.world.acme
        if operation_id == "configureBundleAccount":
            picture = await uploaded(self.conn, workspace, bundle_id, "profile_picture")
            return {**PROFILE, "profile_picture_url": picture}
        if operation_id == "configureBundleVideo":
            return video(video_url=await uploaded(self.conn, workspace, bundle_id))
        others: dict[str, dict[str, Any]] = {
            "patchBundleVideo": {"target_publish_date": in_days(7)},
            "addVideoSlots": {"quantity": 1},
            "createBundle": order(videos=0),
        }
        return others.get(operation_id)


@pytest.fixture
def scene(alice: Client, conn: Connection, world: World, ports: Ports) -> Scene:
    return Scene(alice, conn, world, ports)


async def hindrances(alice: Client, bundle_id: str) -> dict[tuple[str, int | None], Any]:
    """Give blockers and warnings by code and position."""
    found = (await alice.get(f"/bundles/{bundle_id}/publish-readiness")).data
    listed = [*found["blockers"], *found["warnings"]]
    return {(item["code"], item.get("position")): item for item in listed}


async def nothing_configured(scene: Scene) -> str:
    return await ordered(scene.alice, videos=0)


async def fields_missing(scene: Scene) -> str:
    bundle_id = await ordered(scene.alice, videos=0)
    bare = {name: text for name, text in PROFILE.items() if name != "biography"}
    await scene.alice.put(f"/bundles/{bundle_id}/account", bare)
    return bundle_id


async def no_picture(scene: Scene) -> str:
    bundle_id = await ordered(scene.alice, videos=0)
    await scene.alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    return bundle_id


async def picture_fetching(scene: Scene) -> str:
    bundle_id = await ordered(scene.alice, videos=0)
    await scene.alice.put(f"/bundles/{bundle_id}/account", PICTURED)
    return bundle_id


async def picture_failed(scene: Scene) -> str:
    bundle_id = await picture_fetching(scene)
    await scene.conn.execute(PICTURE_FAILED, UUID(bundle_id))
    return bundle_id


async def media_fetching(scene: Scene) -> str:
    bundle_id = await ordered(scene.alice, videos=2)
    await configured(scene.alice, bundle_id, 2)
    return bundle_id


async def media_failed(scene: Scene) -> str:
    bundle_id = await media_fetching(scene)
    await scene.conn.execute(FETCH_FAILED, UUID(bundle_id), 2)
    return bundle_id


async def date_stale(scene: Scene) -> str:
    bundle_id = await media_fetching(scene)
    await scene.conn.execute(MEDIA_READY, UUID(bundle_id))
    await scene.conn.execute(STALE, UUID(bundle_id), real_now().date() + timedelta(days=1))
    return bundle_id


async def nothing_to_post(scene: Scene) -> str:
    return await scene.posts(videos=3)


async def waiting_for_a_manager(scene: Scene) -> str:
    return await published(scene.alice, videos=0)


@pytest.mark.parametrize(
    ("stage", "code", "position"),
    [
        (waiting_for_a_manager, "BUNDLE_ALREADY_PUBLISHED", None),
        (nothing_configured, "ACCOUNT_NOT_CONFIGURED", None),
        (fields_missing, "ACCOUNT_MISSING_FIELDS", None),
        (nothing_to_post, "NO_VIDEOS_CONFIGURED", 1),
        (media_failed, "MEDIA_FAILED", 2),
        (picture_failed, "MEDIA_FAILED", None),
        (no_picture, "NO_PROFILE_PICTURE", None),
        (media_fetching, "MEDIA_FETCHING", 2),
        (picture_fetching, "MEDIA_FETCHING", None),
        (date_stale, "STALE_DATES", 2),
    ],
)
async def test_the_customers_call_clears_it(
    scene: Scene, stage: Callable[[Scene], Awaitable[str]], code: str, position: int | None
) -> None:
    bundle_id = await stage(scene)
    before = await hindrances(scene.alice, bundle_id)
    way = before[code, position]["resolve"]
    assert way["who"] == "customer"

    body = await scene.body(way["operation_id"], bundle_id)
    reply = await scene.alice.call(way["method"], way["path"], json=body)

    assert reply.status == 200, reply.body
    after = await hindrances(scene.alice, bundle_id)
    assert (code, position) not in after
    # Nothing new is in the way: what is left was there before, or was hidden by the status.
    assert code == "BUNDLE_ALREADY_PUBLISHED" or set(after) <= set(before)


async def test_slots_that_were_all_cancelled_are_replaced_in_two_calls(scene: Scene) -> None:
    bundle_id = await scene.posts(videos=1)
    async with working(scene.conn, scene.world) as tx:
        await cancel_slot(
            tx=tx,
            actor=scene.world.as_olga,
            bundle_id=UUID(bundle_id),
            position=1,
            reason="Not wanted",
            rules=OrderRules.of(scene.ports.settings),
        )
    made = []
    while found := await hindrances(scene.alice, bundle_id):
        [way] = [item["resolve"] for item in found.values()]
        body = await scene.body(way["operation_id"], bundle_id)
        assert (await scene.alice.call(way["method"], way["path"], json=body)).status == 200
        made.append(way["operation_id"])

    assert made == ["addVideoSlots", "configureBundleVideo"]
    assert (await scene.alice.post(f"/bundles/{bundle_id}/publish")).status == 200


@pytest.mark.parametrize("status", ["completed", "cancelled", "archived"])
async def test_what_has_ended_is_ordered_anew(scene: Scene, status: str) -> None:
    bundle_id = await ordered(scene.alice, videos=0)
    await scene.conn.execute(END, UUID(bundle_id), status)
    [(code, _)] = found = await hindrances(scene.alice, bundle_id)
    way = found[code, None]["resolve"]

    body = await scene.body(way["operation_id"], bundle_id)
    anew = await scene.alice.call(way["method"], way["path"], json=body)

    assert code in ("BUNDLE_ALREADY_PUBLISHED", "BUNDLE_INVALID_STATUS")
    assert (code, None) not in await hindrances(scene.alice, anew.data["id"])


async def test_on_a_claimed_bundle_the_named_call_publishes_what_is_new(scene: Scene) -> None:
    bundle_id = await published(scene.alice, videos=1)
    await claimed(scene.conn, scene.world, scene.ports, bundle_id)
    body = await scene.body("configureBundleVideo", bundle_id)
    await scene.alice.put(f"/bundles/{bundle_id}/videos/1", body)
    found = await hindrances(scene.alice, bundle_id)
    way = found["BUNDLE_ALREADY_PUBLISHED", None]["resolve"]

    reply = await scene.alice.call(way["method"], way["path"])

    assert reply.data["videos_published"] == 1
    assert (await scene.alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "accepted"


@pytest.mark.parametrize("scope", ["all", "workspace", "account"])
async def test_the_operator_lets_publishing_go_on(scene: Scene, scope: Scope) -> None:
    bundle_id = await scene.posts()
    bundle = (await scene.alice.get(f"/bundles/{bundle_id}")).data
    subject = {"workspace": scene.world.acme, "account": UUID(bundle["saved_account_id"])}
    switch = Switch(scope, subject.get(scope))
    await pause(conn=scene.conn, actor=scene.world.as_olga, switch=switch, reason="fraud wave")
    found = await hindrances(scene.alice, bundle_id)
    assert found["PUBLISHING_PAUSED", None]["resolve"] == {"who": "operator"}

    await resume(conn=scene.conn, actor=scene.world.as_olga, switch=switch, reason="over")

    assert ("PUBLISHING_PAUSED", None) not in await hindrances(scene.alice, bundle_id)


async def test_every_switch_that_is_set_is_listed(scene: Scene) -> None:
    bundle_id = await ordered(scene.alice, videos=0)
    for scope, subject, reason in (
        ("all", None, "fraud wave"),
        ("workspace", scene.world.acme, "unpaid"),
    ):
        switch = Switch("all") if scope == "all" else Switch("workspace", subject)
        await pause(conn=scene.conn, actor=scene.world.as_olga, switch=switch, reason=reason)

    found = (await scene.alice.get(f"/bundles/{bundle_id}/publish-readiness")).data["blockers"]

    paused = [item["message"] for item in found if item["code"] == "PUBLISHING_PAUSED"]
    assert [message.rsplit(": ", 1)[1] for message in paused] == ["fraud wave", "unpaid"]


async def test_the_operator_grants_the_credits_for_charges_that_were_reversed(
    scene: Scene,
) -> None:
    bundle_id = await no_picture(scene)
    await reverse_charges(scene.conn, scene.world, bundle_id)
    await scene.conn.execute(SET_CREDITS, scene.world.acme, 24)
    found = await hindrances(scene.alice, bundle_id)
    assert found["CHARGES_REVERSED", None]["resolve"] == {"who": "operator"}

    await act(
        scene.conn,
        scene.world.acme,
        lambda tx: grant_credits(tx=tx, actor=scene.world.as_olga, amount=1, reason="Goodwill"),
    )

    assert ("CHARGES_REVERSED", None) not in await hindrances(scene.alice, bundle_id)
    assert (await scene.alice.post(f"/bundles/{bundle_id}/publish")).status == 200


async def test_the_operator_takes_an_account_back_into_service(scene: Scene) -> None:
    bundle_id = await scene.posts()
    account_id = UUID((await scene.alice.get(f"/bundles/{bundle_id}")).data["saved_account_id"])
    await scene.conn.execute(SET_ACCOUNT, account_id, "detached")
    found = await hindrances(scene.alice, bundle_id)
    assert found["SAVED_ACCOUNT_UNAVAILABLE", None]["resolve"] == {"who": "operator"}

    await scene.conn.execute(SET_ACCOUNT, account_id, "active")

    assert ("SAVED_ACCOUNT_UNAVAILABLE", None) not in await hindrances(scene.alice, bundle_id)


def test_every_blocker_and_warning_of_the_contract_is_tried_here() -> None:
    tried = {
        code
        for mark in test_the_customers_call_clears_it.pytestmark  # type: ignore[attr-defined]
        for _, code, _ in mark.args[1]
    }
    elsewhere = {
        "BUNDLE_INVALID_STATUS",
        "SAVED_ACCOUNT_UNAVAILABLE",
        "PUBLISHING_PAUSED",
        "CHARGES_REVERSED",
    }
    assert tried | elsewhere == ALL
