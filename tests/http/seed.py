"""A workspace with something in every state, so that each operation has an object to succeed on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from uuid import UUID

from tests.analytics.collecting import GRANT_PLAN, measured
from tests.analytics.providers.connecting import connected
from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented, submitted
from tests.orders.walk import (
    PROFILE,
    claimed,
    ordered,
    posted,
    published,
    published_with_videos,
    set_up,
    video,
    workable,
    working,
)
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.comments.deadlines import settle_task
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.proofs.recording import record_proof
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.workbench.operations.enter_code import enter_code
from tokportal_server.workbench.operations.report_download_issue import report_download_issue
from tokportal_server.workbench.operations.submit_slot import submit_slot


@dataclass(frozen=True)
class Seed:
    """Ids of Alice's things, named after the state that they are in, and a photo's address."""

    fresh: str
    ready: str
    live: str
    offered: str
    in_review: str
    to_correct: str
    posted: str
    scheduled: str
    worked_on: str
    approved: str
    account: str
    endpoint: str
    delivery: str
    comment: str
    comment_to_approve: str
    comment_to_dispute: str
    picture: str
    measured: str
    video: str
    tracked_post: str
    connected: str
    connected_too: str


async def seeded(
    alice: Client, conn: Connection, world: World, ports: Ports, *, hook: str, picture: str
) -> Seed:
    """Make one bundle for each state, a delivered account and an endpoint at ``hook``."""
    ready = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{ready}/account", PROFILE)
    await _configured(alice, ready)
    live = await published(alice, videos=2)
    await _configured(alice, live)
    offered = await published(alice, videos=0)
    in_review, to_correct = [await published(alice, videos=0) for _ in range(2)]
    for bundle in (in_review, to_correct):
        await claimed(conn, world, ports, bundle)
        await set_up(conn, world, ports, bundle)
    finished, account = await _posted(alice, conn, world, ports)
    scheduled = await published_with_videos(alice, conn, world, videos=2)
    worked_on = await _worked_on(alice, conn, world, ports)
    approved = await _approved(alice, conn, world, ports)
    endpoint = await alice.post("/webhooks", {"url": hook, "events": ["bundle.created"]})
    await conn.execute(GRANT_PLAN, world.acme)
    numbers = await measured(alice, conn, world, ports)
    fresh = await ordered(alice)
    await Dispatcher(ports).run_once()
    deliveries = (await alice.get(f"/webhooks/{endpoint.data['id']}/deliveries")).data
    return Seed(
        fresh=fresh,
        ready=ready,
        live=live,
        offered=offered,
        in_review=in_review,
        to_correct=to_correct,
        posted=finished,
        scheduled=scheduled,
        worked_on=worked_on,
        approved=approved,
        account=account,
        endpoint=endpoint.data["id"],
        delivery=deliveries[0]["id"],
        comment=await commented(alice, account, 1),
        comment_to_approve=await _confirmed_comment(alice, conn, world, account, 2),
        comment_to_dispute=await _confirmed_comment(alice, conn, world, account, 3),
        picture=picture,
        measured=str(numbers.account),
        video=str(numbers.slot),
        tracked_post=str(numbers.post),
        connected=str(await connected(conn, world, ports, username="acme.first")),
        connected_too=str(await connected(conn, world, ports, username="acme.second")),
    )


@cache
def clip() -> bytes:
    """Give a fifth of a second of film."""
    return media.video(frames=5)


async def _configured(alice: Client, bundle: str) -> None:
    """Configure slot 1 of a bundle with a video that is here already."""
    body, headers = form(clip(), {"bundle_id": bundle})
    upload = await alice.post("/upload/video/direct", body=body, headers=headers)
    content = video(video_url=upload.data["storage_path"])
    assert (await alice.put(f"/bundles/{bundle}/videos/1", content)).status == 200


async def _posted(alice: Client, conn: Connection, world: World, ports: Ports) -> tuple[str, str]:
    """Bring a slot into review; give its bundle and the account that it was posted on."""
    bundle = await ordered(alice, videos=1, auto_finalize_videos=False)
    await alice.put(f"/bundles/{bundle}/account", PROFILE)
    await _configured(alice, bundle)
    assert (await alice.post(f"/bundles/{bundle}/publish")).status == 200
    await claimed(conn, world, ports, bundle)
    account = await set_up(conn, world, ports, bundle)
    assert (await alice.post(f"/bundles/{bundle}/account/finalize")).status == 200
    async with working(conn, world) as tx:
        await enter_code(
            tx=tx, actor=world.as_mona, vault=ports.vault, account_id=account, code="204816"
        )
    async with unit_of_work(conn, world.acme, now=real_now() + timedelta(days=6)) as tx:
        await submit_slot(
            tx=tx,
            actor=world.as_mona,
            bundle_id=UUID(bundle),
            position=1,
            platform_url="https://www.tiktok.com/@acme.daily/video/7400000000000000001",
            rules=OrderRules.of(ports.settings),
        )
    return bundle, str(account)


async def _approved(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """Bring a slot to its end, with its proof; give its bundle."""
    bundle = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle, 1)
    slot = await alice.post(f"/bundles/{bundle}/videos/1/finalize")
    async with working(conn, world) as tx:
        await record_proof(tx=tx, vault=ports.vault, slot_id=UUID(slot.data["id"]))
    return bundle


async def _confirmed_comment(
    alice: Client, conn: Connection, world: World, account: str, number: int
) -> str:
    """Have Mona write a comment that nobody finds for three days; give its task's id."""
    task_id = await commented(alice, account, number)
    await submitted(conn, world, task_id)
    async with working(conn, world, hours=73) as tx:
        assert await settle_task(tx, UUID(task_id))
    return task_id


async def _worked_on(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """Have Mona post slot 1 of a bundle, and miss the media of slot 2."""
    bundle = await workable(alice, conn, world, ports, videos=2, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle)
    async with working(conn, world) as tx:
        await report_download_issue(
            tx=tx, actor=world.as_mona, bundle_id=UUID(bundle), position=2, reason="404"
        )
    return bundle
