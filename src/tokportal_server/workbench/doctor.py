"""``tokportal-server doctor``: proofs that the books are right, read from the database itself.

Each check is a query that finds contradictions; no row is the proof. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokportal_server.lib.db import Connection
from tokportal_server.lib.machine import Machine
from tokportal_server.orders.states import JOURNAL_KEPT
from tokportal_server.workbench.machines import MACHINES


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
SELECT b.workspace_id, b.id AS bundle_id, b.charge_state, b.cost_breakdown ->> 'total' AS sold,
       COALESCE(c.amount, 0) AS charged
  FROM bundles b
  LEFT JOIN (SELECT workspace_id, bundle_id, sum(amount) AS amount FROM bundle_charges
              WHERE reversed_at IS NULL GROUP BY 1, 2) c
    ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id
 WHERE COALESCE(c.amount, 0) <> CASE b.charge_state
           WHEN 'paid' THEN (b.cost_breakdown ->> 'total')::integer ELSE 0 END
"""
CHARGE_ENTRIES = """
SELECT COALESCE(e.workspace_id, c.workspace_id) AS workspace_id,
       COALESCE(e.id, c.entry_id) AS entry_id, e.amount, c.amount AS shared_out
  FROM (SELECT * FROM credit_entries
         WHERE type = 'debit' AND reference_kind IN ('bundle', 'bulk_order')) e
  FULL JOIN (SELECT workspace_id, entry_id, sum(amount) AS amount FROM bundle_charges
              GROUP BY 1, 2) c
    ON c.workspace_id = e.workspace_id AND c.entry_id = e.id
 WHERE -e.amount IS DISTINCT FROM c.amount
"""
CHARGE_PARTS = """
SELECT c.workspace_id, c.bundle_id, c.number, c.amount, c.breakdown FROM bundle_charges c
 WHERE c.amount IS DISTINCT FROM (SELECT sum(p.value::integer) FROM jsonb_each_text(c.breakdown) p
                                   WHERE p.key <> 'total')
"""
OPTIONS = """
SELECT o.workspace_id, o.slot_id, o.name, o.price, e.amount FROM slot_options o
  LEFT JOIN credit_entries e ON e.workspace_id = o.workspace_id AND e.id = o.entry_id
   AND e.business_key = 'slot:' || o.slot_id || ':option:' || o.name
 WHERE o.price <> COALESCE(-e.amount, 0)
"""
CHARGE_REFUNDS = """
SELECT c.workspace_id, c.bundle_id, c.number, c.refunded, COALESCE(sum(r.amount), 0) AS booked
  FROM bundle_charges c
  LEFT JOIN credit_entries r
    ON r.workspace_id = c.workspace_id AND r.refunds_entry_id = c.entry_id
   AND r.reference_kind = 'bundle' AND r.reference_id = c.bundle_id
 GROUP BY c.workspace_id, c.bundle_id, c.number, c.refunded
HAVING c.refunded <> COALESCE(sum(r.amount), 0)
"""
ORPHAN_CHARGES = """
SELECT e.workspace_id, e.id AS entry_id FROM credit_entries e
 WHERE e.reference_kind = 'bundle'
   AND NOT EXISTS (SELECT 1 FROM bundles b
                    WHERE b.workspace_id = e.workspace_id AND b.id = e.reference_id)
"""
COMMENT_CHARGES = """
SELECT COALESCE(e.workspace_id, t.workspace_id) AS workspace_id,
       COALESCE(e.id, t.entry_id) AS entry_id, e.amount, t.price AS shared_out
  FROM (SELECT * FROM credit_entries
         WHERE type = 'debit' AND reference_kind IN ('comment_task', 'comment_order')) e
  FULL JOIN (SELECT workspace_id, entry_id, sum(price) AS price FROM comment_tasks
              WHERE entry_id IS NOT NULL GROUP BY 1, 2) t
    ON t.workspace_id = e.workspace_id AND t.entry_id = e.id
 WHERE -e.amount IS DISTINCT FROM t.price
"""
COMMENT_REFUNDS = """
SELECT t.workspace_id, t.id AS task_id, t.status, t.price, r.amount AS refunded
  FROM comment_tasks t
  LEFT JOIN credit_entries r
    ON r.workspace_id = t.workspace_id AND r.business_key = 'comment_task:' || t.id || ':refund'
   AND r.refunds_entry_id = t.entry_id
 WHERE t.entry_id IS NOT NULL
   AND COALESCE(r.amount, 0) <> CASE t.status WHEN 'cancelled' THEN t.price ELSE 0 END
"""
COMMENT_TIMERS = """
SELECT workspace_id, id AS task_id, status FROM comment_tasks
 WHERE (due_at IS NULL) <> (status IN ('finalized', 'cancelled') OR with_operator)
    OR (look_at IS NOT NULL AND status NOT IN ('submitted', 'pending_corrections'))
"""
EDIT_REQUESTS = """
SELECT q.workspace_id, q.id AS edit_request_id, q.status, q.price, e.amount, r.amount AS refunded
  FROM edit_requests q
  LEFT JOIN credit_entries e
    ON e.workspace_id = q.workspace_id AND e.id = q.entry_id
   AND e.business_key = 'edit_request:' || q.id || ':charge'
  LEFT JOIN credit_entries r
    ON r.workspace_id = q.workspace_id AND r.business_key = 'edit_request:' || q.id || ':refund'
   AND r.refunds_entry_id = q.entry_id
 WHERE q.price <> COALESCE(-e.amount, 0)
    OR COALESCE(r.amount, 0) <> CASE q.status WHEN 'rejected' THEN q.price ELSE 0 END
"""
OWNING_FEES = """
SELECT COALESCE(a.workspace_id, e.workspace_id) AS workspace_id,
       COALESCE(a.id, e.reference_id) AS account_id, a.owning_fee_paid_at, e.amount
  FROM (SELECT * FROM saved_accounts WHERE owning_fee_paid_at IS NOT NULL) a
  FULL JOIN (SELECT * FROM credit_entries WHERE type = 'debit' AND reference_kind = 'account') e
    ON e.workspace_id = a.workspace_id AND e.business_key = 'account:' || a.id || ':owning_fee'
 WHERE a.id IS NULL OR e.id IS NULL
"""
CLAIMS = """
SELECT b.workspace_id, b.id AS bundle_id, b.status, c.id AS claim_id FROM bundles b
  FULL JOIN (SELECT * FROM claims WHERE status = 'live') c
    ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id
 WHERE (b.status = 'accepted') IS DISTINCT FROM (c.id IS NOT NULL)
"""
ENDED = """
SELECT b.workspace_id, b.id AS bundle_id, b.status FROM bundles b
 WHERE b.status IN ('completed', 'cancelled', 'archived')
   AND (b.priority_at IS NOT NULL
        OR EXISTS (SELECT FROM claims c WHERE c.workspace_id = b.workspace_id AND c.bundle_id = b.id
                      AND (c.status = 'live' OR c.due_at IS NOT NULL))
        OR EXISTS (SELECT FROM profiles p
                    WHERE p.workspace_id = b.workspace_id AND p.bundle_id = b.id
                      AND (p.status NOT IN ('finalized', 'cancelled')
                           OR p.review_deadline_at IS NOT NULL))
        OR EXISTS (SELECT FROM slots s WHERE s.workspace_id = b.workspace_id AND s.bundle_id = b.id
                      AND (s.status NOT IN ('finalized', 'cancelled')
                           OR s.review_deadline_at IS NOT NULL)))
"""
LEVELS = """
SELECT w.workspace_id, w.low_below, w.is_low, COALESCE(sum(l.remaining), 0) AS credits
  FROM wallets w
  LEFT JOIN credit_lots l ON l.workspace_id = w.workspace_id AND l.remaining > 0
 GROUP BY w.workspace_id, w.low_below, w.is_low
HAVING w.is_low <> (COALESCE(sum(l.remaining), 0) < w.low_below)
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

# Totals of attempts of which there are none count for nothing on both sides.
DELIVERY_TOTALS = """
SELECT workspace_id, endpoint_id, event_type, status, d.n AS attempts, t.n AS counted
  FROM (SELECT workspace_id, endpoint_id, event_type, status, count(*) AS n
          FROM webhook_deliveries GROUP BY 1, 2, 3, 4) d
  FULL JOIN (SELECT workspace_id, endpoint_id, event_type, status, sum(n) AS n
               FROM webhook_tallies GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0) t
 USING (workspace_id, endpoint_id, event_type, status)
 WHERE d.n IS DISTINCT FROM t.n
