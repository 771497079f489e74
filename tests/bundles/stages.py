"""Bundles and accounts brought to the stage where a test begins."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, published, set_up, video
from tokportal_server.accounts.wire import Credentials
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations import reverse_charges as operations
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account

PAUSE = "INSERT INTO kill_switches (scope, subject_id, reason) VALUES ($1, $2, $3)"
SET_COUNTRY = "UPDATE countries SET enabled_for = $2 WHERE code = $1"
SET_ACCOUNT = "UPDATE saved_accounts SET status = $2 WHERE id = $1"
MEDIA_READY = "UPDATE slots SET media_status = 'ready' WHERE bundle_id = $1"
FETCH_FAILED = """
UPDATE slots SET media_status = 'failed',
       media_error = '{"code": "FETCH_DNS", "message": "no such host"}'
 WHERE bundle_id = $1 AND position = $2
"""
PICTURE_FAILED = """
UPDATE media SET status = 'failed', error = '{"code": "FETCH_DNS", "message": "no such host"}'
 WHERE bundle_id = $1 AND kind = 'profile_picture'
"""
STALE = "UPDATE slots SET target_start = $2, target_end = $2::date + 1 WHERE bundle_id = $1"
NOBODY = UUID(int=0)


async def in_review(
    alice: Client, conn: Connection, world: World, ports: Ports, *, videos: int = 0, **more: Any
) -> tuple[str, UUID]:
    """Bring a bundle to the review of its account; give the ids of both."""
    bundle_id = await published(alice, videos=videos, **more)
    await claimed(conn, world, ports, bundle_id)
    return bundle_id, await set_up(conn, world, ports, bundle_id)


async def delivered(
    alice: Client, conn: Connection, world: World, ports: Ports, **more: Any
) -> UUID:
    """Have an account delivered; give its id."""
    bundle_id, account_id = await in_review(alice, conn, world, ports, **more)
    assert (await alice.post(f"/bundles/{bundle_id}/account/finalize")).status == 200
    return account_id


async def handed_in(
    conn: Connection, world: World, ports: Ports, bundle_id: str, **more: Any
) -> UUID:
    """Have Mona hand in an account that may differ from the wanted one; give its id."""
    facts: dict[str, Any] = {
        "username": "acme.daily",
        "profile_url": "https://www.tiktok.com/@acme.daily",
        "credentials": Credentials(password="p", email="a@b.example", email_password="q"),
    }
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        return await submit_account(
            tx=tx,
            actor=world.as_mona,
            vault=ports.vault,
            bundle_id=UUID(bundle_id),
            submitted=SubmittedAccount(**{**facts, **more}),
            rules=OrderRules.of(ports.settings),
        )


async def configured(alice: Client, bundle_id: str, position: int = 1, **more: Any) -> None:
    """Configure a slot with an external video, which is not fetched: no worker runs here."""
    reply = await alice.put(f"/bundles/{bundle_id}/videos/{position}", video(**more))
    assert reply.status == 200, reply.body


async def reverse_charges(conn: Connection, world: World, bundle_id: str) -> None:
    """Give back what a bundle cost, as an operator may while it is being set up."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await operations.reverse_charges(
            tx=tx, actor=world.as_olga, bundle_id=UUID(bundle_id), reason="Not yet"
        )


async def pause(
    conn: Connection, scope: str, subject: UUID = NOBODY, reason: str = "audit"
) -> None:
    """Set a kill switch as the operator does."""
    await conn.execute(PAUSE, scope, subject, reason)


async def grant(conn: Connection, workspace: UUID, amount: int) -> None:
    """Give a workspace credits as an operator does."""
    async with unit_of_work(conn, workspace, now=real_now()) as tx:
        await ledger.grant(
            tx,
            amount=amount,
            source="grant",
            expires_at=None,
            description="More",
            business_key=f"grant:{uuid4()}",
            actor=Actor("operator"),
        )


async def wrong_books(conn: Connection) -> dict[str, Any]:
    """Give what doctor finds to be wrong, by the name of its check."""
    found = await examine(conn)
    return {f.check.name: f.contradictions for f in found if f.contradictions}
