"""Change an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from msgspec import UNSET, UnsetType

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.outbound import OutboundPolicy
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks.address import url_problems
from tokportal_server.webhooks.disabling import disable_locked_endpoint, skip_waiting
from tokportal_server.webhooks.errors import endpoint_not_found
from tokportal_server.webhooks.journal import record_enabled
from tokportal_server.webhooks.queries import get_endpoint
from tokportal_server.webhooks.wire import WebhookEndpoint

LOCK_ENDPOINT = "SELECT * FROM webhook_endpoints WHERE workspace_id = $1 AND id = $2 FOR UPDATE"
CHANGE_ENDPOINT = """
UPDATE webhook_endpoints SET url = $3, events = $4, description = $5, updated_at = $6
 WHERE workspace_id = $1 AND id = $2
"""
FORGET_FAILURES = """
UPDATE webhook_endpoints
   SET consecutive_failures = 0, first_failure_at = NULL, hold_until = NULL,
       warned_at = NULL
 WHERE workspace_id = $1 AND id = $2
"""
ENABLE_ENDPOINT = """
UPDATE webhook_endpoints SET enabled = true, disabled_reason = NULL
 WHERE workspace_id = $1 AND id = $2
"""


async def update_webhook_endpoint(
    *,
    tx: UnitOfWork,
    actor: Actor,
    policy: OutboundPolicy,
    endpoint_id: UUID,
    url: str | UnsetType = UNSET,
    events: Sequence[str] | UnsetType = UNSET,
    description: str | UnsetType | None = UNSET,
    enabled: bool | UnsetType = UNSET,
) -> WebhookEndpoint:
    """Change what is given; give the endpoint.

    Enabling clears failures and reason and resends nothing: what waited is skipped. Disabling skips
    what waits. A new URL clears the failures of the old one [ours].

    Raises:
        WebhookEndpointNotFoundError: the workspace has none with this id.
        ValidationError: ``url`` may not be called, or another endpoint has it.
    """
    if url is not UNSET:
        refuse(list(url_problems(url, policy)))
    row = await tx.conn.fetchrow(LOCK_ENDPOINT, tx.workspace_id, endpoint_id)
    if row is None:
        raise endpoint_not_found(endpoint_id)
    new_url = row["url"] if url is UNSET else url
    new_events = row["events"] if events is UNSET else events
    new_description = row["description"] if description is UNSET else description or None
    await _change(tx, endpoint_id, new_url, new_events, new_description)
    enabling = enabled is True and not row["enabled"]
    if enabling or new_url != row["url"]:
        await tx.conn.execute(FORGET_FAILURES, tx.workspace_id, endpoint_id)
    if enabling:
        await _enable(tx, endpoint_id, actor)
    elif enabled is False and row["enabled"]:
        await disable_locked_endpoint(tx, endpoint_id, reason=None, actor=actor)
    return await get_endpoint(tx.conn, tx.workspace_id, endpoint_id)


async def _change(
    tx: UnitOfWork, endpoint_id: UUID, url: str, events: Sequence[str], description: str | None
) -> None:
    try:
        await tx.conn.execute(
            CHANGE_ENDPOINT, tx.workspace_id, endpoint_id, url, events, description, tx.now
        )
    except asyncpg.UniqueViolationError:
        refuse([Problem("url", "belongs to another endpoint of the workspace", url)])


async def _enable(tx: UnitOfWork, endpoint_id: UUID, actor: Actor) -> None:
    # An event fanned out while the endpoint was being switched off may still wait.
    await skip_waiting(tx, endpoint_id)
    await tx.conn.execute(ENABLE_ENDPOINT, tx.workspace_id, endpoint_id)
    record_enabled(tx, endpoint_id, before=False, after=True, actor=actor)
