"""What has had its time: bodies after 30 days, months of events and of the log, old notices.

Folds the tallies of the delivery log as well, so that adding them up stays cheap.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.partitions import drop_months
from tokportal_server.webhooks.schedule import EVENTS_KEPT, LOG_KEPT, PAYLOADS_KEPT

NOTICES_KEPT: Final = timedelta(days=180)

FOLD_TALLIES = """
WITH crowded AS (
    SELECT workspace_id, endpoint_id FROM webhook_tallies
     GROUP BY workspace_id, endpoint_id HAVING count(*) > $1 LIMIT 50
), taken AS (
    DELETE FROM webhook_tallies t USING crowded c
     WHERE t.workspace_id = c.workspace_id AND t.endpoint_id = c.endpoint_id
    RETURNING t.workspace_id, t.endpoint_id, t.event_type, t.status, t.n
), folded AS (
    INSERT INTO webhook_tallies (workspace_id, endpoint_id, event_type, status, n)
    SELECT workspace_id, endpoint_id, event_type, status, sum(n)
      FROM taken GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken) - (SELECT count(*) FROM folded)
"""
PURGE_PAYLOADS = """
DELETE FROM webhook_payloads WHERE (workspace_id, event_id, recorded_at) IN (
    SELECT workspace_id, event_id, recorded_at FROM webhook_payloads
     WHERE recorded_at < now() - $1::interval LIMIT 1000
)
"""
PURGE_NOTICES = """
DELETE FROM notices WHERE (workspace_id, person_id, kind, subject) IN (
    SELECT workspace_id, person_id, kind, subject FROM notices
     WHERE told_at < now() - $1::interval LIMIT 1000
)
"""
_DROPPED: Final = (
    ("webhook_payloads", PAYLOADS_KEPT),
    ("webhook_deliveries", LOG_KEPT),
    ("events", EVENTS_KEPT),
)
# More rows than an endpoint has types and statuses, as a rule.
_CROWDED: Final = 64
_FOLD_SECONDS: Final = 5.0
_PURGE_SECONDS: Final = 60.0


class WebhookRetention:
    """The worker's loop for what nobody waits for."""

    name = "webhook_retention"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._folds = Pace(_FOLD_SECONDS)
        self._purges = Pace(_PURGE_SECONDS)

    async def run_once(self) -> int:
        """Fold every few seconds, purge every minute; give how many rows and months went."""
        if not self._folds.is_due():
            return 0
        self._folds.rest()
        async with self._database.connection() as conn:
            await conn.fetchval(FOLD_TALLIES, _CROWDED)
            if not self._purges.is_due():
                return 0
            gone = await _purge(conn)
        # As long as there is more, the next turn follows soon.
        if not gone:
            self._purges.rest()
        return gone


async def _purge(conn: Connection) -> int:
    gone = _deleted(await conn.execute(PURGE_PAYLOADS, PAYLOADS_KEPT))
    gone += _deleted(await conn.execute(PURGE_NOTICES, NOTICES_KEPT))
    for parent, keep in _DROPPED:
        gone += await drop_months(conn, parent, keep)
    return gone


def _deleted(tag: str) -> int:
    return int(tag.removeprefix("DELETE "))
