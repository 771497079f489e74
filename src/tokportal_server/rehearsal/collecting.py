"""Numbers of a rehearsal: collected from the simulated platform, by the rehearsal's clock."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from uuid import UUID

from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.refreshing import RefreshRules
from tokportal_server.analytics.schedule import Refresher
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

# The first numbers come one target age ($3) after the delivery.
TO_COLLECT = """
SELECT a.id FROM saved_accounts a
  LEFT JOIN analytics_refreshes r ON r.workspace_id = a.workspace_id AND r.saved_account_id = a.id
 WHERE a.workspace_id = $1 AND a.status <> 'banned'
   AND COALESCE(r.due_at, a.delivered_at + $3) <= $2
 ORDER BY a.id LIMIT 1000
"""
# The next moment after $2, and up to $4, at which one is.
NEXT_COLLECTION = """
SELECT min(d.due_at) FROM (
    SELECT COALESCE(r.due_at, a.delivered_at + $3) AS due_at
      FROM saved_accounts a
      LEFT JOIN analytics_refreshes r
        ON r.workspace_id = a.workspace_id AND r.saved_account_id = a.id
     WHERE a.workspace_id = $1 AND a.status <> 'banned'
) d WHERE d.due_at > $2 AND d.due_at <= $4
"""


async def next_collection(
    conn: Connection, ports: Ports, workspace_id: UUID, after: datetime, until: datetime
) -> datetime | None:
    """Give when numbers are due next, or None if that is past ``until``."""
    target = RefreshRules.of(ports.settings).target
    if not target:
        return None
    moment: datetime | None = await conn.fetchval(
        NEXT_COLLECTION, workspace_id, after, target, until
    )
    return moment


async def collect_once(conn: Connection, ports: Ports, workspace_id: UUID, now: datetime) -> None:
    """Refresh the accounts of a rehearsal that are due at ``now``."""
    rules = RefreshRules.of(ports.settings)
    if not rules.target:
        return
    due = await conn.fetch(TO_COLLECT, workspace_id, now, rules.target)
    if not due:
        return
    refresher = Refresher(lambda: nullcontext(conn), Providers.of(ports), rules)
    for row in due:
        await refresher.refresh(workspace_id, row["id"], now)
