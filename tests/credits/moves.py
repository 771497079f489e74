"""Moving credits in tests, at whatever instant the test says."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workspaces.operations.create_person import create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace


async def empty_workspace(conn: Connection) -> UUID:
    """Make a workspace that never had a credit; give its id."""
    owner = await create_person(conn=conn, email=f"{uuid4()}@example.com", name="Owner")
    return await create_workspace(conn=conn, name="Empty", owner_id=owner)


async def grant(
    conn: Connection,
    workspace: UUID,
    amount: int,
    *,
    now: datetime,
    expires_at: datetime | None = None,
    source: str = "purchase",
    business_key: str | None = None,
) -> int:
    """Grant a lot; give the balance after it."""
    async with unit_of_work(conn, workspace, now=now) as tx:
        return await ledger.grant(
            tx,
            amount=amount,
            source=source,
            expires_at=expires_at,
            description=f"{amount} credits",
            business_key=business_key or f"grant:{uuid4()}",
            actor=SYSTEM,
        )


async def debit(
    conn: Connection,
    workspace: UUID,
    amount: int,
    *,
    now: datetime,
    business_key: str | None = None,
) -> UUID:
    """Debit credits for a thing that nobody asks about; give the entry's id."""
    subject = uuid4()
    async with unit_of_work(conn, workspace, now=now) as tx:
        _, entry = await ledger.debit(
            tx,
            amount=amount,
            description="Something",
            breakdown={"something": amount, "total": amount},
            reference=ledger.Reference("thing", subject, business_key or f"thing:{subject}"),
            actor=SYSTEM,
        )
    assert entry is not None
    return entry


async def refund(
    conn: Connection,
    workspace: UUID,
    debit_id: UUID,
    amount: int,
    *,
    now: datetime,
    business_key: str | None = None,
) -> int:
    """Give back a part of a debit; give the balance after it."""
    async with unit_of_work(conn, workspace, now=now) as tx:
        return await ledger.refund(
            tx,
            debit_id=debit_id,
            amount=amount,
            description="Something went wrong",
            breakdown={"something": amount, "total": amount},
            reference=ledger.Reference("thing", None, business_key or f"refund:{uuid4()}"),
            actor=SYSTEM,
        )
