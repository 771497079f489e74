"""Notices to a workspace's owners: events that they should act on, and the end of an endpoint.

The first are a listener's work: the dispatcher wants a job for each such event in the transaction
that fans it out. The others are written by whoever changes the endpoint, in that transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tokportal_server.lib.db import Connection, Database
from tokportal_server.webhooks.health import Health
from tokportal_server.webhooks.schedule import DISABLED_AFTER
from tokportal_server.workspaces.notices import tell_owners

# The job of the listener; entry gives it to the dispatcher and to the runner.
NOTICE_JOB: Final = "notice"
_SENTENCES: Final = {
    "account.banned": "{platform} banned the account {username}: {reason}.",
    "credits.low": "{credits} credits are left, fewer than the {threshold} that you set.",
    "credits.expiring": "{amount} credits expire on {expires_at}.",
    "video.download_issue": "The manager could not open the media of video {position}.",
    "video.overdue": "Video {position} was not posted inside its window.",
}
NOTICED: Final = frozenset(_SENTENCES)


class NoticeListener:
    """Turns events into notices; the event's id makes it the same notice however often it runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, payload: dict[str, Any]) -> None:
        """Handle one job of the dispatcher (``dispatch.listened``)."""
        kind = payload["type"]
        async with self._database.connection() as conn:
            await tell_owners(
                conn,
                UUID(payload["workspace_id"]),
                kind=kind,
                subject=payload["event_id"],
                text=_SENTENCES[kind].format(**payload["data"]),
                at=datetime.fromisoformat(payload["created_at"]),
            )


async def warn_of_failing(conn: Connection, health: Health) -> None:
    """Tell the owners that an endpoint fails, while there is time to mend it."""
    await _tell(
        conn,
        health,
        "webhook_endpoint_failing",
        f"No delivery to {health.url} has succeeded since {_day(health.first_failure_at)}. After"
        f" {DISABLED_AFTER.days} days of nothing but failure it is disabled.",
    )


async def tell_of_disabling(conn: Connection, health: Health) -> None:
    """Tell the owners that the server has switched an endpoint off, and why."""
    await _tell(
        conn,
        health,
        "webhook_endpoint_disabled",
        f"Events are no longer sent to {health.url}: {health.disabled_reason}. Enable it when the"
        " receiver works again; what came meanwhile is in its deliveries and can be retried.",
    )


async def _tell(conn: Connection, health: Health, kind: str, text: str) -> None:
    # A later run of failures of the same endpoint is another fact.
    subject = f"{health.endpoint_id} {health.first_failure_at or health.now}"
    await tell_owners(
        conn, health.workspace_id, kind=kind, subject=subject, text=text, at=health.now
    )


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.date().isoformat()
