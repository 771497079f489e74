"""Erasing a workspace, piece by piece: whoever is killed half-way, another goes on.

What begins it stands in ``workbench.operations.erase_workspace``: it stops the workspace and writes
the row of ``erasures`` that everything here follows (decision 0021).

1. Files first: they are found by the workspace's own prefixes, so no row is needed to find them.
2. Rows table by table in batches, what points to others first; then jobs; then words of what stays.
3. When nothing is left, *settling*: requests that were let in before the keys ended may still
   write. After a while everything is gone through once more, and then it is done.

Every step may be run again, and by several at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import structlog

from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.jobs import forget_jobs
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import ObjectStore
from tokportal_server.workspaces.archive import NO_TIME_LIMIT
from tokportal_server.workspaces.exports import export_prefix
from tokportal_server.workspaces.holdings import HOLDINGS

log = structlog.get_logger(__name__)

OPEN = """
SELECT subject_id FROM erasures
 WHERE kind = 'workspace' AND state <> 'done' AND (look_at IS NULL OR look_at <= now())
 ORDER BY begun_at LIMIT 10
"""
STATE = """
SELECT subject_id, state, rows, files, begun_at, look_at, done_at FROM erasures
 WHERE kind = 'workspace' AND subject_id = $1
"""
# One piece at a time, whoever works on it.
TAKE_TURN = """
SELECT state FROM erasures WHERE kind = 'workspace' AND subject_id = $1 FOR UPDATE
"""
COUNT = """
UPDATE erasures SET rows = rows + $2, files = files + $3
 WHERE kind = 'workspace' AND subject_id = $1
"""
SETTLE = """
UPDATE erasures SET state = 'settling', look_at = now() + $2::interval
 WHERE kind = 'workspace' AND subject_id = $1 AND state = 'deleting'
"""
DONE = """
UPDATE erasures SET state = 'done', look_at = NULL, done_at = now()
 WHERE kind = 'workspace' AND subject_id = $1 AND state = 'settling' AND look_at <= now()
"""
ERASE_ROWS = "SELECT erase_rows($1, $2, $3)"
# Bundles and accounts point to each other.
LET_ACCOUNTS_GO = """
UPDATE bundles SET saved_account_id = NULL
 WHERE workspace_id = $1 AND saved_account_id IS NOT NULL
"""
# A switch of an account names nothing but its id.
FORGET_SWITCHES = """
DELETE FROM kill_switches k
 WHERE (k.scope = 'workspace' AND k.subject_id = $1)
    OR (k.scope = 'account' AND k.subject_id IN (
           SELECT a.id FROM saved_accounts a WHERE a.workspace_id = $1))
"""
# What is said of jobs that are gone already, whosever they were, quotes as freely.
FORGET_LOG = """
DELETE FROM pgqueuer_log l WHERE NOT EXISTS (SELECT FROM pgqueuer q WHERE q.id = l.job_id)
"""
# The books stay: amounts, times and kinds. What would name somebody or something goes.
CLEAN_ENTRIES = """
UPDATE credit_entries
   SET description = type, reference_kind = 'erased', reference_id = NULL,
       business_key = 'erased:' || id,
       actor_id = CASE WHEN actor_kind = 'customer' THEN NULL ELSE actor_id END
 WHERE workspace_id = $1 AND reference_kind <> 'erased'
"""
CLEAN_WALLET = """
UPDATE wallets SET low_below = 0, is_low = false
 WHERE workspace_id = $1 AND (low_below <> 0 OR is_low)
"""
CLEAN_EARNINGS = """
UPDATE earnings
   SET subject = 'erased', reason = CASE WHEN type <> 'job' THEN 'erased' END, bundle_id = NULL
 WHERE workspace_id = $1 AND subject <> 'erased'
"""
CLEAN_AUDIT = """
UPDATE audit
   SET reason = NULL, address = NULL, details = '{}',
       actor_id = CASE WHEN actor_kind = 'customer' THEN NULL ELSE actor_id END
 WHERE workspace_id = $1
   AND (reason IS NOT NULL OR address IS NOT NULL OR details <> '{}'
        OR (actor_kind = 'customer' AND actor_id IS NOT NULL))
