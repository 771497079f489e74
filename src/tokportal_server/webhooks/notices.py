"""Notices: events that people should act on, claims that end soon, the end of an endpoint.

The first are a listener's work: the dispatcher wants a job for each such event in the transaction
that fans it out. The second are looked for once a minute. The last are written by whoever changes
the endpoint, in that transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.loops import Pace
from tokportal_server.webhooks.health import Health
from tokportal_server.webhooks.schedule import DISABLED_AFTER
from tokportal_server.workspaces.notices import tell, tell_customers, tell_owners

# The job of the listener; entry gives it to the dispatcher and to the runner.
NOTICE_JOB: Final = "notice"
Audience = Literal["owners", "customers", "manager"]


@dataclass(frozen=True, slots=True)
class _Told:
    """What an event says to people, filled in with its data."""

    sentence: str
    audience: tuple[Audience, ...]


_TOLD: Final[Mapping[str, _Told]] = {
    "account.in_review": _Told("The account {username} waits for your review.", ("customers",)),
    "video.in_review": _Told("The post of video {position} waits for your review.", ("customers",)),
    "account.pending_corrections": _Told(
        "The customer asks for corrections of the account {username}.", ("manager",)
    ),
    "video.pending_corrections": _Told(
        "The customer asks for corrections of video {position}.", ("manager",)
    ),
    "comment.pending_corrections": _Told(
        "The comment below {target_video_url} must be mended.", ("manager",)
    ),
    "account.banned": _Told("{platform} banned the account {username}: {reason}.", ("owners",)),
    "edit_request.completed": _Told(
        "The profile that you asked to have changed on {platform} is changed.", ("customers",)
    ),
    "edit_request.rejected": _Told(
        "The change of a profile that you asked for on {platform} was rejected; its price is given"
        " back.",
        ("customers",),
    ),
    "credits.low": _Told(
        "{credits} credits are left, fewer than the {threshold} that you set.", ("owners",)
    ),
    "credits.expiring": _Told("{amount} credits expire on {expires_at}.", ("owners",)),
    "video.download_issue": _Told(
        "The manager could not open the media of video {position}.", ("customers",)
    ),
    "video.overdue": _Told(
        "Video {position} was not posted inside its window.", ("customers", "manager")
    ),
}
NOTICED: Final = frozenset(_TOLD)
# What a page needs to lead to what the event is about.
_ABOUT: Final = ("bundle_id", "position", "saved_account_id", "comment_task_id")
# Simulated managers read nothing.
HOLDER = """
SELECT k.manager_id FROM claims k
  JOIN managers m ON m.person_id = k.manager_id AND m.rehearsal_workspace_id IS NULL
 WHERE k.workspace_id = $1 AND k.bundle_id = $2 AND k.status = 'live'
"""
WRITER = """
SELECT t.manager_id FROM comment_tasks t
  JOIN managers m ON m.person_id = t.manager_id AND m.rehearsal_workspace_id IS NULL
 WHERE t.workspace_id = $1 AND t.id = $2
"""
# A claim that ends soon, and whose holder has not been told of this end.
NEAR = """
SELECT k.workspace_id, k.id, k.bundle_id, k.manager_id, k.due_at, b.platform, b.country
  FROM claims k
  JOIN workspaces w ON w.id = k.workspace_id AND NOT w.rehearsal
  JOIN managers m ON m.person_id = k.manager_id AND m.rehearsal_workspace_id IS NULL
  JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id
 WHERE k.status = 'live' AND k.due_at > now() AND k.due_at <= now() + $1::interval
   AND NOT EXISTS (
       SELECT FROM notices n
        WHERE n.workspace_id = k.workspace_id AND n.person_id = k.manager_id
          AND n.kind = 'claim_deadline'
          AND n.subject = k.id || ' ' || floor(extract(epoch FROM k.due_at))::bigint)
   AND NOT EXISTS (
       SELECT FROM notice_choices c
        WHERE c.person_id = k.manager_id AND c.topic = 'claim_deadline'
          AND NOT c.on_page AND NOT c.by_mail)
 ORDER BY k.due_at LIMIT 200
"""
NEAR_AHEAD: Final = timedelta(hours=12)
_LOOK_SECONDS = 60.0


class NoticeListener:
    """Turns events into notices; the event's id makes it the same notice however often it runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, payload: dict[str, Any]) -> None:
        """Handle one job of the dispatcher (``dispatch.listened``)."""
        kind, data = payload["type"], payload["data"]
        workspace_id = UUID(payload["workspace_id"])
        told = _TOLD[kind]
        notice = {
            "kind": kind,
            "subject": payload["event_id"],
            "text": told.sentence.format(**data),
            "at": datetime.fromisoformat(payload["created_at"]),
        }
        about = {name: data[name] for name in _ABOUT if data.get(name) is not None}
        async with self._database.connection() as conn, conn.transaction():
            # Whoever is both hears of it as the one who works on it.
            if "manager" in told.audience:
                managers = await _managers(conn, workspace_id, data)
                await tell(conn, workspace_id, managers, about={**about, "work": True}, **notice)
            if "owners" in told.audience:
                await tell_owners(conn, workspace_id, about=about, **notice)
            if "customers" in told.audience:
                await tell_customers(conn, workspace_id, about=about, **notice)


async def _managers(conn: Connection, workspace_id: UUID, data: Mapping[str, Any]) -> list[UUID]:
    if "comment_task_id" in data:
        rows = await conn.fetch(WRITER, workspace_id, UUID(data["comment_task_id"]))
    else:
        rows = await conn.fetch(HOLDER, workspace_id, UUID(data["bundle_id"]))
    return [row["manager_id"] for row in rows]


class ClaimsNearTheirEnd:
    """The worker's loop that tells managers of claims which end soon."""

    name = "claims_near_their_end"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pace = Pace(_LOOK_SECONDS)

    async def run_once(self) -> int:
        """Once a minute, tell everybody who has not been told; give how many there were."""
        if not self._pace.is_due():
            return 0
        async with self._database.connection() as conn:
            rows = await conn.fetch(NEAR, NEAR_AHEAD)
            for row in rows:
                await tell(
                    conn,
                    row["workspace_id"],
                    [row["manager_id"]],
                    kind="claim_deadline",
                    subject=f"{row['id']} {int(row['due_at'].timestamp())}",
                    text=(
                        f"Your order on {row['platform']} in {row['country']} is due on"
                        f" {row['due_at']:%d %b, %H:%M} UTC."
                    ),
                    at=real_now(),
                    about={"bundle_id": row["bundle_id"], "work": True},
                )
        # A full batch means that there is more.
        if not rows:
            self._pace.rest()
        return len(rows)


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
        conn,
        health.workspace_id,
        kind=kind,
        subject=subject,
        text=text,
        at=health.now,
        about={"endpoint_id": health.endpoint_id},
    )


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.date().isoformat()
