"""Reads of the ledger and of ``/me``, always of one workspace."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from tokportal_server.credits.ledger import spendable
from tokportal_server.credits.wire import (
    Balance,
    ClockFacts,
    EntryReference,
    HistoryQuery,
    KeyFacts,
    Me,
    Transaction,
    UpcomingExpiration,
    WorkspaceFacts,
)
from tokportal_server.http.admission import Caller
from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection, existing

UPCOMING = """
SELECT remaining, expires_at, source FROM credit_lots
 WHERE workspace_id = $1 AND remaining > 0 AND expires_at > $2
 ORDER BY expires_at, ordinal
"""
HISTORY = """
SELECT e.id, e.type, e.amount, e.description, e.breakdown, e.balance_after, e.reference_kind,
       e.reference_id, e.created_at,
       (SELECT min(l.lot_id::text)::uuid FROM credit_entry_lots l
         WHERE l.workspace_id = e.workspace_id AND l.entry_id = e.id HAVING count(*) = 1) AS lot_id
  FROM credit_entries e
 WHERE e.workspace_id = $1
   AND ($2::timestamptz IS NULL OR e.created_at >= $2)
   AND ($3::timestamptz IS NULL OR e.created_at <= $3)
 ORDER BY e.ordinal DESC LIMIT $4 OFFSET $5
"""
HISTORY_TOTAL = """
SELECT count(*) FROM credit_entries e
 WHERE e.workspace_id = $1
   AND ($2::timestamptz IS NULL OR e.created_at >= $2)
   AND ($3::timestamptz IS NULL OR e.created_at <= $3)
"""
ME = """
SELECT p.email, p.name, p.created_at, w.name AS workspace_name, w.plan, w.timezone, w.rehearsal,
       k.name AS key_name, k.environment, k.scope, k.expires_at, k.last_used_at
  FROM api_keys k
  JOIN workspaces w ON w.id = k.workspace_id
  JOIN people p ON p.id = k.person_id
 WHERE k.workspace_id = $1 AND k.id = $2
"""
_SOON = timedelta(days=7)


async def balance(conn: Connection, workspace_id: UUID, now: datetime) -> Balance:
    """Give what can be spent, and what will expire when."""
    lots = await conn.fetch(UPCOMING, workspace_id, now)
    total = await spendable(conn, workspace_id, now)
    return Balance(
        total_credits=total,
        credits=total,
        expiring_within_7_days=sum(
            lot["remaining"] for lot in lots if lot["expires_at"] <= now + _SOON
        ),
        upcoming_expirations=[
            UpcomingExpiration(lot["remaining"], wire_time(lot["expires_at"]), lot["source"])
            for lot in lots
        ],
        last_updated=wire_time(now),
    )


async def history(
    conn: Connection, workspace_id: UUID, query: HistoryQuery
) -> tuple[list[Transaction], Page]:
    """Give a page of entries, newest first."""
    begin, end = span_of(query)
    rows = await conn.fetch(HISTORY, workspace_id, begin, end, query.per_page, query.offset)
    total = await conn.fetchval(HISTORY_TOTAL, workspace_id, begin, end)
    entries = [
        Transaction(
            id=row["id"],
            type=row["type"],
            amount=row["amount"],
            description=row["description"],
            breakdown=row["breakdown"],
            balance_after=row["balance_after"],
            reference=EntryReference(row["reference_kind"], row["reference_id"]),
            lot_id=row["lot_id"],
            created_at=wire_time(row["created_at"]),
        )
        for row in rows
    ]
    return entries, query.of(total)


def span_of(query: HistoryQuery) -> tuple[datetime | None, datetime | None]:
    """Give the first and the last moment of the days that are asked for; None is without end."""
    first, last = query.date_from, query.date_to
    return (
        None if first is None else datetime.combine(first, time.min, UTC),
        None if last is None else datetime.combine(last, time.max, UTC),
    )


async def me(conn: Connection, caller: Caller) -> Me:
    """Describe the person, workspace and key behind a call."""
    row = existing(await conn.fetchrow(ME, caller.workspace_id, caller.key_id))
    return Me(
        email=row["email"],
        name=row["name"],
        workspace=WorkspaceFacts(
            id=caller.workspace_id,
            name=row["workspace_name"],
            plan=row["plan"],
            timezone=row["timezone"],
            rehearsal=row["rehearsal"],
        ),
        clock=ClockFacts(now=wire_time(caller.now), virtual=row["rehearsal"]),
        credits=await spendable(conn, caller.workspace_id, caller.now),
        plan=row["plan"],
        api_key=KeyFacts(
            id=caller.key_id,
            name=row["key_name"],
            environment=row["environment"],
            scope=row["scope"],
            expires_at=wire_time(row["expires_at"]),
            last_used_at=wire_time(row["last_used_at"]),
        ),
        created_at=wire_time(row["created_at"]),
    )
