"""Recording what came of attempts: fenced by the lease, decided under the endpoint's lock.

1. Lock the endpoints of the batch, in the order of their keys.
2. Lock the deliveries that are still ours. A lease that lapsed or an endpoint that was deleted
   leaves nothing: somebody else has the delivery now, or nobody.
3. Decide, one outcome after the other: done, tried again, or the endpoint switched off.
4. Write the attempts, the next attempts, the endpoints, and switch off what must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.webhooks.disabling import disable_locked_endpoint
from tokportal_server.webhooks.health import Health
from tokportal_server.webhooks.schedule import delay_after, random_spread
from tokportal_server.webhooks.sending import Claimed, Outcome

log = structlog.get_logger(__name__)

LOCK_ENDPOINTS_OF = """
SELECT e.workspace_id, e.id, e.enabled, e.consecutive_failures, e.first_failure_at, e.hold_until,
       now() + w.clock_offset AS now
  FROM webhook_endpoints e JOIN workspaces w ON w.id = e.workspace_id
 WHERE (e.workspace_id, e.id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
 ORDER BY e.workspace_id, e.id
   FOR NO KEY UPDATE OF e
"""
STILL_OURS = """
SELECT d.id FROM webhook_deliveries d
  JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[])
       AS ours(workspace_id, id, recorded_at, lease_token)
    ON d.workspace_id = ours.workspace_id AND d.id = ours.id
   AND d.recorded_at = ours.recorded_at AND d.lease_token = ours.lease_token
   FOR UPDATE OF d
"""
FINISH_ATTEMPTS = """
UPDATE webhook_deliveries d
   SET status = r.status, response_status = r.response_status, response_body = r.response_body,
       error_class = r.error_class, duration_ms = r.duration_ms,
       next_attempt_at = r.next_attempt_at, finished_at = r.now,
       lease_token = NULL, lease_until = NULL
  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::integer[], $6::text[],
              $7::text[], $8::integer[], $9::timestamptz[], $10::timestamptz[])
       AS r(workspace_id, id, recorded_at, status, response_status, response_body, error_class,
            duration_ms, next_attempt_at, now)
 WHERE d.workspace_id = r.workspace_id AND d.id = r.id AND d.recorded_at = r.recorded_at
"""
INSERT_NEXT_ATTEMPTS = """
INSERT INTO webhook_deliveries (workspace_id, endpoint_id, url, event_id, event_type, status,
                                attempt, due_at, created_at)
SELECT n.workspace_id, n.endpoint_id, n.url, n.event_id, n.event_type, 'pending',
       n.attempt, n.due_at, n.now
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[],
              $7::timestamptz[], $8::timestamptz[])
       AS n(workspace_id, endpoint_id, url, event_id, event_type, attempt, due_at, now)
"""
UPDATE_HEALTH = """
UPDATE webhook_endpoints e
   SET consecutive_failures = h.failures, first_failure_at = h.first_failure_at,
       hold_until = h.hold_until, last_delivery_at = h.now
  FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[],
              $6::timestamptz[])
       AS h(workspace_id, id, failures, first_failure_at, hold_until, now)
 WHERE e.workspace_id = h.workspace_id AND e.id = h.id
"""


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt with what came of it."""

    claimed: Claimed
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Decision:
    """A result with what follows from it: ``next_attempt_at`` None is the end."""

    claimed: Claimed
    outcome: Outcome
    now: datetime
    next_attempt_at: datetime | None


async def record(conn: Connection, results: Sequence[Result]) -> int:
    """Record a batch in one transaction; give how many of its attempts were still ours."""
    async with conn.transaction():
        health = await _lock_endpoints(conn, results)
        ours = await _lock_deliveries(conn, results)
        held = [r for r in results if r.claimed.id in ours and _endpoint(r) in health]
        touched = {key: health[key] for key in dict.fromkeys(map(_endpoint, held))}
        for result in held:
            _note(touched[_endpoint(result)], result.outcome)
        decisions = [_decide(result, touched[_endpoint(result)]) for result in held]
        await _finish(conn, decisions)
        await _follow(conn, decisions)
        await _store_health(conn, list(touched.values()))
    return len(held)


