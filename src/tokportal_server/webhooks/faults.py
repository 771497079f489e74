"""The fault lab: a rehearsal asks for deliveries that go wrong, to test its receiver against them.

The next so many deliveries of an endpoint are marked when they are fanned out. ``out_of_order``
comes half a minute late, on the rehearsal's clock, after what follows it; ``twice`` is sent again
at once after it succeeded, as after a lost answer; ``slow`` sends the body bit by bit;
``wrong_signature`` signs with a secret that is not the endpoint's. Retries come without the fault,
and the log shows every attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks.sending import Fault

OUT_OF_ORDER_BY: Final = timedelta(seconds=30)

SET_FAULT = """
INSERT INTO webhook_faults AS f (workspace_id, endpoint_id, fault, remaining)
VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, endpoint_id)
DO UPDATE SET fault = excluded.fault, remaining = excluded.remaining
"""
CLEAR_FAULT = "DELETE FROM webhook_faults WHERE workspace_id = $1 AND endpoint_id = $2"
LOCK_FAULTS = """
SELECT workspace_id, endpoint_id, fault, remaining FROM webhook_faults
 WHERE (workspace_id, endpoint_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
 ORDER BY workspace_id, endpoint_id FOR UPDATE
"""
USE_UP = """
DELETE FROM webhook_faults f
 USING unnest($1::uuid[], $2::uuid[], $3::integer[]) AS u(workspace_id, endpoint_id, used)
 WHERE f.workspace_id = u.workspace_id AND f.endpoint_id = u.endpoint_id AND f.remaining <= u.used
"""
USE = """
UPDATE webhook_faults f SET remaining = f.remaining - u.used
  FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS u(workspace_id, endpoint_id, used)
 WHERE f.workspace_id = u.workspace_id AND f.endpoint_id = u.endpoint_id
"""


async def set_fault(*, tx: UnitOfWork, endpoint_id: UUID, fault: Fault, deliveries: int) -> None:
    """Ask for the fault in an endpoint's next deliveries, in place of an earlier wish; 0 ends it.

    The endpoint exists, and the workspace is a rehearsal: the caller has seen to that.
    """
    if deliveries:
        await tx.conn.execute(SET_FAULT, tx.workspace_id, endpoint_id, fault, deliveries)
    else:
        await tx.conn.execute(CLEAR_FAULT, tx.workspace_id, endpoint_id)


async def take_faults(
    conn: Connection, subscriptions: Sequence[asyncpg.Record]
) -> list[Fault | None]:
    """Give the fault of each delivery that is being written, and count those as used."""
    faulty = {(row["workspace_id"], row["id"]) for row in subscriptions if row["faulty"]}
    if not faulty:
        return [None] * len(subscriptions)
    rows = await conn.fetch(LOCK_FAULTS, *zip(*faulty, strict=True))
    wanted = {(row["workspace_id"], row["endpoint_id"]): row for row in rows}
    used: Counter[tuple[UUID, UUID]] = Counter()
    faults: list[Fault | None] = []
    for row in subscriptions:
        key = (row["workspace_id"], row["id"])
        wish = wanted.get(key)
        if wish is None or used[key] >= wish["remaining"]:
            faults.append(None)
        else:
            used[key] += 1
            faults.append(wish["fault"])
    columns = list(zip(*((*key, count) for key, count in used.items()), strict=True))
    if columns:
        await conn.execute(USE_UP, *columns)
        await conn.execute(USE, *columns)
    return faults
