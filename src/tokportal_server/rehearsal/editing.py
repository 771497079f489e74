"""Edit requests of a rehearsal: simulated managers accept them, and then have made the change."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import Row
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.complete_edit_request import (
    MadeChanges,
    complete_edit_request,
)

log = structlog.get_logger(__name__)

# What the managers of one rehearsal ($1) were asked to change, oldest first.
TO_CHANGE = """
SELECT r.id, r.status, r.requested_username, a.platform, a.manager_id FROM edit_requests r
  JOIN saved_accounts a ON a.workspace_id = r.workspace_id AND a.id = r.saved_account_id
  JOIN managers m ON m.person_id = a.manager_id AND m.rehearsal_workspace_id = r.workspace_id
 WHERE r.workspace_id = $1 AND m.active AND r.status IN ('pending', 'in_progress')
 ORDER BY r.created_at, r.id LIMIT 200
"""


async def edit_once(conn: Connection, workspace_id: UUID, now: datetime) -> int:
    """Take the next step of every edit request of a rehearsal at ``now``; give the steps."""
    done = 0
    for row in await conn.fetch(TO_CHANGE, workspace_id):
        try:
            async with unit_of_work(conn, workspace_id, now=now) as tx:
                await _step(tx, row)
            done += 1
        except ApiError as error:
            log.info("simulated_step_refused", what="edit", code=error.code)
    return done


async def _step(tx: UnitOfWork, row: Row) -> None:
    actor = Actor("manager", row["manager_id"])
    if row["status"] == "pending":
        await accept_edit_request(tx=tx, actor=actor, request_id=row["id"])
        return
    made = MadeChanges(profile_url=profile_url(row["platform"], row["requested_username"]))
    await complete_edit_request(tx=tx, actor=actor, request_id=row["id"], made=made)


def profile_url(platform: str, username: str) -> str:
    """Give the address that a profile would have; nobody is there."""
    host = "www.tiktok.com/@" if platform == "tiktok" else "www.instagram.com/"
    return f"https://{host}{username}"
