"""``tokportal-server doctor``: proofs that the books are right, read from the database itself.

Each check is a query that finds contradictions; no row is the proof. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokportal_server.lib.db import Connection
from tokportal_server.lib.machine import Machine
from tokportal_server.orders.states import MACHINES


@dataclass(frozen=True, slots=True)
class Check:
    """One proof: what is true, and the query that finds rows that contradict it."""

    name: str
    claim: str
    query: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a check; ``contradictions`` is empty when the claim holds."""

    check: Check
    contradictions: list[dict[str, Any]]


LEDGER_SUMS = """
SELECT w.id AS workspace_id, COALESCE(e.total, 0) AS entries, COALESCE(l.total, 0) AS lots
  FROM workspaces w
  LEFT JOIN (SELECT workspace_id, sum(amount) AS total FROM credit_entries GROUP BY 1) e
    ON e.workspace_id = w.id
  LEFT JOIN (SELECT workspace_id, sum(remaining) AS total FROM credit_lots GROUP BY 1) l
    ON l.workspace_id = w.id
 WHERE COALESCE(e.total, 0) <> COALESCE(l.total, 0)
"""
ENTRY_LINES = """
SELECT e.workspace_id, e.id AS entry_id, e.amount, COALESCE(sum(l.amount), 0) AS lines
  FROM credit_entries e
  LEFT JOIN credit_entry_lots l ON l.workspace_id = e.workspace_id AND l.entry_id = e.id
 GROUP BY e.workspace_id, e.id, e.amount
HAVING e.amount <> COALESCE(sum(l.amount), 0)
"""
LOT_LINES = """
SELECT c.workspace_id, c.id AS lot_id, c.remaining, COALESCE(sum(l.amount), 0) AS lines
  FROM credit_lots c
  LEFT JOIN credit_entry_lots l ON l.workspace_id = c.workspace_id AND l.lot_id = c.id
 GROUP BY c.workspace_id, c.id, c.remaining
HAVING c.remaining <> COALESCE(sum(l.amount), 0)
"""
RUNNING_BALANCE = """
SELECT workspace_id, id AS entry_id, balance_after, running FROM (
    SELECT workspace_id, id, balance_after,
           sum(amount) OVER (PARTITION BY workspace_id ORDER BY ordinal) AS running
      FROM credit_entries
) r WHERE balance_after <> running
"""
REFUNDS = """
SELECT d.workspace_id, d.id AS debit_id, d.amount, sum(r.amount) AS refunded
  FROM credit_entries d
  JOIN credit_entries r ON r.workspace_id = d.workspace_id AND r.refunds_entry_id = d.id
 GROUP BY d.workspace_id, d.id, d.amount HAVING sum(r.amount) > -d.amount
"""
CHARGES = """
SELECT b.workspace_id, b.id AS bundle_id, b.cost_breakdown ->> 'total' AS sold, e.amount AS charged
  FROM bundles b
  LEFT JOIN credit_entries e
    ON e.workspace_id = b.workspace_id AND e.business_key = 'bundle:' || b.id || ':charge:1'
 WHERE (b.cost_breakdown ->> 'total')::integer <> COALESCE(-e.amount, 0)
"""
ORPHAN_CHARGES = """
SELECT e.workspace_id, e.id AS entry_id FROM credit_entries e
 WHERE e.reference_kind = 'bundle'
   AND NOT EXISTS (SELECT 1 FROM bundles b
                    WHERE b.workspace_id = e.workspace_id AND b.id = e.reference_id)
"""
CLAIMS = """
SELECT b.workspace_id, b.id AS bundle_id, b.status, c.id AS claim_id FROM bundles b
  FULL JOIN (SELECT * FROM claims WHERE status = 'live') c
    ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id
 WHERE (b.status = 'accepted') IS DISTINCT FROM (c.id IS NOT NULL)
"""
SLOT_COUNT = """
SELECT b.workspace_id, b.id AS bundle_id, b.videos_quantity, count(s.id) AS slots FROM bundles b
  LEFT JOIN slots s ON s.workspace_id = b.workspace_id AND s.bundle_id = b.id
 GROUP BY b.workspace_id, b.id, b.videos_quantity HAVING b.videos_quantity <> count(s.id)
"""
EVENT_SEQUENCE = """
SELECT e.workspace_id, count(*) AS events, max(e.sequence) AS highest, s.last FROM events e
  LEFT JOIN event_sequences s ON s.workspace_id = e.workspace_id
 GROUP BY e.workspace_id, s.last
HAVING max(e.sequence) IS DISTINCT FROM s.last OR max(e.sequence) - min(e.sequence) + 1 <> count(*)
"""


def _journal(machine: Machine) -> Check:
    """Compare a machine's rows with the last entry of the journal, and the entries' chain."""
    query = f"""
SELECT o.workspace_id, o.id AS object_id, o.status, j.to_status AS journal FROM {machine.table} o
  LEFT JOIN LATERAL (
      SELECT to_status FROM journal
       WHERE workspace_id = o.workspace_id AND object_id = o.id AND kind = '{machine.kind}'
       ORDER BY ordinal DESC LIMIT 1
  ) j ON true
 WHERE o.status IS DISTINCT FROM j.to_status
UNION ALL
SELECT workspace_id, object_id, from_status, before FROM (
    SELECT workspace_id, object_id, from_status,
           lag(to_status) OVER (PARTITION BY workspace_id, object_id ORDER BY ordinal) AS before
      FROM journal WHERE kind = '{machine.kind}'
) c WHERE from_status IS DISTINCT FROM before
"""
    return Check(
        f"journal of {machine.table}",
        "every status is the last one of its journal, and every entry follows the one before",
        query,
    )


def _counter(machine: Machine) -> Check:
    query = f"""
SELECT COALESCE(o.workspace_id, c.workspace_id) AS workspace_id,
       COALESCE(o.status, c.status) AS status, o.n AS rows, c.n AS counted
  FROM (SELECT workspace_id, status, count(*) AS n FROM {machine.table} GROUP BY 1, 2) o
  FULL JOIN (SELECT * FROM counters WHERE kind = '{machine.kind}' AND n <> 0) c
    ON c.workspace_id = o.workspace_id AND c.status = o.status
 WHERE o.n IS DISTINCT FROM c.n
"""
    return Check(f"counters of {machine.table}", "every total is the number of rows", query)


CHECKS = (
    Check("ledger sums", "entries add up to what is left in the lots", LEDGER_SUMS),
    Check("ledger entries", "an entry is the sum of its lines", ENTRY_LINES),
    Check("ledger lots", "a lot is the sum of its lines", LOT_LINES),
    Check("ledger balances", "balance_after is the running sum", RUNNING_BALANCE),
    Check("refunds", "no debit is refunded beyond itself", REFUNDS),
    Check("charges", "every bundle was charged the price that it was sold at", CHARGES),
    Check("charged bundles", "every charge is for a bundle that exists", ORPHAN_CHARGES),
    Check("claims", "a bundle is accepted exactly while one claim is live", CLAIMS),
    Check("slots", "a bundle has as many slots as were ordered", SLOT_COUNT),
    Check("event sequence", "events are numbered without a gap", EVENT_SEQUENCE),
    *(_journal(machine) for machine in MACHINES),
    *(_counter(machine) for machine in MACHINES),
)


async def examine(conn: Connection) -> list[Finding]:
    """Run every check on one snapshot of the database."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return [
            Finding(check, [dict(row) for row in await conn.fetch(check.query)]) for check in CHECKS
        ]
