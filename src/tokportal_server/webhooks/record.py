"""Recording what came of attempts: fenced by the lease, decided under the endpoint's lock.

1. Lock the endpoints of the batch, in the order of their keys.
2. Lock the deliveries that are still ours. A lease that lapsed or an endpoint that was deleted
   leaves nothing: somebody else has the delivery now, or nobody.
   Both in one round trip, for the worker has other things to do than wait.
3. Decide, one outcome after the other: done, tried again, or the endpoint switched off.
4. Write the attempts, the next attempts and the endpoints, and switch off what must be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.webhooks.disabling import disable_locked_endpoint
from tokportal_server.webhooks.health import GONE, Health
from tokportal_server.webhooks.notices import tell_of_disabling, warn_of_failing
from tokportal_server.webhooks.schedule import delay_after, random_spread
from tokportal_server.webhooks.sending import Claimed, Outcome

log = structlog.get_logger(__name__)

LOCK_BATCH = "SELECT * FROM lock_webhook_attempts($1, $2, $3, $4, $5, $6)"
WRITE_BATCH = """
WITH finished AS (
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
), followed AS (
    INSERT INTO webhook_deliveries (workspace_id, endpoint_id, url, event_id, event_type, status,
                                    attempt, due_at, created_at)
    SELECT n.workspace_id, n.endpoint_id, n.url, n.event_id, n.event_type, 'pending',
           n.attempt, n.due_at, n.now
      FROM unnest($11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::integer[],
                  $17::timestamptz[], $18::timestamptz[])
           AS n(workspace_id, endpoint_id, url, event_id, event_type, attempt, due_at, now)
)
UPDATE webhook_endpoints e
   SET consecutive_failures = h.failures, first_failure_at = h.first_failure_at,
       hold_until = h.hold_until, warned_at = h.warned_at, last_delivery_at = h.now
  FROM unnest($19::uuid[], $20::uuid[], $21::integer[], $22::timestamptz[], $23::timestamptz[],
              $24::timestamptz[], $25::timestamptz[])
       AS h(workspace_id, id, failures, first_failure_at, hold_until, warned_at, now)
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


def is_plain_success(result: Result) -> bool:
    """Tell whether an attempt ends its delivery well, so that there is nothing to decide."""
    return result.outcome.error_class is None and result.claimed.fault != "twice"


async def record(conn: Connection, results: Sequence[Result], *, commit_later: bool = False) -> int:
    """Record a batch in one transaction; give how many of its attempts were still ours.

    ``commit_later`` does not wait for the disk: what a crash takes back is sent again.
    """
    async with conn.transaction():
        health, ours = await _lock(conn, results, commit_later=commit_later)
        held = [result for result in results if result.claimed.id in ours]
        if not held:
            return 0
        touched = {key: health[key] for key in dict.fromkeys(map(endpoint_of, held))}
        for result in held:
            _note(touched[endpoint_of(result)], result)
        decisions = [_decide(result, touched[endpoint_of(result)]) for result in held]
        await _write(conn, decisions, list(touched.values()))
    return len(held)


def endpoint_of(result: Result) -> tuple[UUID, UUID]:
    """Give workspace and id of the endpoint that an attempt was for."""
    return result.claimed.workspace_id, result.claimed.endpoint_id


async def _lock(
    conn: Connection, results: Sequence[Result], *, commit_later: bool
) -> tuple[dict[tuple[UUID, UUID], Health], set[UUID]]:
    """Lock endpoints and attempts; give the endpoints' health, and which attempts are ours."""
    held = [
        (c.workspace_id, c.endpoint_id, c.id, c.recorded_at, c.lease_token)
        for c in (result.claimed for result in results)
    ]
    health: dict[tuple[UUID, UUID], Health] = {}
    ours: set[UUID] = set()
    for row in await conn.fetch(LOCK_BATCH, *zip(*held, strict=True), commit_later):
        key = row["workspace_id"], row["endpoint_id"]
        ours.add(row["id"])
        health[key] = health.get(key) or _health_from(row)
    return health, ours


def _health_from(row: asyncpg.Record) -> Health:
    return Health(
        workspace_id=row["workspace_id"],
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        now=row["now"],
        enabled=row["enabled"],
        failures=row["consecutive_failures"],
        first_failure_at=row["first_failure_at"],
        hold_until=row["hold_until"],
        warned_at=row["warned_at"],
    )


def _note(health: Health, result: Result) -> None:
    outcome = result.outcome
    if outcome.error_class is None:
        health.succeed()
    elif not result.claimed.manual or outcome.response_status == GONE:
        # Trying out a receiver that is not ready yet must not bring its endpoint closer to its end.
        health.fail(outcome)


def _decide(result: Result, health: Health) -> _Decision:
    claimed, outcome = result.claimed, result.outcome
    goes_on = health.enabled and health.disabled_reason is None and not claimed.manual
    delay = None
    if outcome.error_class is None:
        delay = timedelta(0) if claimed.fault == "twice" and goes_on else None
    elif goes_on:
        delay = delay_after(
            claimed.attempt, retry_after=outcome.retry_after, spread=random_spread()
        )
    return _Decision(claimed, outcome, health.now, None if delay is None else health.now + delay)


async def _write(
    conn: Connection, decisions: Sequence[_Decision], touched: Sequence[Health]
) -> None:
    failing = [health for health in touched if health.warns()]
    await conn.execute(
        WRITE_BATCH,
        *columns(10, map(_finished, decisions)),
        *columns(8, (_next(d) for d in decisions if d.next_attempt_at is not None)),
        *columns(7, map(_stored, touched)),
    )
    for health in failing:
        await warn_of_failing(conn, health)
    for health in touched:
        if health.enabled and health.disabled_reason is not None:
            await _switch_off(conn, health)


def columns(width: int, rows: Iterable[tuple[Any, ...]]) -> list[Sequence[Any]]:
    """Turn rows into as many columns, which are empty if there are no rows: for ``unnest``."""
    return list(zip(*rows, strict=True)) or [()] * width


def _finished(d: _Decision) -> tuple[Any, ...]:
    return (
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


def _next(d: _Decision) -> tuple[Any, ...]:
    return (
        d.claimed.workspace_id,
        d.claimed.endpoint_id,
        d.claimed.url,
        d.claimed.event_id,
        d.claimed.event_type,
        d.claimed.attempt + 1,
        d.next_attempt_at,
        d.now,
    )


def _stored(health: Health) -> tuple[Any, ...]:
    return (
        health.workspace_id,
        health.endpoint_id,
        health.failures,
        health.first_failure_at,
        health.hold_until,
        health.warned_at,
        health.now,
    )


async def _switch_off(conn: Connection, health: Health) -> None:
    # Within the batch's transaction, so that the journal tells it or it did not happen.
    async with unit_of_work(conn, health.workspace_id, now=health.now) as tx:
        await disable_locked_endpoint(
            tx, health.endpoint_id, reason=health.disabled_reason, actor=SYSTEM
        )
        await tell_of_disabling(conn, health)
    log.warning(
        "webhook_endpoint_disabled",
        workspace_id=str(health.workspace_id),
        endpoint_id=str(health.endpoint_id),
        reason=health.disabled_reason,
    )
