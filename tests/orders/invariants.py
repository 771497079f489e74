"""What is true of a workspace's orders after every step, whoever did it and however it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.orders.states import MACHINES

OBJECTS = """
SELECT 'bundle' AS kind, id, status FROM bundles WHERE workspace_id = $1
UNION ALL SELECT 'profile', id, status FROM profiles WHERE workspace_id = $1
UNION ALL SELECT 'slot', id, status FROM slots WHERE workspace_id = $1
"""
JOURNAL = """
SELECT kind, object_id, from_status, to_status FROM journal
 WHERE workspace_id = $1 AND kind IN ('bundle', 'profile', 'slot') ORDER BY ordinal
"""
EVENTS = "SELECT sequence, type, data FROM events WHERE workspace_id = $1 ORDER BY sequence"
COUNTERS = """
SELECT kind, status, n FROM counters
 WHERE workspace_id = $1 AND n <> 0 AND kind IN ('bundle', 'profile', 'slot')
"""
# Each arm finds rows that must not be; `wrong` says what about them is.
CONTRADICTIONS = """
SELECT 'a live claim without an accepted bundle' AS wrong, c.id FROM claims c
  JOIN bundles b ON b.workspace_id = c.workspace_id AND b.id = c.bundle_id
 WHERE c.workspace_id = $1 AND c.status = 'live' AND b.status <> 'accepted'
UNION ALL
SELECT 'an accepted bundle with ' || count(c.id) || ' live claims', b.id FROM bundles b
  LEFT JOIN claims c ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id
                    AND c.status = 'live'
 WHERE b.workspace_id = $1 AND b.status = 'accepted' GROUP BY b.id HAVING count(c.id) <> 1
UNION ALL
SELECT 'a claim that is over and still due', id FROM claims
 WHERE workspace_id = $1 AND status <> 'live' AND due_at IS NOT NULL
UNION ALL
SELECT 'a profile whose deadline does not fit: ' || status, id FROM profiles
 WHERE workspace_id = $1 AND (status = 'in_review') <> (review_deadline_at IS NOT NULL)
UNION ALL
SELECT 'a slot whose deadline does not fit: ' || status, id FROM slots
 WHERE workspace_id = $1 AND (status = 'in_review') <> (review_deadline_at IS NOT NULL)
UNION ALL
SELECT 'a bundle that is to get priority and is ' || status, id FROM bundles
 WHERE workspace_id = $1 AND priority_at IS NOT NULL AND status <> 'published'
UNION ALL
SELECT 'positions that are not 1 to ' || b.videos_quantity, b.id FROM bundles b
  LEFT JOIN slots s ON s.workspace_id = b.workspace_id AND s.bundle_id = b.id
 WHERE b.workspace_id = $1 GROUP BY b.id, b.videos_quantity
HAVING COALESCE(array_agg(s.position ORDER BY s.position) FILTER (WHERE s.id IS NOT NULL), '{}')
       <> ARRAY(SELECT generate_series(1, b.videos_quantity))
UNION ALL
SELECT 'a slot that is ' || s.status || ' in a bundle that is ' || b.status, s.id FROM slots s
  JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
 WHERE s.workspace_id = $1 AND CASE b.status
    WHEN 'pending_setup' THEN s.status NOT IN ('pending', 'configured', 'cancelled')
    WHEN 'published' THEN s.status = 'accepted'
    WHEN 'published_priority' THEN s.status = 'accepted'
    WHEN 'accepted' THEN s.status = 'published'
    WHEN 'completed' THEN s.status NOT IN ('finalized', 'cancelled')
    ELSE s.status NOT IN ('finalized', 'cancelled') END
UNION ALL
SELECT 'a profile that is ' || p.status || ' in a bundle that is ' || b.status, p.id FROM profiles p
  JOIN bundles b ON b.workspace_id = p.workspace_id AND b.id = p.bundle_id
 WHERE p.workspace_id = $1 AND CASE b.status
    WHEN 'pending_setup' THEN p.status NOT IN ('pending', 'configured')
    WHEN 'completed' THEN p.status <> 'finalized'
    WHEN 'cancelled' THEN p.status NOT IN ('finalized', 'cancelled')
    WHEN 'archived' THEN p.status NOT IN ('finalized', 'cancelled')
    ELSE p.status IN ('pending', 'configured', 'cancelled') END
