"""Claiming what is due, with a cap per endpoint that holds over any number of workers.

Before anything else, the attempts that succeeded since the last turn are recorded: in the usual
case a turn of the deliverer is one round trip and one transaction.

1. Give back what a worker took and never recorded: its lease has ended. That attempt counts.
2. Lock the endpoints that have something due and room for it, skipping those that somebody else is
   at. The statement walks the index of what waits from endpoint to endpoint, so it costs as much as
   there are endpoints with waiting work, however much waits for each.
3. In a second statement, which sees what others committed before the locks, take for each endpoint
   as many of its oldest due deliveries as it has room for, first from those with least in flight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.record import Result, columns
from tokportal_server.webhooks.schedule import BREAKER_FAILURES, IN_FLIGHT_CAP, MAX_ATTEMPTS
from tokportal_server.webhooks.sending import Claimed

LEASE = timedelta(seconds=30)

# One round trip: beside a hundred attempts in flight, waiting for answers is what takes long.
CLAIM = """
SELECT workspace_id, id, recorded_at, endpoint_id, event_id, event_type, attempt, url, body,
       lease_token, manual, fault, traceparent, secret_sealed
  FROM claim_webhook_deliveries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
_SUCCESS_COLUMNS = 8


async def claim(
    conn: Connection, *, most: int, succeeded: Sequence[Result] = ()
) -> list[tuple[Claimed, bytes]]:
    """Claim at most ``most`` due deliveries, each with its endpoint's sealed secret.

    ``succeeded`` is recorded first: attempts for which ``is_plain_success`` is true. All of it is
    committed when this returns; a claim lasts 30 s of real time.
    """
    rows = await conn.fetch(
        CLAIM,
        most,
        uuid4(),
        LEASE,
        MAX_ATTEMPTS,
        BREAKER_FAILURES,
        IN_FLIGHT_CAP,
        *columns(_SUCCESS_COLUMNS, map(_success, succeeded)),
    )
    # The columns are in the order of the fields, with the secret behind them.
    return [(Claimed(*values), sealed) for *values, sealed in rows]


def _success(result: Result) -> tuple[Any, ...]:
    claimed, outcome = result.claimed, result.outcome
    return (
        claimed.workspace_id,
        claimed.endpoint_id,
        claimed.id,
        claimed.recorded_at,
        claimed.lease_token,
        outcome.response_status,
        outcome.response_body,
        outcome.duration_ms,
    )
