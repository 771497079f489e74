"""An order's way, step by step, for tests that begin in the middle of it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

from tests.cast import World
from tests.client import Client
from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.operations.request_slot_corrections import request_slot_corrections
from tokportal_server.videos.requests import VideoCorrectionsRequest
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account
from tokportal_server.workbench.operations.submit_slot import submit_slot

PROFILE = {"username": "acme.daily", "visible_name": "Acme", "biography": "Every day."}


def in_days(days: int) -> str:
    """Give the day that is ``days`` after today, as the API wants it."""
    return (real_now().date() + timedelta(days=days)).isoformat()


def order(videos: int = 2, **more: Any) -> dict[str, Any]:
    """Give the body of an order for an account with videos."""
    return {
        "bundle_type": "account_and_videos" if videos else "account_only",
        "country": "USA",
        "platform": "tiktok",
        "videos_quantity": videos,
        **more,
    }


def video(days: int = 5, **more: Any) -> dict[str, Any]:
    """Give the body that configures a slot with an external video."""
    return {
        "video_type": "video",
        "description": "Look at this.",
        "target_publish_date": in_days(days),
        "video_url": "https://media.example.com/a.mp4",
        **more,
    }


async def ordered(alice: Client, **more: Any) -> str:
    """Order a bundle; give its id."""
    return str((await alice.post("/bundles", order(**more))).data["id"])


async def published(alice: Client, **more: Any) -> str:
    """Order, configure the profile and publish; give the bundle's id."""
    bundle_id = await ordered(alice, **more)
    assert (await alice.put(f"/bundles/{bundle_id}/account", PROFILE)).status == 200
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    return bundle_id


async def claimed(conn: Connection, world: World, ports: Ports, bundle_id: str) -> None:
    """Have Mona claim a published bundle."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        rules = OrderRules.of(ports.settings)
        await claim_bundle(tx=tx, actor=world.as_mona, bundle_id=UUID(bundle_id), rules=rules)


async def set_up(
    conn: Connection,
    world: World,
    ports: Ports,
    bundle_id: str,
    profile_url: str = "https://www.tiktok.com/@acme.daily",
) -> UUID:
    """Have Mona hand in the account of a bundle that she has claimed; give its id."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        return await submit_account(
            tx=tx,
            actor=world.as_mona,
            vault=ports.vault,
            bundle_id=UUID(bundle_id),
            submitted=SubmittedAccount(
                username="acme.daily",
                profile_url=profile_url,
                credentials=Credentials(password="p", email="a@b.example", email_password="q"),
            ),
            rules=OrderRules.of(ports.settings),
        )


UPLOAD = """
INSERT INTO uploads (workspace_id, id, bundle_id, purpose, filename, storage_key, content_type,
                     size_bytes, width, height, sha256, created_at)
VALUES ($1, $2, $3, $4, 'a', $5, $6, 1, 2, 2, '', now())
"""
POST = "https://www.tiktok.com/@acme.daily/video/7300000000000000000"


async def uploaded(
    conn: Connection, workspace: UUID, bundle_id: str, purpose: str = "video"
) -> str:
    """Record an upload, as if its bytes were stored; give its storage path."""
    key = f"{workspace}/{token_urlsafe(20)}"
    kind = "video/mp4" if purpose == "video" else "image/png"
    await conn.execute(UPLOAD, workspace, uuid4(), UUID(bundle_id), purpose, key, kind)
    return key


def working(
    conn: Connection, world: World, *, days: float = 0, hours: float = 0
) -> AbstractAsyncContextManager[UnitOfWork]:
    """Open a transaction in Alice's workspace, so much later than now."""
    return unit_of_work(conn, world.acme, now=real_now() + timedelta(days=days, hours=hours))


async def published_with_videos(
    alice: Client, conn: Connection, world: World, *, days: int = 5, **more: Any
) -> str:
    """Order, configure everything with uploaded videos for one day, and publish; give the id."""
    bundle_id = await ordered(alice, **more)
    assert (await alice.put(f"/bundles/{bundle_id}/account", PROFILE)).status == 200
    for slot in (await alice.get(f"/bundles/{bundle_id}/videos")).data:
        path = await uploaded(conn, world.acme, bundle_id)
        put = await alice.put(
            f"/bundles/{bundle_id}/videos/{slot['position']}", video(days, video_url=path)
        )
        assert put.status == 200, put.json
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    return bundle_id


async def workable(alice: Client, conn: Connection, world: World, ports: Ports, **more: Any) -> str:
    """Bring an order to where Mona holds it and its slots wait for their day, five days ahead."""
    bundle_id = await published_with_videos(alice, conn, world, **more)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    assert (await alice.post(f"/bundles/{bundle_id}/account/finalize")).status == 200
    return bundle_id


async def posted(
    conn: Connection,
    world: World,
    ports: Ports,
    bundle_id: str,
    position: int = 1,
    *,
    days: float = 5,
    url: str = POST,
) -> None:
    """Have Mona hand in a slot's post, ``days`` after today."""
    async with working(conn, world, days=days) as tx:
        await submit_slot(
            tx=tx,
            actor=world.as_mona,
            bundle_id=UUID(bundle_id),
            position=position,
            platform_url=url,
            rules=OrderRules.of(ports.settings),
        )


async def released(conn: Connection, world: World, ports: Ports, bundle_id: str) -> None:
    """Have Mona give a bundle back."""
    async with working(conn, world) as tx:
        await release_claim(
            tx=tx,
            actor=world.as_mona,
            bundle_id=UUID(bundle_id),
            reason="Ill",
            rules=OrderRules.of(ports.settings),
        )


async def sent_back(
    conn: Connection, world: World, ports: Ports, bundle_id: str, position: int = 1
) -> None:
    """Have Alice ask for corrections of a slot in review, five days after today."""
    async with working(conn, world, days=5) as tx:
        await request_slot_corrections(
            tx=tx,
            actor=Actor("customer", world.alice),
            bundle_id=UUID(bundle_id),
            position=position,
            request=VideoCorrectionsRequest(comment="Louder."),
            rules=OrderRules.of(ports.settings),
        )


async def events_of(conn: Connection, world: World, *types: str) -> list[Any]:
    """Give the data of the workspace's events of these types, in order."""
    rows = await conn.fetch(
        "SELECT type, data, created_at FROM events WHERE workspace_id = $1 AND type = ANY ($2)"
        " ORDER BY sequence",
        world.acme,
        list(types),
    )
    return list(rows)
