"""The operator stops publishing and claims, for as long as it takes."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.bundles.stages import delivered
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, in_days, ordered, published, uploaded, video
from tests.videos.steps import media_settles
from tests.workbench.desk import Desk
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.deadlines import find_due, settle
from tokportal_server.workbench.errors import NotClaimableError
from tokportal_server.workbench.operations.kill_switch import Scope, Switch, pause, resume
from tokportal_server.workspaces.audit import INSTALLATION


async def swept(conn: Connection, ports: Ports) -> list[str]:
    """Settle what is due now; give the kinds of what changed."""
    now = real_now()
    rules = OrderRules.of(ports.settings)
    return [
        due.kind for due in await find_due(conn, now, None) if await settle(conn, due, now, rules)
    ]


@pytest.mark.parametrize("scope", ["all", "workspace"])
async def test_stops_publishing_and_claims_until_it_is_cleared(
    alice: Client, conn: Connection, world: World, mona: Desk, olga: Office, scope: Scope
) -> None:
    waiting = await published(alice, videos=0)
    bundle_id = await ordered(alice, videos=0)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    switch = Switch(scope, world.acme if scope == "workspace" else None)
    await pause(conn=conn, actor=world.as_olga, switch=switch, reason="Checking.")
    refused = await alice.post(f"/bundles/{bundle_id}/publish")
    assert refused.code == "PUBLISHING_PAUSED"
    assert "Checking." in refused.json["error"]["message"]
    with pytest.raises(NotClaimableError, match=r"Checking\."):
        await mona.claim(waiting)
    assert await resume(conn=conn, actor=world.as_olga, switch=switch, reason="Fine.")
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    await mona.claim(waiting)
    place = INSTALLATION if scope == "all" else world.acme
    rows = [row for row in await olga.audit(place) if row["action"].startswith("publishing")]
    assert [(row["action"], row["reason"], row["subject_id"]) for row in rows] == [
        ("publishing.pause", "Checking.", switch.subject_id),
        ("publishing.resume", "Fine.", switch.subject_id),
    ]


async def test_an_account_that_is_stopped_stops_no_other(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    stopped = await delivered(alice, conn, world, ports)
    free = await delivered(alice, conn, world, ports)
    await pause(
        conn=conn, actor=world.as_olga, switch=Switch("account", stopped), reason="Odd posts."
    )
    outcomes = []
    for account in (stopped, free):
        body = {"bundle_type": "videos_only", "account_id": str(account), "videos_quantity": 1}
        bundle_id = (await alice.post("/bundles", body)).data["id"]
        content = {
            "video_type": "video",
            "description": "Look.",
            "target_publish_date": in_days(5),
            "video_url": "https://media.example.com/a.mp4",
        }
        assert (await alice.put(f"/bundles/{bundle_id}/videos/1", content)).status == 200
        reply = await alice.post(f"/bundles/{bundle_id}/publish")
        outcomes.append(reply.code if reply.status != 200 else 200)
    assert outcomes == ["PUBLISHING_PAUSED", 200]


async def test_stops_publishing_of_single_slots_and_says_why_auto_publish_did_not(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=2)
    path = await uploaded(conn, world.acme, bundle_id)
    first, second = (f"/bundles/{bundle_id}/videos/{n}" for n in (1, 2))
    assert (await alice.put(first, video(video_url=path))).status == 200
    await pause(conn=conn, actor=world.as_olga, switch=Switch("all"), reason="Checking.")
    for call in (f"{first}/publish", f"/bundles/{bundle_id}/videos/publish-all"):
        for headers in ({}, {"X-TokPortal-Dry-Run": "1"}):
            refused = await alice.post(call, headers=headers)
            assert (refused.status, refused.code) == (409, "PUBLISHING_PAUSED")
            assert refused.details == {"scope": "all", "reason": "Checking."}
    kept = (await alice.put(second, video(video_url=path, auto_publish=True))).data
    assert (kept["status"], kept["publish_when_ready"]) == ("configured", False)
    assert kept["auto_publish_error"]["code"] == "PUBLISHING_PAUSED"
    assert "Checking." in kept["auto_publish_error"]["message"]
    await resume(conn=conn, actor=world.as_olga, switch=Switch("all"), reason="Fine.")
    done = await alice.post(f"/bundles/{bundle_id}/videos/publish-all")
    assert done.data["videos_published"] == 2


@pytest.mark.parametrize("scope", ["all", "workspace"])
async def test_media_that_come_meanwhile_are_published_by_the_sweep_once_it_is_over(
    alice: Client, conn: Connection, world: World, ports: Ports, scope: Scope
) -> None:
    bundle_id = await published(alice, videos=1)
    slot = (await alice.put(f"/bundles/{bundle_id}/videos/1", video(auto_publish=True))).data
    switch = Switch(scope, world.acme if scope == "workspace" else None)
    await pause(conn=conn, actor=world.as_olga, switch=switch, reason="Checking.")
    path = await uploaded(conn, world.acme, bundle_id)
    await media_settles(conn, world, ports, slot["id"], upload=path)
    assert await swept(conn, ports) == []
    waiting = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (waiting["status"], waiting["media_status"]) == ("configured", "ready")
    assert waiting["publish_when_ready"] is True
    await resume(conn=conn, actor=world.as_olga, switch=switch, reason="Fine.")
    assert await swept(conn, ports) == ["waiting"]
    assert await swept(conn, ports) == []
    after = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (after["status"], after["publish_when_ready"]) == ("published", False)


async def test_the_sweep_publishes_nothing_of_an_order_that_was_taken_back_meanwhile(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=1)
    slot = (await alice.put(f"/bundles/{bundle_id}/videos/1", video(auto_publish=True))).data
    await pause(conn=conn, actor=world.as_olga, switch=Switch("all"), reason="Checking.")
    path = await uploaded(conn, world.acme, bundle_id)
    await media_settles(conn, world, ports, slot["id"], upload=path)
    assert (await alice.post(f"/bundles/{bundle_id}/unpublish")).status == 200
    await resume(conn=conn, actor=world.as_olga, switch=Switch("all"), reason="Fine.")
    assert await swept(conn, ports) == []
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "configured"


async def test_another_workspace_goes_on(
    alice: Client, charlie: Client, conn: Connection, world: World
) -> None:
    await pause(
        conn=conn, actor=world.as_olga, switch=Switch("workspace", world.other), reason="Unpaid."
    )
    await published(alice, videos=0)
    bundle_id = await ordered(charlie, videos=0)
    await charlie.put(f"/bundles/{bundle_id}/account", PROFILE)
    assert (await charlie.post(f"/bundles/{bundle_id}/publish")).code == "PUBLISHING_PAUSED"


async def test_said_twice_the_new_reason_stands_and_clearing_nothing_says_so(
    conn: Connection, world: World, olga: Office
) -> None:
    switch = Switch("all")
    assert not await resume(conn=conn, actor=world.as_olga, switch=switch, reason="?")
    for reason in ("First.", "Second."):
        await pause(conn=conn, actor=world.as_olga, switch=switch, reason=reason)
    rows = await conn.fetch("SELECT reason, set_by FROM kill_switches")
    assert [tuple(row) for row in rows] == [("Second.", world.olga)]
    assert [row["reason"] for row in await olga.audit(INSTALLATION)] == ["First.", "Second."]


@pytest.mark.parametrize(
    ("switch", "reason", "said"),
    [
        (Switch("workspace", uuid4()), "Why", "there is no workspace"),
        (Switch("account", uuid4()), "Why", "there is no account"),
        (Switch("workspace"), "Why", "there is no workspace"),
        (Switch("all", UUID(int=5)), "Why", "all stops everything"),
        (Switch("all"), " ", "1 to 500 characters"),
    ],
)
async def test_refuses_what_cannot_be_stopped_and_no_reason(
    conn: Connection, world: World, switch: Switch, reason: str, said: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        await pause(conn=conn, actor=world.as_olga, switch=switch, reason=reason)
    assert said in refusal.value.message
    assert await conn.fetchval("SELECT count(*) FROM kill_switches") == 0
    assert await conn.fetchval("SELECT count(*) FROM audit") == 0
