"""Claiming what is due, with a cap per endpoint that holds over any number of workers.

1. Give back what a worker took and never recorded: its lease has ended. That attempt counts.
2. Lock the endpoints that have something due and room for it, skipping those that somebody else is
   at. The statement walks the index of what waits from endpoint to endpoint, so it costs as much as
   there are endpoints with waiting work, however much waits for each.
3. In a second statement, which sees what others committed before the locks, take for each endpoint
   as many of its oldest due deliveries as it has room for, first from those with least in flight.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.schedule import BREAKER_FAILURES, IN_FLIGHT_CAP, MAX_ATTEMPTS
from tokportal_server.webhooks.sending import Claimed

LEASE = timedelta(seconds=30)

# A worker that died between the call and the record leaves no answer: the attempt is counted as one
# that nobody saw end in time, so that a delivery which kills its worker ends too.
RELEASE_LAPSED = """
WITH lapsed AS (
    SELECT d.workspace_id, d.id, d.recorded_at, e.enabled, now() + w.clock_offset AS now
      FROM webhook_deliveries d
      JOIN webhook_endpoints e ON e.workspace_id = d.workspace_id AND e.id = d.endpoint_id
      JOIN workspaces w ON w.id = d.workspace_id
     WHERE d.status = 'pending' AND d.lease_token IS NOT NULL AND d.lease_until <= now()
       FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_deliveries d
   SET lease_token = NULL, lease_until = NULL,
       attempt = LEAST(d.attempt + 1, $1::integer),
       status = CASE WHEN d.attempt >= $1 THEN 'failed'
                     WHEN NOT l.enabled THEN 'skipped_disabled' ELSE 'pending' END,
       error_class = CASE WHEN d.attempt >= $1 THEN 'timeout' END,
       finished_at = CASE WHEN d.attempt >= $1 OR NOT l.enabled THEN l.now END
  FROM lapsed l
 WHERE d.workspace_id = l.workspace_id AND d.id = l.id AND d.recorded_at = l.recorded_at
"""
_IN_FLIGHT = """
(SELECT count(*) FROM webhook_deliveries f
  WHERE f.workspace_id = e.workspace_id AND f.endpoint_id = e.id
    AND f.status = 'pending' AND f.lease_token IS NOT NULL)"""
LOCK_ENDPOINTS = f"""
WITH RECURSIVE waiting AS (
    (SELECT workspace_id, endpoint_id, due_at FROM webhook_deliveries
      WHERE status = 'pending' AND lease_token IS NULL
      ORDER BY workspace_id, endpoint_id, due_at LIMIT 1)
    UNION ALL
    SELECT further.* FROM waiting CROSS JOIN LATERAL (
        SELECT d.workspace_id, d.endpoint_id, d.due_at FROM webhook_deliveries d
         WHERE d.status = 'pending' AND d.lease_token IS NULL
           AND (d.workspace_id, d.endpoint_id) > (waiting.workspace_id, waiting.endpoint_id)
         ORDER BY d.workspace_id, d.endpoint_id, d.due_at LIMIT 1) AS further
)
SELECT e.workspace_id, e.id
  FROM waiting
  JOIN webhook_endpoints e ON e.workspace_id = waiting.workspace_id AND e.id = waiting.endpoint_id
  JOIN workspaces w ON w.id = e.workspace_id
 WHERE e.enabled
   AND waiting.due_at <= now() + w.clock_offset
   AND (e.hold_until IS NULL OR e.hold_until <= now() + w.clock_offset)
   AND {_IN_FLIGHT} < CASE WHEN e.consecutive_failures >= $2 THEN 1 ELSE $3 END
 ORDER BY waiting.due_at LIMIT $1
   FOR NO KEY UPDATE OF e SKIP LOCKED
"""
# The body is read by a subquery of its own: as a join, with statistics older than a burst of
# events, the planner read all bodies of the workspace for each delivery (355 ms instead of 6).
CLAIM = f"""
WITH room AS (
    SELECT e.workspace_id, e.id AS endpoint_id, e.url, e.secret_sealed,
           now() + w.clock_offset AS now,
           {_IN_FLIGHT} AS in_flight,
           CASE WHEN e.consecutive_failures >= $6 THEN 1 ELSE $7 END AS cap
      FROM unnest($1::uuid[], $2::uuid[]) AS locked(workspace_id, endpoint_id)
      JOIN webhook_endpoints e
        ON e.workspace_id = locked.workspace_id AND e.id = locked.endpoint_id
      JOIN workspaces w ON w.id = e.workspace_id
     WHERE e.enabled AND (e.hold_until IS NULL OR e.hold_until <= now() + w.clock_offset)
), picked AS (
    SELECT room.workspace_id, room.url, room.secret_sealed, due.id, due.recorded_at
      FROM room CROSS JOIN LATERAL (
        SELECT d.id, d.recorded_at, d.due_at, row_number() OVER (ORDER BY d.due_at, d.ordinal) AS n
          FROM webhook_deliveries d
         WHERE d.workspace_id = room.workspace_id AND d.endpoint_id = room.endpoint_id
           AND d.status = 'pending' AND d.lease_token IS NULL AND d.due_at <= room.now
         ORDER BY d.due_at, d.ordinal LIMIT GREATEST(room.cap - room.in_flight, 0)) AS due
     ORDER BY room.in_flight + due.n, due.due_at LIMIT $3
), claimed AS (
    UPDATE webhook_deliveries d
       SET lease_token = $4, lease_until = now() + $5, url = picked.url
      FROM picked
     WHERE d.workspace_id = picked.workspace_id AND d.id = picked.id
       AND d.recorded_at = picked.recorded_at
    RETURNING d.workspace_id, d.id, d.recorded_at, d.endpoint_id, d.event_id, d.event_type,
              d.attempt, d.url, d.lease_token, picked.secret_sealed
)
SELECT claimed.*,
       (SELECT p.body FROM webhook_payloads p
         WHERE p.workspace_id = claimed.workspace_id AND p.event_id = claimed.event_id) AS body
  FROM claimed
"""


async def claim(conn: Connection, *, most: int) -> list[tuple[Claimed, bytes]]:
    """Claim at most ``most`` due deliveries, each with its endpoint's sealed secret.

    The claim is committed when this returns; it lasts 30 s of real time.
    """
    async with conn.transaction():
        await conn.execute(RELEASE_LAPSED, MAX_ATTEMPTS)
        locked = await conn.fetch(LOCK_ENDPOINTS, most, BREAKER_FAILURES, IN_FLIGHT_CAP)
        if not locked:
            return []
        rows = await conn.fetch(
            CLAIM,
            [row["workspace_id"] for row in locked],
            [row["id"] for row in locked],
            most,
            uuid4(),
            LEASE,
            BREAKER_FAILURES,
            IN_FLIGHT_CAP,
        )
    claimed = []
    for row in rows:
        values = dict(row)
        sealed = values.pop("secret_sealed")
        claimed.append((Claimed(**values), sealed))
    return claimed