UNION ALL
SELECT 'more edit slots used than bought', b.id FROM bundles b
 WHERE b.workspace_id = $1 AND b.edits_quantity < (
    SELECT count(*) FROM slots s
     WHERE s.workspace_id = b.workspace_id AND s.bundle_id = b.id AND s.uses_edit_slot)
UNION ALL
SELECT 'charges of ' || sum(c.amount) || ' for a cost of ' || (b.cost_breakdown ->> 'total'), b.id
  FROM bundles b
  JOIN bundle_charges c ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id
                       AND c.reversed_at IS NULL
 WHERE b.workspace_id = $1 AND b.charge_state = 'paid'
 GROUP BY b.id, b.cost_breakdown HAVING sum(c.amount) <> (b.cost_breakdown ->> 'total')::integer
UNION ALL
SELECT 'a charge of which more was given back than the ledger says', c.bundle_id
  FROM bundle_charges c
 WHERE c.workspace_id = $1 AND c.refunded <> COALESCE((
    SELECT sum(r.amount) FROM credit_entries r
     WHERE r.workspace_id = c.workspace_id AND r.refunds_entry_id = c.entry_id
       AND r.reference_id = c.bundle_id), 0)
UNION ALL
SELECT 'entries that do not add up to the lots', $1 WHERE (
    SELECT COALESCE(sum(amount), 0) FROM credit_entries WHERE workspace_id = $1) <> (
    SELECT COALESCE(sum(remaining), 0) FROM credit_lots WHERE workspace_id = $1)
"""
_ID_IN_EVENT = {"bundle": "bundle_id", "profile": "account_id", "slot": "video_id"}


async def broken(conn: Connection, workspace: UUID) -> list[str]:
    """Say what is not true of the workspace; nothing is how it must be."""
    found = [f"{r['wrong']} ({r['id']})" for r in await conn.fetch(CONTRADICTIONS, workspace)]
    objects = await conn.fetch(OBJECTS, workspace)
    journal = await conn.fetch(JOURNAL, workspace)
    events = await conn.fetch(EVENTS, workspace)
    counted = {(r["kind"], r["status"]): r["n"] for r in await conn.fetch(COUNTERS, workspace)}
    found += _against_journal(objects, journal)
    found += _against_events(journal, events)
    if counted != Counter((row["kind"], row["status"]) for row in objects):
        found.append(f"counters that do not count: {counted}")
    return found


def _against_journal(objects: list[Any], journal: list[Any]) -> Iterator[str]:
    """Compare statuses with the way to them, every step of which must be in the tables."""
    machines = {machine.kind: machine for machine in MACHINES}
    reached: dict[Any, str] = {}
    for entry in journal:
        source, target = entry["from_status"], entry["to_status"]
        thing = entry["object_id"]
        if reached.get(thing) != source:
            yield f"a journal that leaves {source} where {reached.get(thing)} was reached ({thing})"
        if not machines[entry["kind"]].allows(source, target):
            yield f"a change that the table does not have: {source} to {target} ({thing})"
        reached[thing] = target
    now = {row["id"]: row["status"] for row in objects}
    if reached != now:
        yield f"statuses {now} where the journal says {reached}"


def _against_events(journal: list[Any], events: list[Any]) -> Iterator[str]:
    """Compare the events of changes with the changes that name one, in their order."""
    machines = {machine.kind: machine for machine in MACHINES}
    due: list[tuple[str, str, str | None, str]] = []
    for entry in journal:
        kind, source, target = entry["kind"], entry["from_status"], entry["to_status"]
        if event := machines[kind].transition(source, target).event:
            due.append((event, str(entry["object_id"]), source, target))
    names = {t.event: m.kind for m in MACHINES for t in m.transitions if t.event}
    told = [
        (
            event["type"],
            event["data"][_ID_IN_EVENT[names[event["type"]]]],
            event["data"]["previous_status"],
            event["data"]["status"],
        )
        for event in events
        if event["type"] in names
    ]
    if told != due:
        yield f"events {told[-3:]} where the journal ends with {due[-3:]}"
    sequence = [event["sequence"] for event in events]
    if sequence != list(range(1, len(events) + 1)):
        yield f"events that are not numbered 1 to {len(events)}"
