"""An order's way, step by step, for tests that begin in the middle of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.cast import World
from tests.client import Client
from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account

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


async def set_up(conn: Connection, world: World, ports: Ports, bundle_id: str) -> UUID:
    """Have Mona hand in the account of a bundle that she has claimed; give its id."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        return await submit_account(
            tx=tx,
            actor=world.as_mona,
            vault=ports.vault,
            bundle_id=UUID(bundle_id),
            submitted=SubmittedAccount(
                username="acme.daily",
                profile_url="https://www.tiktok.com/@acme.daily",
                credentials=Credentials(password="p", email="a@b.example", email_password="q"),
            ),
            rules=OrderRules.of(ports.settings),
        )