"""

EARNINGS = """
SELECT e.workspace_id, e.id AS entry_id, e.kind, 'is not finished' AS wrong
  FROM earnings e
  LEFT JOIN profiles p ON e.kind = 'account_setup' AND p.workspace_id = e.workspace_id
                      AND p.bundle_id = e.bundle_id AND p.id = e.job_id AND p.status = 'finalized'
  LEFT JOIN slots s ON e.kind IN ('video', 'video_edit', 'story')
                   AND s.workspace_id = e.workspace_id AND s.id = e.job_id
                   AND s.status = 'finalized'
  LEFT JOIN comment_tasks t ON e.kind = 'comment' AND t.workspace_id = e.workspace_id
                           AND t.id = e.job_id AND t.status = 'finalized'
  LEFT JOIN edit_requests r ON e.kind = 'profile_edit' AND r.workspace_id = e.workspace_id
                           AND r.id = e.job_id AND r.status = 'completed'
 WHERE e.type = 'job' AND COALESCE(p.id, s.id, t.id, r.id) IS NULL
   AND NOT EXISTS (SELECT FROM erasures x
                    WHERE x.kind = 'workspace' AND x.subject_id = e.workspace_id)
UNION ALL
SELECT e.workspace_id, e.id, e.kind, 'takes back what was not earned'
  FROM earnings e
  LEFT JOIN earnings j ON j.workspace_id = e.workspace_id AND j.job_id = e.job_id
                      AND j.kind = e.kind AND j.type = 'job' AND j.manager_id = e.manager_id
 WHERE e.type = 'reversal' AND j.amount IS DISTINCT FROM -e.amount
