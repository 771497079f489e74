"""A workspace as it looks after some weeks: something of everything that the pages show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from tests.analytics.collecting import collect, comment, post, reading
from tests.analytics.plans import give_plan
from tests.bundles.stages import delivered, in_review
from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented
from tests.orders.walk import (
    claimed,
    ordered,
    posted,
    published,
    published_with_videos,
    sent_back,
    workable,
    working,
)
from tests.pages.guest import give_passwords
from tokportal_server.bundles.operations.cancel_own_bundle import cancel_own_bundle
from tokportal_server.entry.worker import LISTENERS, job_runner
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher


async def set_the_scene(alice: Client, conn: Connection, world: World, ports: Ports) -> None:
    """Put orders in most of their states into Alice's workspace, and what comes with them."""
    await give_passwords(conn, world.alice, world.mona, world.olga)
    # Everything that there is can be opened.
    await conn.execute("UPDATE workspaces SET plan = 'full'")
    hook = {"url": "http://127.0.0.1:9/hook", "events": ["bundle.created", "account.in_review"]}
    assert (await alice.post("/webhooks", hook)).status == 201
    await ordered(alice, title="Harbour tours, first account", external_ref="harbour-1")
    await published_with_videos(alice, conn, world, videos=3, title="Bakery openings")
    await published(alice, videos=1, country="FR", platform="instagram", title="Vintage bikes")
    account = await delivered(alice, conn, world, ports, title="Coffee corner")
    await in_review(alice, conn, world, ports, videos=2, title="Spring campaign")
    await claimed(conn, world, ports, await published(alice, title="Night market"))
    busy = await workable(
        alice, conn, world, ports, videos=3, title="Street food, daily", **_BY_HAND
    )
    await posted(conn, world, ports, busy, 1)
    await posted(conn, world, ports, busy, 2, url=f"{_POST}1")
    await sent_back(conn, world, ports, busy, 2)
    cancelled = await published(alice, title="Given up")
    async with working(conn, world) as tx:
        await cancel_own_bundle(
            tx=tx, actor=Actor("customer", world.alice), bundle_id=UUID(cancelled)
        )
    await commented(alice, str(account))
    await _counted(conn, world, UUID(str(account)))
    await _work_off(ports)
    for row in await conn.fetch("SELECT storage_key FROM uploads"):
        await ports.storage.put_stream(row["storage_key"], _one_byte())


async def _one_byte() -> AsyncIterator[bytes]:
    yield b"x"


_BY_HAND = {"auto_finalize_videos": False}
_POST = "https://www.tiktok.com/@acme.daily/video/730000000000000000"


async def _counted(conn: Connection, world: World, account: UUID) -> None:
    """Collect the account's numbers on two days, with what people wrote, on the largest plan."""
    await give_plan(conn, world.acme, "full")
    now = real_now()
    for days, views in ((2, 1_200), (1, 4_321)):
        at = now - timedelta(days=days)
        await collect(
            conn,
            world.acme,
            account,
            post("11111", views=views, likes=300, comments=12, shares=4, published_at=at),
            at=at,
            profile=reading(followers=700 - days),
            comments=[
                comment(1, "I love this cake!", under="11111", posted_at=at),
                comment(2, "where did you buy it?", under="11111", posted_at=at),
            ],
            bootstrap=True,
        )


async def _work_off(ports: Ports) -> None:
    """Fan events out, deliver them once, and do the jobs that they want."""
    dispatcher, deliverer = Dispatcher(ports, LISTENERS), Deliverer(ports)
    while await dispatcher.run_once():
        pass
    while await deliverer.run_once():
        pass
    await deliverer.drain()
    await job_runner(ports, OrderRules.of(ports.settings)).drain()
