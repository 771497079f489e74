"""Every transaction on orders takes its locks in one order (see lock_probe)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tests.comments.steps import (
    TEXT,
    Shown,
    confirmed,
    delivered,
    looked_for,
    submitted,
    task,
)
from tests.orders.lock_probe import LockProbe, locked_by, out_of_order, watching
from tests.orders.walk import (
    PROFILE,
    claimed,
    ordered,
    posted,
    published,
    published_with_videos,
    sent_back,
    set_up,
    uploaded,
    video,
    workable,
    working,
)
from tokportal_server.bundles.operations.cancel_own_bundle import cancel_own_bundle
from tokportal_server.comments.verification import FoundComment
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.locks import LOCK_BUNDLE, LOCK_PROFILE, LOCK_SLOTS, lock_bundle
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.media_arrival import on_media_settled
from tokportal_server.workbench.deadlines import find_due, settle
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.report_download_issue import report_download_issue
from tokportal_server.workbench.operations.reverse_charges import reverse_charges

KEYED = {"Idempotency-Key": "once"}


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> LockProbe:
    """Watch every connection that is opened from now on, the server's own among them."""
    return watching(monkeypatch)


async def test_every_step_of_an_order_keeps_the_order_of_locks(
    probe: LockProbe, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    probe.watch(conn)
    rules = OrderRules.of(ports.settings)
    bundle_id = await workable(alice, conn, world, ports, videos=3, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id, 1)
    await sent_back(conn, world, ports, bundle_id, 1)
    await posted(conn, world, ports, bundle_id, 1)
    await alice.post(f"/bundles/{bundle_id}/videos/1/finalize", headers=KEYED)
    async with working(conn, world) as tx:
        await report_download_issue(
            tx=tx, actor=world.as_mona, bundle_id=UUID(bundle_id), position=2, reason="404"
        )
    async with working(conn, world) as tx:
        await release_claim(
            tx=tx, actor=world.as_mona, bundle_id=UUID(bundle_id), reason="Ill", rules=rules
        )
    await claimed(conn, world, ports, bundle_id)

    fresh = await published(alice, videos=0)
    await claimed(conn, world, ports, fresh)
    await set_up(conn, world, ports, fresh)
    asked = await alice.post(f"/bundles/{fresh}/account/corrections", {"comment": "No."})
    assert asked.status == 200
    await set_up(conn, world, ports, fresh)
    await published(alice, videos=0)
    kinds = set()
    for days in (2, 4, 8, 30):
        at = real_now() + timedelta(days=days)
        for due in await find_due(conn, at, None):
            if await settle(conn, due, at, rules):
                kinds.add(due.kind)
    assert kinds == {"priority", "profile_review", "overdue", "claim"}
    assert probe.faults() == set()


async def test_changes_of_an_order_before_it_is_worked_on_keep_it_too(
    probe: LockProbe, alice: Client, conn: Connection, world: World
) -> None:
    probe.watch(conn)
    bulk = {"platforms": ["tiktok"], "country": "USA", "accounts_count": 2, "external_ref": "a"}
    many = await alice.post("/bundles/bulk", bulk, headers=KEYED)
    assert many.status == 201
    bundle_id = await published_with_videos(alice, conn, world, videos=1, external_ref="b")
    for path, body in (("unpublish", None), ("add-video-slots", 2), ("add-edit-slots", 1)):
        reply = await alice.post(
            f"/bundles/{bundle_id}/{path}",
            body and {"quantity": body},
            headers={"Idempotency-Key": path},
        )
        assert reply.status == 200, reply.body
    renamed = await alice.call("PATCH", f"/bundles/{bundle_id}", json={"external_ref": "c"})
    assert renamed.status == 200
    async with working(conn, world) as tx:
        await reverse_charges(
            tx=tx, actor=world.as_olga, bundle_id=UUID(bundle_id), reason="Not yet"
        )
    again = await alice.post(f"/bundles/{bundle_id}/publish")
    assert again.json["credits_charged"] == 34
    async with working(conn, world) as tx:
        await cancel_own_bundle(
            tx=tx, actor=Actor("customer", world.alice), bundle_id=UUID(bundle_id)
        )
    assert probe.faults() == set()


async def test_buying_options_while_publishing_on_a_claimed_order_keeps_it_too(
    probe: LockProbe, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    probe.watch(conn)
    bundle_id = await ordered(alice, videos=3)
    path = await uploaded(conn, world.acme, bundle_id)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    for position in (1, 2):
        body = video(video_url=path, auto_publish=True)
        await alice.put(f"/bundles/{bundle_id}/videos/{position}", body)
    await alice.post(f"/bundles/{bundle_id}/publish", headers=KEYED)
    await claimed(conn, world, ports, bundle_id)
    paid = video(
        volume_added_sound=1, video_url="https://media.example.com/a.mp4", auto_publish=True
    )
    waiting = await alice.put(
        f"/bundles/{bundle_id}/videos/3", paid, headers={"Idempotency-Key": "paid"}
    )
    assert waiting.json["credits_charged"] == 1
    ready = video(volume_added_sound=1, video_url=path, auto_publish=True)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/3", ready)).data["status"] == "accepted"
    async with working(conn, world) as tx:
        await lock_bundle(tx, UUID(bundle_id))
        row = await tx.conn.fetchrow("SELECT * FROM media LIMIT 1")
        assert row is not None
        await on_media_settled(tx, row, rules=OrderRules.of(ports.settings))
    assert probe.faults() == set()
    # The probe has seen what it is for: a charge between an order's locks and its events.
    assert any(
        order[:2] == ("idempotency_keys", "bundles") and order[-3:-1] == ("wallets", "counters")
        for order in probe.orders()
    ), probe.orders()


async def test_comment_tasks_keep_it_too(
    probe: LockProbe, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    probe.watch(conn)
    account = await delivered(conn, world)
    made = [task(account, number) for number in (1, 2, 3)]
    reply = await alice.post("/comments", {"tasks": made}, headers=KEYED)
    first, second, third = [row["id"] for row in reply.data["created"]]
    gone = await alice.call("DELETE", f"/comments/{first}", headers={"Idempotency-Key": "gone"})
    assert gone.status == 200
    await confirmed(conn, world, ports, second)
    reply = await alice.post(f"/comments/{second}/dispute", {"reason": "Not there."})
    assert reply.status == 200
    await submitted(conn, world, second)
    await looked_for(conn, Shown(FoundComment("1", "acme.daily", TEXT)))
    assert (await alice.get(f"/comments/{third}")).data["status"] == "cancelled"
    assert probe.faults() == set()


async def test_the_probe_sees_a_transaction_that_goes_the_other_way(
    probe: LockProbe, conn: Connection, world: World
) -> None:
    probe.watch(conn)
    async with working(conn, world) as tx:
        await tx.conn.fetch(LOCK_SLOTS, world.acme, world.acme)
        await tx.conn.fetch(LOCK_BUNDLE, world.acme, world.acme)
    [fault] = probe.faults()
    assert fault.startswith("bundles after slots")


def test_locks_are_read_from_statements() -> None:
    assert locked_by(LOCK_BUNDLE) == ["bundles"]
    assert locked_by("UPDATE claims SET due_at = $3 WHERE id = $1") == ["claims"]
    assert locked_by("SELECT * FROM ledger_debit($1)") == ["wallets"]
    assert locked_by("SELECT * FROM bundles WHERE id = $1") == []
    assert locked_by("INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET n = 1") == ["a"]
    assert out_of_order([LOCK_BUNDLE, LOCK_PROFILE, LOCK_SLOTS, LOCK_BUNDLE]) == []
    assert out_of_order(["SELECT ledger_debit($1)", LOCK_PROFILE]) == ["profiles after wallets"]
