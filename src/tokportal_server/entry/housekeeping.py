"""Everything that grows has an end: months made ahead, and what is past its time deleted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tokportal_server.accounts.retention import purge_codes
from tokportal_server.analytics.operations.connect_account import forget_expired_sign_ins
from tokportal_server.analytics.reports.kept import purge_reports
from tokportal_server.http.request_log import purge_requests
from tokportal_server.lib.db import Database
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.partitions import drop_months, make_months
from tokportal_server.orders.states import JOURNAL_KEPT
from tokportal_server.pages.retention import purge_people
from tokportal_server.workspaces.audit import AUDIT_KEPT
from tokportal_server.workspaces.operations.invitations import purge_invitations

PURGE_ANSWERS = """
DELETE FROM idempotency_keys WHERE (workspace_id, key) IN (
    SELECT workspace_id, key FROM idempotency_keys WHERE expires_at < now() LIMIT 1000
)
"""
# Both are asked for years later: what happened to an order, and who did it.
_DROPPED = (("journal", JOURNAL_KEPT), ("audit", AUDIT_KEPT))
_EVERY_SECONDS = 60.0
# No upload or download takes this long; a file this old was left by a process that was killed.
_ABANDONED_SECONDS = 24 * 3600.0


class Housekeeping:
    """The worker's loop for what nobody waits for."""

    name = "housekeeping"

    def __init__(self, database: Database, incoming: Path) -> None:
        self._database = database
        self._incoming = incoming
        self._pace = Pace(_EVERY_SECONDS)

    async def run_once(self) -> int:
        """Once a minute: make the next months' partitions, delete what is past its time."""
        if not self._pace.is_due():
            return 0
        async with self._database.connection() as conn:
            await make_months(conn)
            result = await conn.execute(PURGE_ANSWERS)
            purged = int(result.removeprefix("DELETE ")) + await purge_codes(conn)
            purged += await purge_people(conn) + await purge_requests(conn)
            purged += await purge_invitations(conn) + await purge_reports(conn)
            purged += await forget_expired_sign_ins(conn)
            for table, keep in _DROPPED:
                purged += await drop_months(conn, table, keep)
        purged += await asyncio.to_thread(sweep, self._incoming)
        # A full batch means that there is more.
        if not purged:
            self._pace.rest()
        return purged


def sweep(directory: Path) -> int:
    """Delete files that nobody has written to for a day; give how many there were."""
    limit = time.time() - _ABANDONED_SECONDS
    abandoned = [path for path in directory.glob("*") if path.stat().st_mtime < limit]
    for path in abandoned:
        path.unlink(missing_ok=True)
    return len(abandoned)
