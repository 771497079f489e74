"""What was sent to an endpoint: the log, one delivery with all its attempts, what never arrived."""

from __future__ import annotations

import json
from typing import Final
from uuid import UUID

from tokportal_server.console.acts import is_writer, refusal_of
from tokportal_server.console.lists import query_of
from tokportal_server.console.webhooks import endpoint_address, endpoint_of
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.pages.texts import text
from tokportal_server.webhooks.delivery_log import GET_DELIVERY, delivery_from, list_deliveries
from tokportal_server.webhooks.errors import (
    WebhookDeliveryNotFoundError,
    WebhookEndpointNotFoundError,
)
from tokportal_server.webhooks.manual import make_attempt, record_attempt
from tokportal_server.webhooks.operations.retry_webhook_delivery import (
    KEPT_PAYLOAD,
    retry_webhook_delivery,
)
from tokportal_server.webhooks.schedule import MAX_ATTEMPTS, PAYLOADS_KEPT
from tokportal_server.webhooks.sending import CONTENT_TYPE, ID_HEADER, SIGNATURE_HEADER, TYPE_HEADER
from tokportal_server.webhooks.wire import DeliveryQuery, WebhookDelivery

# Every attempt to deliver one event, by the log of its type.
ATTEMPTS = """
SELECT id, event_id, event_type, attempt, status, response_status, response_body, error_class,
       duration_ms, url, next_attempt_at, due_at, created_at
  FROM webhook_deliveries
 WHERE workspace_id = $1 AND endpoint_id = $2 AND event_type = $3 AND event_id = $4
 ORDER BY ordinal DESC LIMIT 100
"""
# The last automatic attempt of an event has no other after it. One that somebody asked for later
# and that succeeded has delivered the event after all.
UNDELIVERED = """
SELECT id, event_id, event_type, attempt, status, response_status, response_body, error_class,
       duration_ms, url, next_attempt_at, due_at, created_at
  FROM webhook_deliveries d
 WHERE workspace_id = $1 AND endpoint_id = $2
   AND status IN ('failed', 'skipped_disabled') AND next_attempt_at IS NULL AND NOT manual
   AND NOT EXISTS (SELECT FROM webhook_deliveries m
                    WHERE m.workspace_id = d.workspace_id AND m.endpoint_id = d.endpoint_id
                      AND m.event_id = d.event_id AND m.manual AND m.status = 'succeeded')
 ORDER BY ordinal DESC LIMIT 100
"""


async def show_deliveries(visit: Visit) -> Answer:
    """List the attempts, newest first, by type and outcome."""
    endpoint = await endpoint_of(visit)
    query, filters = query_of(visit, DeliveryQuery)
    deliveries, pages = await list_deliveries(visit.conn, visit.workspace.id, endpoint.id, query)
    facts = {
        "endpoint": endpoint,
        "deliveries": deliveries,
        "pages": pages,
        "filters": {
            name: one for name, one in filters.items() if name in ("event_type", "success")
        },
        "type_options": [("", text("list.all")), *((one, one) for one in sorted(endpoint.events))],
        "address": endpoint_address(visit),
    }
    return Shown("deliveries.html", facts)


async def show_undelivered(visit: Visit) -> Answer:
    """List the events that were given up, the newest hundred."""
    endpoint = await endpoint_of(visit)
    rows = await visit.conn.fetch(UNDELIVERED, visit.workspace.id, endpoint.id)
    facts = {
        "endpoint": endpoint,
        "deliveries": [delivery_from(row) for row in rows],
        "kept_days": PAYLOADS_KEPT.days,
        "writer": is_writer(visit),
        "address": endpoint_address(visit),
    }
    return Shown("undelivered.html", facts)


async def show_delivery(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show one attempt: what was sent, what was answered, the others, when the next one is due.

    Raises:
        PageNotFoundError: the endpoint has no such delivery (any more).
    """
    endpoint = await endpoint_of(visit)
    workspace_id = visit.workspace.id
    delivery = await _delivery(visit.conn, workspace_id, endpoint.id, visit.id("delivery"))
    attempts = await visit.conn.fetch(
        ATTEMPTS, workspace_id, endpoint.id, delivery.event_type, delivery.event_id
    )
    body = await visit.conn.fetchval(KEPT_PAYLOAD, workspace_id, delivery.event_id, PAYLOADS_KEPT)
    facts = {
        "endpoint": endpoint,
        "delivery": delivery,
        "attempts": [delivery_from(row) for row in attempts],
        "most_attempts": MAX_ATTEMPTS,
        "sent": _sent(delivery),
        "body": None if body is None else _readable(body),
        "kept_days": PAYLOADS_KEPT.days,
        "signature_header": SIGNATURE_HEADER,
        "writer": is_writer(visit),
        "address": endpoint_address(visit),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("delivery.html", facts)


async def retry(visit: Visit) -> Answer:
    """Send an event once more, and lead to what came of it."""
    try:
        async with visit.connected() as here:
            sendable = await retry_webhook_delivery(
                here.conn,
                visit.workspace.id,
                endpoint_id=visit.id("endpoint"),
                delivery_id=visit.id("delivery"),
                now=visit.now,
            )
        result = await make_attempt(visit.ports, sendable)
        async with visit.connected() as here:
            delivery = await record_attempt(here.conn, result)
    except (WebhookEndpointNotFoundError, WebhookDeliveryNotFoundError):
        raise nothing_here() from None
    except ApiError as error:
        async with visit.connected() as here:
            return await show_delivery(here, refusal_of("retry", error, visit))
    done = "webhook_tested" if delivery.success else "webhook_failed"
    return Redirect(f"{endpoint_address(visit)}/deliveries/{delivery.id}?done={done}")


async def _delivery(
    conn: Connection, workspace_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> WebhookDelivery:
    row = await conn.fetchrow(GET_DELIVERY, workspace_id, endpoint_id, delivery_id)
    if row is None:
        raise nothing_here()
    return delivery_from(row)


def _sent(delivery: WebhookDelivery) -> dict[str, str]:
    """Give the headers that were sent, but for the signature, which is not kept."""
    return {
        "Content-Type": CONTENT_TYPE,
        ID_HEADER: delivery.event_id,
        TYPE_HEADER: delivery.event_type,
    }


def _readable(body: bytes) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False)


_HERE = "/console/{workspace}/webhooks/{endpoint}"
_ONE = f"{_HERE}/deliveries/{{delivery}}"
DELIVERY_PAGES: Final = (
    Page("deliveries", "GET", f"{_HERE}/deliveries", show_deliveries),
    Page("undelivered", "GET", f"{_HERE}/undelivered", show_undelivered),
    Page("delivery", "GET", _ONE, show_delivery),
    Page("retry_delivery", "POST", f"{_ONE}/retry", retry, goes_outside=True),
)
