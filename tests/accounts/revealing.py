"""Accounts whose secrets are about to be revealed, and what is seen of it afterwards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.bundles.stages import handed_in
from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, published, working
from tokportal_server.accounts.operations.create_edit_request import create_edit_request
from tokportal_server.accounts.wire import AccountEditRequest, Credentials
from tokportal_server.lib.db import Connection
from tokportal_server.lib.outbound import OutboundPolicy
from tokportal_server.lib.ports import Ports
from tokportal_server.uploads.source import MediaSource
from tokportal_server.workbench.operations.enter_code import enter_code
from tokportal_server.workbench.operations.set_price import set_price

PLANTED = Credentials(
    password="planted-password",
    email="planted@mail.example",
    email_password="planted-mail-password",
    recovery_codes=["planted-recovery-1", "planted-recovery-2"],
)
AUDIT = """
SELECT action, subject_id, actor_id, details FROM audit
 WHERE workspace_id = $1 AND action LIKE 'account.%' ORDER BY ordinal
"""
PROFILE_CHANGE = {"requested_username": "acme.weekly", "requested_visible_name": "Acme Weekly"}


async def owned(alice: Client, conn: Connection, world: World, ports: Ports) -> UUID:
    """Have an account delivered whose secrets are planted; give its id."""
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    account_id = await handed_in(conn, world, ports, bundle_id, credentials=PLANTED)
    assert (await alice.post(f"/bundles/{bundle_id}/account/finalize")).status == 200
    return account_id


async def code_entered(
    conn: Connection, world: World, ports: Ports, account_id: UUID, code: str, *, hours: float = 0
) -> None:
    """Have Mona enter a code, so many hours after now."""
    async with working(conn, world, hours=hours) as tx:
        await enter_code(
            tx=tx,
            actor=world.as_mona,
            vault=ports.vault,
            account_id=account_id,
            code=code,
            sender="no-reply@platform.example",
            subject="Your code",
        )


async def edit_asked(conn: Connection, world: World, account_id: UUID) -> UUID:
    """Ask for a change of a profile without a call; give the request's id."""
    async with working(conn, world) as tx:
        request_id, _ = await create_edit_request(
            tx=tx,
            actor=world.as_mona,
            account_id=account_id,
            request=AccountEditRequest(**PROFILE_CHANGE),
            source=MediaSource("http://127.0.0.1", OutboundPolicy()),
        )
    return request_id


async def fee_set(conn: Connection, world: World, amount: int) -> None:
    """Have Olga set the owning fee."""
    await set_price(conn=conn, actor=world.as_olga, name="owning_fee", amount=amount)


async def audited(conn: Connection, world: World) -> list[tuple[str, dict[str, Any]]]:
    """Give action and details of what the audit log has on accounts, oldest first."""
    return [(row["action"], row["details"]) for row in await conn.fetch(AUDIT, world.acme)]


async def more_videos(alice: Client, account_id: UUID, **more: Any) -> Any:
    """Order videos for an account; give the reply."""
    order = {"bundle_type": "videos_only", "account_id": str(account_id), "videos_quantity": 2}
    return await alice.post("/bundles", {**order, **more})


async def balance(alice: Client) -> int:
    """Give the workspace's credits."""
    return int((await alice.get("/credits/balance")).data["credits"])
