"""From the outbox to the receivers' queues.

1. Take a batch of events that nobody has dispatched (``dispatched_at IS NULL``, skipping what
   another worker holds). A cursor over ids would lose events that commit late.
2. Fix the body of each event that somebody subscribed to.
3. Write one delivery per event and subscribed endpoint.
4. Want one job per event and listener inside the product.
5. Mark the batch as dispatched, all in one transaction: derived exactly once.

A test of an endpoint is an event as well, but is sent by the operation that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import asyncpg
from prometheus_client import Histogram

from tokportal_server.lib import tracing
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue_all
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.catalogue import TEST_EVENT
from tokportal_server.webhooks.envelope import encode_envelope, event_from
from tokportal_server.webhooks.faults import OUT_OF_ORDER_BY, take_faults

TAKE_EVENTS = """
SELECT workspace_id, sequence, recorded_at, id, type, data, created_at, traceparent
  FROM events WHERE dispatched_at IS NULL
 ORDER BY recorded_at, sequence LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# KEY SHARE keeps an endpoint from being deleted until its deliveries are there to be deleted too.
SUBSCRIPTIONS = """
SELECT n.ordinality - 1 AS event, e.workspace_id, e.id, e.url, e.enabled,
       now() + w.clock_offset AS now, f.fault IS NOT NULL AND e.enabled AS faulty
  FROM unnest($1::uuid[], $2::text[], $4::bigint[])
       WITH ORDINALITY AS n(workspace_id, type, sequence)
  JOIN webhook_endpoints e ON e.workspace_id = n.workspace_id AND e.events @> ARRAY[n.type]
   AND e.after_sequence < n.sequence
  JOIN workspaces w ON w.id = e.workspace_id
  LEFT JOIN webhook_faults f ON f.workspace_id = e.workspace_id AND f.endpoint_id = e.id
 WHERE n.type <> $3
 ORDER BY n.ordinality, e.ordinal
   FOR KEY SHARE OF e
"""
INSERT_PAYLOADS = """
INSERT INTO webhook_payloads (workspace_id, event_id, body, traceparent)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[])
"""
INSERT_DELIVERIES = """
INSERT INTO webhook_deliveries (workspace_id, endpoint_id, url, event_id, event_type, status,
                                attempt, due_at, created_at, finished_at, fault)
SELECT d.workspace_id, d.endpoint_id, d.url, d.event_id, d.event_type,
       CASE WHEN d.enabled THEN 'pending' ELSE 'skipped_disabled' END,
       1, CASE WHEN d.fault = 'out_of_order' THEN d.now + $9 ELSE d.now END, d.now,
       CASE WHEN NOT d.enabled THEN d.now END, d.fault
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[],
              $7::timestamptz[], $8::text[])
       WITH ORDINALITY
       AS d(workspace_id, endpoint_id, url, event_id, event_type, enabled, now, fault, n)
 ORDER BY d.n
"""
MARK_DISPATCHED = """
UPDATE events e SET dispatched_at = now()
  FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) AS d(workspace_id, sequence, recorded_at)
 WHERE e.workspace_id = d.workspace_id AND e.sequence = d.sequence
   AND e.recorded_at = d.recorded_at
"""
# It counts what was dispatched as well.
WAITED = Histogram(
    "tokportal_event_wait_seconds",
    "Time from an event's transaction to its dispatch.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
)
_BATCH = 200
# The names of the jobs that listen to a type of event.
Listeners = Mapping[str, Sequence[str]]
NOBODY: Final[Listeners] = MappingProxyType({})


class Dispatcher:
    """Fans events out to webhook endpoints and listeners; any number may run at once."""

    name = "webhook_dispatcher"

    def __init__(self, ports: Ports, listeners: Listeners = NOBODY) -> None:
        self._database = ports.database
        self._listeners = listeners

    async def run_once(self) -> int:
        """Dispatch one batch; give how many events it had."""
        async with self._database.connection() as conn, conn.transaction():
            events = await conn.fetch(TAKE_EVENTS, _BATCH)
            if events:
                carried = [_taken(event) for event in events]
                await _fan_out(conn, events, carried)
                await _tell_listeners(conn, events, self._listeners, carried)
                await conn.execute(
                    MARK_DISPATCHED, *_columns(events, "workspace_id", "sequence", "recorded_at")
                )
        now = real_now()
        for event in events:
            WAITED.observe(max(0.0, (now - event["recorded_at"]).total_seconds()))
        return len(events)


def _taken(event: asyncpg.Record) -> str | None:
    """Record how long an event has waited; give what its deliveries and listeners continue."""
    if not tracing.is_on():
        carried: str | None = event["traceparent"]
        return carried
    return tracing.mark(
        f"dispatch {event['type']}",
        parent=event["traceparent"],
        began=int(event["recorded_at"].timestamp() * 1e9),
        attributes={
            "tokportal.event_id": event["id"],
            "tokportal.workspace_id": str(event["workspace_id"]),
        },
    )


async def _fan_out(
    conn: Connection, events: Sequence[asyncpg.Record], carried: Sequence[str | None]
) -> None:
    workspaces, types, sequences = _columns(events, "workspace_id", "type", "sequence")
    found = await conn.fetch(SUBSCRIPTIONS, workspaces, types, TEST_EVENT, sequences)
    if not found:
        return
    indexes = list(dict.fromkeys(row["event"] for row in found))
    told = [events[index] for index in indexes]
    await conn.execute(
        INSERT_PAYLOADS,
        *_columns(told, "workspace_id", "id"),
        [encode_envelope(event_from(event)) for event in told],
        [carried[index] for index in indexes],
    )
    of = [events[row["event"]] for row in found]
    await conn.execute(
        INSERT_DELIVERIES,
        *_columns(found, "workspace_id", "id", "url"),
        *_columns(of, "id", "type"),
        *_columns(found, "enabled", "now"),
        await take_faults(conn, found),
        OUT_OF_ORDER_BY,
    )


async def _tell_listeners(
    conn: Connection,
    events: Sequence[asyncpg.Record],
    listeners: Listeners,
    carried: Sequence[str | None],
) -> None:
    wanted: dict[str, list[int]] = {}
    for index, event in enumerate(events):
        for name in listeners.get(event["type"], ()):
            wanted.setdefault(name, []).append(index)
    for name, indexes in wanted.items():
        payloads = [listened(events[index]) for index in indexes]
        await enqueue_all(conn, name, payloads, [carried[index] for index in indexes])


def listened(event: asyncpg.Record) -> dict[str, Any]:
    """Give what a listener's job is told of an event; ``created_at`` is the workspace's clock."""
    return {
        "workspace_id": str(event["workspace_id"]),
        "event_id": event["id"],
        "type": event["type"],
        "sequence": event["sequence"],
        "created_at": event["created_at"].isoformat(),
        "data": event["data"],
    }


def _columns(rows: Sequence[asyncpg.Record], *names: str) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in names]
