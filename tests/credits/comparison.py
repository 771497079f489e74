"""The database's wallet held against the model's."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from tests.credits.wallet import Wallet
from tokportal_server.credits.ledger import spendable
from tokportal_server.lib.db import Connection

NEVER = datetime.max.replace(tzinfo=UTC)
LOTS = """
SELECT remaining, expires_at FROM credit_lots WHERE workspace_id = $1 ORDER BY ordinal
"""
ENTRIES = "SELECT sum(amount) FROM credit_entries WHERE workspace_id = $1"


async def compare(conn: Connection, workspace: UUID, wallet: Wallet) -> None:
    """Assert that every lot holds what the model says, and that the entries add up to the lots."""
    assert await spendable(conn, workspace, wallet.moment) == wallet.balance >= 0
    rows = await conn.fetch(LOTS, workspace)
    # What a refused write booked went back with it, so lots that are due may still be full.
    kept = [
        (0 if (row["expires_at"] or NEVER) <= wallet.moment else row["remaining"]) for row in rows
    ]
    assert kept == [lot.left for lot in wallet.lots]
    assert [row["expires_at"] or NEVER for row in rows] == [lot.ends for lot in wallet.lots]
    assert (
        await conn.fetchval(ENTRIES, workspace) == sum(row["remaining"] for row in rows) or not rows
    )
