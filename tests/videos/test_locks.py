"""The writes on slots take their locks in the order of all transactions on orders."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.lock_probe import LockProbe, watching
from tests.orders.walk import in_days, posted, published_with_videos, uploaded, video, workable
from tests.videos.steps import HEAD, imported, reported
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

KEYED = {"Idempotency-Key": "once"}


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> LockProbe:
    """Watch every connection that is opened from now on, the server's own among them."""
    return watching(monkeypatch)


async def test_many_slots_are_linked_before_the_first_is_paid(
    probe: LockProbe, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await alice.post(f"/bundles/{bundle_id}/add-video-slots", {"quantity": 6})
    path = await uploaded(conn, world.acme, bundle_id)
    for _ in range(2):
        items = [
            {"position": p, **video(5 + p, volume_added_sound=p, video_url=url)}
            for p, url in ((2, path), (3, "https://media.example.com/a.mp4"), (4, path))
        ]
        reply = await alice.put(
            f"/bundles/{bundle_id}/videos/batch",
            {"videos": items, "auto_publish": True},
            headers={"Idempotency-Key": "batch"},
        )
        assert reply.json["credits_charged"] == 3
    await conn.execute("UPDATE prices SET amount = 900 WHERE name = 'sound_volume'")
    rows = "".join(f"{p},video,Look,{in_days(9 + p)},{path},1\n" for p in (5, 6))
    sheet = f"{HEAD},volume_added_sound\n{rows}"
    partly = await imported(alice, bundle_id, sheet, headers={"Idempotency-Key": "csv"})
    assert (partly.data["imported"], len(partly.data["errors"])) == (1, 1)
    assert probe.faults() == set()
    assert any("wallets" in order and "media" in order for order in probe.orders())


async def test_the_smaller_writes_keep_the_order_too(
    probe: LockProbe, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2, auto_finalize_videos=False)
    path = f"/bundles/{bundle_id}/videos"
    await posted(conn, world, ports, bundle_id)
    await reported(conn, world, bundle_id, 2)
    calls = [
        ("POST", f"{path}/1/corrections", {"comment": "No."}),
        ("POST", f"{path}/2/fix-download", {"video_url": "https://media.example.com/b.mp4"}),
        ("PATCH", f"{path}/2", {"target_publish_date": in_days(9)}),
        ("POST", f"{path}/publish-all", None),
    ]
    offered = await published_with_videos(alice, conn, world, videos=2)
    calls += [
        ("POST", f"/bundles/{offered}/videos/1/unschedule", None),
        ("POST", f"/bundles/{offered}/videos/1/reset", None),
    ]
    for number, (method, place, body) in enumerate(calls):
        key = {"Idempotency-Key": str(number)}
        reply = await alice.call(method, place, json=body, headers=key)
        assert reply.status == 200, (place, reply.body)
    assert probe.faults() == set()
