"""Background jobs: work that is neither a deadline nor a delivery.

A job is wanted inside a transaction (:func:`enqueue`) and exists if and only if that transaction
commits. Worker processes run it at least once (``lib/jobs/runner.py``). This package front is all
that a request needs; PGQueuer itself is loaded by worker processes only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tokportal_server.lib import tracing
from tokportal_server.lib.db import Connection

ENQUEUE = """
INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, headers, status)
SELECT 0, $1, job.payload, job.dedupe_key,
       CASE WHEN job.traceparent IS NOT NULL
            THEN jsonb_build_object('traceparent', job.traceparent) END, 'queued'
  FROM unnest($2::bytea[], $3::text[], $4::text[])
       WITH ORDINALITY AS job(payload, dedupe_key, traceparent, n)
 ORDER BY job.n
ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL
DO NOTHING
"""

# With the errors that they ended with, which may quote anything.
FORGET = """
WITH gone AS (
    DELETE FROM pgqueuer
     WHERE convert_from(payload, 'UTF8')::jsonb ->> $1 = ANY ($2::text[])
    RETURNING id
), told AS (
    DELETE FROM pgqueuer_log WHERE job_id IN (SELECT id FROM gone)
)
SELECT count(*) FROM gone
"""


async def enqueue(
    conn: Connection, name: str, payload: Mapping[str, Any], *, dedupe_key: str | None = None
) -> None:
    """Want one job, in the caller's transaction.

    ``payload`` becomes JSON: ids and facts, never a secret, for it lies in the database as it is.
    While a job with the same ``dedupe_key`` waits or runs, no second one is added. It belongs to
    the trace that wants it.
    """
    encoded = msgspec.json.encode(payload)
    await conn.execute(ENQUEUE, name, [encoded], [dedupe_key], [tracing.carried()])


async def enqueue_all(
    conn: Connection,
    name: str,
    payloads: Sequence[Mapping[str, Any]],
    traceparents: Sequence[str | None] | None = None,
) -> None:
    """Want one job for each payload, in one statement.

    Each continues the span that ``traceparents`` has for it; without those, the current one.
    """
    if not payloads:
        return
    encoded = [msgspec.json.encode(payload) for payload in payloads]
    if traceparents is None:
        traceparents = [tracing.carried()] * len(encoded)
    await conn.execute(ENQUEUE, name, encoded, [None] * len(encoded), traceparents)


async def forget_jobs(conn: Connection, field: str, values: Iterable[object]) -> int:
    """Delete the jobs whose payload has one of the values in a field, whatever their state."""
    gone: int = await conn.fetchval(FORGET, field, [str(value) for value in values])
    return gone
