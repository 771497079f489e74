"""Reads from the statements of a transaction which tables it locks, and in which order.

The order that every transaction keeps (or two of them meet in a deadlock): idempotency key and
references of orders, bundles, what belongs to them, the wallet with its lots, counters, last the
sequence of events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from asyncpg.connection import LoggedQuery

from tokportal_server.lib import db
from tokportal_server.lib.db import Connection

RANKS = {
    "idempotency_keys": 0,
    "references": 0,
    "bundles": 1,
    "wallets": 3,
    "counters": 4,
    "event_sequences": 5,
}
OBJECTS = 2
_PATTERNS = (
    # The lock that stands for an idempotency key covers its row, which is written at the end.
    (re.compile(r"\bpg_try_advisory_xact_lock\("), "idempotency_keys"),
    (re.compile(r"\bpg_advisory_xact_lock\("), "references"),
    (re.compile(r"\bledger_\w+\("), "wallets"),
    (re.compile(r"\bwrite_changes\("), "counters"),
    (re.compile(r"\bwrite_changes\("), "event_sequences"),
    (re.compile(r"\bFROM\s+(\w+)\b[^;]*?\bFOR\s+(?:NO KEY )?(?:UPDATE|SHARE)\b"), None),
    (re.compile(r"(?:^|\(|AS \()\s*UPDATE\s+(\w+)"), None),
    (re.compile(r"\bDELETE FROM\s+(\w+)"), None),
    (re.compile(r"\bINSERT INTO\s+(\w+)\b[^;]*?\bDO UPDATE\b"), None),
)


def locked_by(statement: str) -> list[str]:
    """Name the tables of which a statement locks rows."""
    found = []
    for pattern, name in _PATTERNS:
        found += [name or match[1] for match in pattern.finditer(statement)]
    return found


def out_of_order(statements: Sequence[str]) -> list[str]:
    """Tell each lock that a transaction takes after one that should have come later."""
    held: list[str] = []
    faults = []
    for statement, table in ((s, table) for s in statements for table in locked_by(s)):
        if table in held:
            continue
        before = [other for other in held if _rank(other) > _rank(table)]
        # Who waits for nobody cannot be part of a deadlock.
        if before and "SKIP LOCKED" not in statement:
            faults.append(f"{table} after {', '.join(before)}")
        held.append(table)
    return faults


def _rank(table: str) -> int:
    return RANKS.get(table, OBJECTS)


@dataclass
class LockProbe:
    """Keeps the statements of every transaction on the connections that it watches."""

    transactions: list[list[str]] = field(default_factory=list)

    def watch(self, conn: Connection) -> None:
        """Note what this connection does from now on."""
        under_way: list[str] | None = None

        def note(logged: LoggedQuery) -> None:
            nonlocal under_way
            statement = logged.query.strip()
            if statement.startswith("BEGIN"):
                under_way = []
                self.transactions.append(under_way)
            elif statement.startswith(("COMMIT", "ROLLBACK;")):
                under_way = None
            elif under_way is not None:
                under_way.append(statement)

        conn.add_query_logger(note)

    def orders(self) -> set[tuple[str, ...]]:
        """Give the different orders in which transactions have locked tables."""
        return {
            tuple(dict.fromkeys(t for statement in statements for t in locked_by(statement)))
            for statements in self.transactions
        }

    def faults(self) -> set[str]:
        """Tell every lock that came too late, with the order of its transaction."""
        return {
            f"{fault}: {[t for s in statements for t in locked_by(s)]}"
            for statements in self.transactions
            for fault in out_of_order(statements)
        }


def watching(monkeypatch: pytest.MonkeyPatch) -> LockProbe:
    """Watch every connection that is opened from now on, a server's own among them."""
    probe = LockProbe()
    prepare = db.prepare_connection

    async def prepare_and_watch(connection: Connection) -> None:
        await prepare(connection)
        probe.watch(connection)

    monkeypatch.setattr(db, "prepare_connection", prepare_and_watch)
    return probe