"""


def _journal(machine: Machine) -> Check:
    """Compare a machine's rows with the last entry of the journal, and the entries' chain.

    A workspace that is older than what is kept of the journal may have lost the beginning.
    """
    young = f"w.created_at > now() - interval '{JOURNAL_KEPT.days} days'"
    query = f"""
SELECT o.workspace_id, o.id AS object_id, o.status, j.to_status AS journal FROM {machine.table} o
  JOIN workspaces w ON w.id = o.workspace_id
  LEFT JOIN LATERAL (
      SELECT to_status FROM journal
       WHERE workspace_id = o.workspace_id AND object_id = o.id AND kind = '{machine.kind}'
       ORDER BY ordinal DESC LIMIT 1
  ) j ON true
 WHERE o.status IS DISTINCT FROM j.to_status AND (j.to_status IS NOT NULL OR {young})
UNION ALL
SELECT c.workspace_id, object_id, from_status, before FROM (
    SELECT workspace_id, object_id, from_status,
           lag(to_status) OVER (PARTITION BY workspace_id, object_id ORDER BY ordinal) AS before
      FROM journal WHERE kind = '{machine.kind}'
) c JOIN workspaces w ON w.id = c.workspace_id
 WHERE from_status IS DISTINCT FROM before AND (before IS NOT NULL OR {young})
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
    Check("charges", "every bundle was charged what it costs, or that was reversed", CHARGES),
    Check("charge entries", "every debit of orders is shared out to its bundles", CHARGE_ENTRIES),
    Check("charge parts", "a charge is the sum of its parts", CHARGE_PARTS),
    Check("charge refunds", "what a charge gave back stands in the ledger", CHARGE_REFUNDS),
    Check("options", "every option of a slot was charged its price", OPTIONS),
    Check("edit requests", "a change is paid, or paid back if rejected", EDIT_REQUESTS),
    Check("owning fees", "what an account paid for being owned was charged", OWNING_FEES),
    Check("comment charges", "every debit of comments is the price of its tasks", COMMENT_CHARGES),
    Check("comment refunds", "a task's price went back if it was cancelled", COMMENT_REFUNDS),
    Check("comment timers", "a task ends by itself, or waits for an operator", COMMENT_TIMERS),
    Check("credit levels", "a wallet knows on which side of its mark it is", LEVELS),
    Check("charged bundles", "every charge is for a bundle that exists", ORPHAN_CHARGES),
    Check("claims", "a bundle is accepted exactly while one claim is live", CLAIMS),
    Check("ended bundles", "what has ended holds no claim, deadline or open part", ENDED),
    Check("slots", "a bundle has as many slots as were ordered", SLOT_COUNT),
    Check("event sequence", "events are numbered without a gap", EVENT_SEQUENCE),
    Check("delivery totals", "every total of attempts is what the log holds", DELIVERY_TOTALS),
    Check("earnings", "what managers earned is finished, and taken back once at most", EARNINGS),
    *(_journal(machine) for machine in MACHINES),
    *(_counter(machine) for machine in MACHINES),
)


async def examine(conn: Connection) -> list[Finding]:
    """Run every check on one snapshot of the database."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return [
            Finding(check, [dict(row) for row in await conn.fetch(check.query)]) for check in CHECKS
        ]
