"""A workspace with something in every state, so that each operation has an object to succeed on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from uuid import UUID

from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, ordered, published, set_up, video
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.operations.submit_slot import submit_slot


@dataclass(frozen=True)
class Seed:
    """Ids of Alice's things, named after the state that they are in."""

    fresh: str
    ready: str
    live: str
    in_review: str
    to_correct: str
    posted: str
    account: str
    endpoint: str


async def seeded(alice: Client, conn: Connection, world: World, ports: Ports, *, hook: str) -> Seed:
    """Make one bundle for each state, a delivered account and an endpoint at ``hook``."""
    ready = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{ready}/account", PROFILE)
    await _configured(alice, ready)
    live = await published(alice, videos=2)
    await _configured(alice, live)
    in_review, to_correct = [await published(alice, videos=0) for _ in range(2)]
    for bundle in (in_review, to_correct):
        await claimed(conn, world, ports, bundle)
        await set_up(conn, world, ports, bundle)
    posted, account = await _posted(alice, conn, world, ports)
    endpoint = await alice.post("/webhooks", {"url": hook, "events": ["bundle.created"]})
    return Seed(
        fresh=await ordered(alice),
        ready=ready,
        live=live,
        in_review=in_review,
        to_correct=to_correct,
        posted=posted,
        account=account,
        endpoint=endpoint.data["id"],
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
