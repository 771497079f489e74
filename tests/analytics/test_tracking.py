"""The post of a finalized slot is tracked by a listener of the event."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tests.analytics.collecting import NOON, collect, post
from tests.cast import World
from tests.client import Client
from tests.orders.walk import POST, events_of, posted, workable
from tokportal_server.analytics.tracking import (
    TRACK_POST_JOB,
    FinalizedPostListener,
    tracked_posts,
)
from tokportal_server.entry.worker import LISTENERS
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.ports import Ports

ROW = "SELECT * FROM tracked_posts WHERE workspace_id = $1"
NAME = POST.rsplit("/", 1)[1]
ACCOUNT = "SELECT saved_account_id FROM bundles WHERE id = $1"


async def finalized(alice: Client, conn: Connection, world: World, ports: Ports) -> UUID:
    """Bring a slot to its end, as if a worker had not come by yet; give its account."""
    bundle = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle)
    assert (await alice.post(f"/bundles/{bundle}/videos/1/finalize")).status == 200
    account: UUID = await conn.fetchval(ACCOUNT, UUID(bundle))
    return account


async def tell(conn: Connection, world: World, ports: Ports) -> None:
    [event] = await events_of(conn, world, "video.finalized")
    payload = {"workspace_id": str(world.acme), "type": event["type"], "data": event["data"]}
    await FinalizedPostListener(ports.database).run(payload)


async def test_a_finalized_slot_is_tracked_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account = await finalized(alice, conn, world, ports)
    for _ in range(2):
        await tell(conn, world, ports)

    [row] = await conn.fetch(ROW, world.acme)
    assert (row["saved_account_id"], row["platform_url"]) == (account, POST)
    assert (row["post_key"], row["platform_post_id"], row["imported"]) == (NAME, None, False)
    assert row["description"] == "Look at this."
    [tracked] = await tracked_posts(conn, world.acme, account)
    assert (tracked.id, tracked.platform_url) == (row["id"], POST)
    reply = await alice.get(f"/analytics/accounts/{account}")
    assert reply.data["latest"]["tracked_posts"] == 1


async def test_a_post_that_a_refresh_found_first_becomes_the_slots(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account = await finalized(alice, conn, world, ports)
    await collect(conn, world.acme, account, post(NAME, views=5), bootstrap=True)
    await tell(conn, world, ports)

    row = existing(await conn.fetchrow(ROW, world.acme))
    assert row["slot_id"] is not None
    # What stood there before anybody looked stays a baseline.
    assert row["imported"]


async def test_the_first_numbers_of_a_slots_post_are_its_gain(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account = await finalized(alice, conn, world, ports)
    await tell(conn, world, ports)
    await collect(conn, world.acme, account, post(NAME, views=5), at=NOON + timedelta(days=9))

    gain = await conn.fetchval("SELECT gain FROM account_days WHERE metric = 'views'")
    assert gain == 5


def test_the_worker_listens() -> None:
    assert TRACK_POST_JOB in LISTENERS["video.finalized"]