def _endpoint(result: Result) -> tuple[UUID, UUID]:
    return result.claimed.workspace_id, result.claimed.endpoint_id


async def _lock_endpoints(
    conn: Connection, results: Sequence[Result]
) -> dict[tuple[UUID, UUID], Health]:
    keys = list(dict.fromkeys(map(_endpoint, results)))
    rows = await conn.fetch(LOCK_ENDPOINTS_OF, *zip(*keys, strict=True))
    return {
        (row["workspace_id"], row["id"]): Health(
            workspace_id=row["workspace_id"],
            endpoint_id=row["id"],
            now=row["now"],
            enabled=row["enabled"],
            failures=row["consecutive_failures"],
            first_failure_at=row["first_failure_at"],
            hold_until=row["hold_until"],
        )
        for row in rows
    }


async def _lock_deliveries(conn: Connection, results: Sequence[Result]) -> set[UUID]:
    held = [
        (c.workspace_id, c.id, c.recorded_at, c.lease_token) for c in (r.claimed for r in results)
    ]
    return {row["id"] for row in await conn.fetch(STILL_OURS, *zip(*held, strict=True))}


def _note(health: Health, outcome: Outcome) -> None:
    if outcome.error_class is None:
        health.succeed()
    else:
        health.fail(outcome)


def _decide(result: Result, health: Health) -> _Decision:
    claimed, outcome = result.claimed, result.outcome
    goes_on = health.enabled and health.disabled_reason is None
    delay = None
    if outcome.error_class is not None and goes_on:
        delay = delay_after(
            claimed.attempt, retry_after=outcome.retry_after, spread=random_spread()
        )
    return _Decision(claimed, outcome, health.now, None if delay is None else health.now + delay)


async def _finish(conn: Connection, decisions: Sequence[_Decision]) -> None:
    rows = [
        (
            d.claimed.workspace_id,
            d.claimed.id,
            d.claimed.recorded_at,
            "succeeded" if d.outcome.error_class is None else "failed",
            d.outcome.response_status,
            d.outcome.response_body,
            d.outcome.error_class,
            d.outcome.duration_ms,
            d.next_attempt_at,
            d.now,
        )
        for d in decisions
    ]
    if rows:
        await conn.execute(FINISH_ATTEMPTS, *zip(*rows, strict=True))


async def _follow(conn: Connection, decisions: Sequence[_Decision]) -> None:
    rows = [
        (
            d.claimed.workspace_id,
            d.claimed.endpoint_id,
            d.claimed.url,
            d.claimed.event_id,
            d.claimed.event_type,
            d.claimed.attempt + 1,
            d.next_attempt_at,
            d.now,
        )
        for d in decisions
        if d.next_attempt_at is not None
    ]
    if rows:
        await conn.execute(INSERT_NEXT_ATTEMPTS, *zip(*rows, strict=True))


async def _store_health(conn: Connection, touched: Sequence[Health]) -> None:
    rows = [
        (h.workspace_id, h.endpoint_id, h.failures, h.first_failure_at, h.hold_until, h.now)
        for h in touched
    ]
    if rows:
        await conn.execute(UPDATE_HEALTH, *zip(*rows, strict=True))
    for health in touched:
        if health.enabled and health.disabled_reason is not None:
            await _switch_off(conn, health)


async def _switch_off(conn: Connection, health: Health) -> None:
    # Within the batch's transaction, so that the journal tells it or it did not happen.
    async with unit_of_work(conn, health.workspace_id, now=health.now) as tx:
        await disable_locked_endpoint(
            tx, health.endpoint_id, reason=health.disabled_reason, actor=SYSTEM
        )
    log.warning(
        "webhook_endpoint_disabled",
        workspace_id=str(health.workspace_id),
        endpoint_id=str(health.endpoint_id),
        reason=health.disabled_reason,
    )
