"""When a slot may go up: notice, full days, windows."""

from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import in_days, ordered, uploaded, video, workable
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_a_new_account_needs_three_days_of_notice(alice: Client) -> None:
    bundle_id = await ordered(alice)
    for days in (-1, 0, 2):
        reply = await alice.put(f"/bundles/{bundle_id}/videos/1", video(days))
        assert (reply.status, reply.code) == (400, "INVALID_DATE")
        assert reply.details["min_days_ahead"] == 3
        assert reply.details["earliest_allowed"] == in_days(3)
    slot = (await alice.put(f"/bundles/{bundle_id}/videos/1", video(3))).data
    assert slot["target_publish_start_date"] == in_days(3)
    assert slot["target_publish_end_date"] == in_days(4)
    assert slot["date_adjusted"] is False


async def test_a_delivered_account_needs_one_day_of_notice(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    account_id = (await alice.get(f"/bundles/{bundle_id}")).data["saved_account_id"]
    more = await alice.post(
        "/bundles",
        {"bundle_type": "videos_only", "account_id": account_id, "videos_quantity": 1},
    )
    path = f"/bundles/{more.data['id']}/videos/1"
    today = await alice.put(path, video(0))
    assert (today.code, today.details["min_days_ahead"]) == ("INVALID_DATE", 1)
    assert today.details["earliest_allowed"] == in_days(1)
    assert (await alice.put(path, video(1))).status == 200


async def test_a_day_takes_three_live_slots_of_a_bundle(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=5)
    for position in (1, 2, 3):
        assert (await alice.put(f"/bundles/{bundle_id}/videos/{position}", video(5))).status == 200
    fourth = await alice.put(f"/bundles/{bundle_id}/videos/4", video(5))
    assert (fourth.status, fourth.code) == (400, "VIDEOS_PER_DAY_EXCEEDED")
    assert (fourth.details["date"], fourth.details["current_count"]) == (in_days(5), 3)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/4", video(6))).status == 200
    # A slot that has the day already may be configured anew, and other bundles have days of theirs.
    assert (await alice.put(f"/bundles/{bundle_id}/videos/3", video(5))).status == 200
    other = await ordered(alice)
    assert (await alice.put(f"/bundles/{other}/videos/1", video(5))).status == 200
    # A cancelled slot gives its day back.
    await conn.execute("UPDATE slots SET status = 'cancelled' WHERE position = 3")
    assert (await alice.put(f"/bundles/{bundle_id}/videos/5", video(5))).status == 200


async def test_moving_a_slot_frees_its_day(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=4)
    for position in (1, 2, 3):
        await alice.put(f"/bundles/{bundle_id}/videos/{position}", video(5))
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", video(6))).status == 200
    assert (await alice.put(f"/bundles/{bundle_id}/videos/4", video(5))).status == 200


async def test_a_new_date_ends_the_note_that_the_old_one_was_moved(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=1)
    path = await uploaded(conn, world.acme, bundle_id)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video(5, video_url=path))
    await conn.execute("UPDATE slots SET date_adjusted = true")
    same = await alice.put(f"/bundles/{bundle_id}/videos/1", video(5, video_url=path))
    assert same.data["date_adjusted"] is True
    other = await alice.put(f"/bundles/{bundle_id}/videos/1", video(6, video_url=path))
    assert other.data["date_adjusted"] is False
