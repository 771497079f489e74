"""What has had its time: months of snapshots, and comments of other people."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tokportal_server.lib.db import Database
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.partitions import drop_months
from tokportal_server.lib.settings import Settings

PURGE_COMMENTS = """
DELETE FROM post_comments WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM post_comments WHERE recorded_at < now() - $1::interval LIMIT 1000
)
"""
_SNAPSHOTS: Final = ("post_snapshots", "account_snapshots")
_EVERY_SECONDS: Final = 60.0


class AnalyticsRetention:
    """The worker's loop for what nobody waits for; rollups and latest numbers stay."""

    name = "analytics_retention"

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._snapshots = timedelta(days=settings.analytics_snapshots_kept_days)
        self._comments = timedelta(days=settings.analytics_comments_kept_days)
        self._pace = Pace(_EVERY_SECONDS)

    async def run_once(self) -> int:
        """Purge once a minute; give how many comments and months went."""
        if not self._pace.is_due():
            return 0
        async with self._database.connection() as conn:
            tag = await conn.execute(PURGE_COMMENTS, self._comments)
            gone = int(tag.removeprefix("DELETE "))
            for parent in _SNAPSHOTS:
                gone += await drop_months(conn, parent, self._snapshots)
        # As long as there is more, the next turn follows soon.
        if not gone:
            self._pace.rest()
        return gone