"""

_BATCH: Final = 2000
# Longer than any request or job that was under way when the keys ended.
SETTLING: Final = timedelta(minutes=10)
_LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Erasure:
    """How far the erasing of a workspace is; times are real."""

    subject_id: UUID
    state: Literal["deleting", "settling", "done"]
    rows: int
    files: int
    begun_at: datetime
    look_at: datetime | None
    done_at: datetime | None


async def erasure_of(conn: Connection, workspace_id: UUID) -> Erasure | None:
    """Give how far the erasing of a workspace is; None if nobody asked for it."""
    row = await conn.fetchrow(STATE, workspace_id)
    return None if row is None else Erasure(**row)


async def erase(
    database: Database, storage: ObjectStore, workspace_id: UUID, *, settling: timedelta = SETTLING
) -> None:
    """Go through everything of a workspace whose erasing has begun, until nothing is left.

    Then the erasing settles for so long; called again after that, it looks once more and is done.
    """
    await _erase_files(database, storage, workspace_id)
    async with database.connection() as conn, conn.transaction():
        await _take_turn(conn, workspace_id)
        await conn.execute(FORGET_SWITCHES, workspace_id)
        await conn.execute(LET_ACCOUNTS_GO, workspace_id)
    for holding in HOLDINGS:
        if not holding.kept:
            await _erase_table(database, holding.table, workspace_id)
    async with database.connection() as conn, conn.transaction():
        await _take_turn(conn, workspace_id)
        jobs = await forget_jobs(conn, "workspace_id", [workspace_id])
        await conn.execute(FORGET_LOG)
        await _clean_what_stays(conn, workspace_id)
        await conn.execute(COUNT, workspace_id, jobs, 0)
        await conn.execute(DONE, workspace_id)
        await conn.execute(SETTLE, workspace_id, settling)


async def _erase_files(database: Database, storage: ObjectStore, workspace_id: UUID) -> None:
    prefixes = (workspace_id.hex, f"quarantine/{workspace_id.hex}", export_prefix(workspace_id))
    for prefix in prefixes:
        while keys := await _some_of(storage, prefix):
            for key in keys:
                await storage.delete(key)
            async with database.connection() as conn:
                await conn.execute(COUNT, workspace_id, 0, len(keys))


async def _some_of(storage: ObjectStore, prefix: str) -> list[str]:
    keys: list[str] = []
    async for listed in storage.listing(prefix):
        keys.append(listed.key)
        if len(keys) == _BATCH:
            break
    return keys


async def _take_turn(conn: Connection, workspace_id: UUID) -> None:
    """Keep others from the same piece until the transaction ends; it may take its time."""
    await conn.fetchval(NO_TIME_LIMIT)
    await conn.fetchval(TAKE_TURN, workspace_id)


async def _erase_table(database: Database, table: str, workspace_id: UUID) -> None:
    """Delete in batches, each in a transaction of its own with the count of what has gone."""
    while True:
        async with database.connection() as conn, conn.transaction():
            await _take_turn(conn, workspace_id)
            gone: int = await conn.fetchval(ERASE_ROWS, table, workspace_id, _BATCH)
            await conn.execute(COUNT, workspace_id, gone, 0)
        if gone < _BATCH:
            return


async def _clean_what_stays(conn: Connection, workspace_id: UUID) -> None:
    await conn.execute(CLEAN_ENTRIES, workspace_id)
    await conn.execute(CLEAN_WALLET, workspace_id)
    await conn.execute(CLEAN_EARNINGS, workspace_id)
    await conn.execute(CLEAN_AUDIT, workspace_id)


class Erasures:
    """The worker's loop: goes on with what was begun, and looks once more at what settles."""

    name = "erasures"

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._pace = Pace(_LOOK_SECONDS)

    async def run_once(self) -> int:
        """Every ten seconds: go on with each erasing that is due; give how many there were."""
        if not self._pace.is_due():
            return 0
        self._pace.rest()
        async with self._ports.database.connection() as conn:
            due = [row["subject_id"] for row in await conn.fetch(OPEN)]
        for workspace_id in due:
            log.info("erasing_workspace", workspace_id=str(workspace_id))
            await erase(self._ports.database, self._ports.storage, workspace_id)
        return len(due)
