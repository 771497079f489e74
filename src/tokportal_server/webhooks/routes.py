"""The operations of the reference's group Webhooks."""

from __future__ import annotations

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.idempotency import parse_key
from tokportal_server.http.registry import Router
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks import queries
from tokportal_server.webhooks.catalogue import TEST_EVENT
from tokportal_server.webhooks.delivery_log import list_deliveries
from tokportal_server.webhooks.envelope import Envelope
from tokportal_server.webhooks.errors import (
    WebhookDeliveryNotFoundError,
    WebhookEndpointDisabledError,
    WebhookEndpointExistsError,
    WebhookEndpointNotFoundError,
    WebhookPayloadUnavailableError,
)
from tokportal_server.webhooks.facts import WebhookCatalogue, webhook_catalogue
from tokportal_server.webhooks.feed import EventFeedQuery, read_events
from tokportal_server.webhooks.manual import (
    FIRST_ATTEMPT,
    Sendable,
    lock_endpoint,
    make_attempt,
    record_attempt,
)
from tokportal_server.webhooks.operations.create_webhook_endpoint import create_webhook_endpoint
from tokportal_server.webhooks.operations.delete_webhook_endpoint import delete_webhook_endpoint
from tokportal_server.webhooks.operations.retry_webhook_delivery import (
    retry_webhook_delivery,
    retryable,
)
from tokportal_server.webhooks.operations.test_webhook_endpoint import test_webhook_endpoint
from tokportal_server.webhooks.operations.update_webhook_endpoint import update_webhook_endpoint
from tokportal_server.webhooks.wire import (
    CreatedWebhookEndpoint,
    CreateWebhookEndpointRequest,
    DeliveryQuery,
    EndpointQuery,
    UpdateWebhookEndpointRequest,
    WebhookDelivery,
    WebhookEndpoint,
)

router = Router("Webhooks")


@router.operation(
    "GET",
    "/webhooks/events",
    "listWebhookEvents",
    summary="List webhook event catalog",
    returns=WebhookCatalogue,
    public=True,
)
async def list_webhook_events(_: Call) -> Answer:
    """Every event type with the schema and an example of its data; envelope, retries, signature."""
    return Answer(webhook_catalogue())


@router.operation(
    "GET",
    "/webhooks",
    "listWebhookEndpoints",
    summary="List webhook endpoints",
    returns=list[WebhookEndpoint],
    paged=True,
)
async def list_webhook_endpoints(call: Call, query: EndpointQuery) -> Answer:
    """Endpoints, newest first."""
    endpoints, page = await queries.list_endpoints(call.conn, call.who.workspace_id, query)
    return Answer(endpoints, page=page)


@router.operation(
    "POST",
    "/webhooks",
    "createWebhookEndpoint",
    summary="Create a webhook endpoint",
    status=201,
    returns=CreatedWebhookEndpoint,
    errors=(WebhookEndpointExistsError,),
    idempotency="sealed",
)
async def create(call: Call, body: CreateWebhookEndpointRequest) -> Answer:
    """Make an endpoint. The answer alone shows its signing secret: keep it."""
    created = await create_webhook_endpoint(
        tx=call.tx,
        actor=call.who.actor,
        vault=call.ports.vault,
        policy=call.ports.outbound_policy,
        url=body.url,
        events=body.events,
        description=body.description,
        enabled=body.enabled,
    )
    return Answer(created, status=201)


@router.operation(
    "GET",
    "/webhooks/{id}",
    "getWebhookEndpoint",
    summary="Get a webhook endpoint",
    returns=WebhookEndpoint,
    path_errors=(WebhookEndpointNotFoundError,),
)
async def get_webhook_endpoint(call: Call) -> Answer:
    """One endpoint, without its secret."""
    endpoint_id = call.id("id", WebhookEndpointNotFoundError)
    return Answer(await queries.get_endpoint(call.conn, call.who.workspace_id, endpoint_id))


@router.operation(
    "PATCH",
    "/webhooks/{id}",
    "updateWebhookEndpoint",
    summary="Update a webhook endpoint",
    returns=WebhookEndpoint,
    path_errors=(WebhookEndpointNotFoundError,),
)
async def update(call: Call, body: UpdateWebhookEndpointRequest) -> Answer:
    """Change URL, events, description or state. Enabling clears failures and resends nothing."""
    updated = await update_webhook_endpoint(
        tx=call.tx,
        actor=call.who.actor,
        policy=call.ports.outbound_policy,
        endpoint_id=call.id("id", WebhookEndpointNotFoundError),
        url=body.url,
        events=body.events,
        description=body.description,
        enabled=body.enabled,
    )
    return Answer(updated)


@router.operation(
    "DELETE",
    "/webhooks/{id}",
    "deleteWebhookEndpoint",
    summary="Delete a webhook endpoint",
    status=204,
    returns=None,
    path_errors=(WebhookEndpointNotFoundError,),
)
async def delete(call: Call) -> Answer:
    """Forget an endpoint, its secret and what waits for it."""
    await delete_webhook_endpoint(
        tx=call.tx,
        actor=call.who.actor,
        endpoint_id=call.id("id", WebhookEndpointNotFoundError),
    )
    return Answer(None, status=204)


@router.operation(
    "GET",
    "/webhooks/{id}/deliveries",
    "listWebhookDeliveries",
    summary="List webhook deliveries",
    returns=list[WebhookDelivery],
    paged=True,
    path_errors=(WebhookEndpointNotFoundError,),
)
async def list_webhook_deliveries(call: Call, query: DeliveryQuery) -> Answer:
    """Attempts to deliver to an endpoint, newest first."""
    endpoint_id = call.id("id", WebhookEndpointNotFoundError)
    deliveries, page = await list_deliveries(call.conn, call.who.workspace_id, endpoint_id, query)
    return Answer(deliveries, page=page)


@router.operation(
    "POST",
    "/webhooks/{id}/deliveries/{delivery_id}/retry",
    "retryWebhookDelivery",
    summary="Retry a webhook delivery",
    returns=WebhookDelivery,
    errors=(WebhookEndpointDisabledError, WebhookPayloadUnavailableError),
    path_errors=(WebhookEndpointNotFoundError, WebhookDeliveryNotFoundError),
    effects=True,
)
async def retry(call: Call) -> Effect:
    """Send an event once more, with the same id and bytes and a new signature; one attempt."""
    endpoint_id = call.id("id", WebhookEndpointNotFoundError)
    delivery_id = call.id("delivery_id", WebhookDeliveryNotFoundError)
    workspace_id = call.who.workspace_id
    async with call.ports.database.connection() as conn:
        if call.dry_run:
            async with conn.transaction():
                endpoint, delivery, _ = await retryable(
                    conn, workspace_id, endpoint_id, delivery_id
                )
            return _imagined(call, endpoint["url"], delivery["event_id"], delivery["event_type"])
        sendable = await retry_webhook_delivery(
            conn,
            workspace_id,
            endpoint_id=endpoint_id,
            delivery_id=delivery_id,
            now=call.who.now,
        )
    return await _attempted(call, sendable)


@router.operation(
    "POST",
    "/webhooks/{id}/test",
    "testWebhookEndpoint",
    summary="Send a test webhook",
    returns=WebhookDelivery,
    path_errors=(WebhookEndpointNotFoundError,),
    effects=True,
)
async def test(call: Call) -> Effect:
    """Send a `webhook.test` event now, also to an endpoint that is disabled or not subscribed.

    The answer is 200 whatever the receiver does; `success` tells. A test counts neither towards
    the breaker nor towards disabling the endpoint, unless the receiver answers 410.
    """
    endpoint_id = call.id("id", WebhookEndpointNotFoundError)
    workspace_id = call.who.workspace_id
    async with call.ports.database.connection() as conn:
        if call.dry_run:
            async with conn.transaction():
                endpoint = await lock_endpoint(conn, workspace_id, endpoint_id)
            return _imagined(call, endpoint["url"], f"evt_{'0' * 32}", TEST_EVENT)
        sendable = await test_webhook_endpoint(
            conn,
            workspace_id,
            endpoint_id=endpoint_id,
            now=call.who.now,
            key=parse_key(call.headers.get(b"idempotency-key")),
        )
    return await _attempted(call, sendable)


async def _attempted(call: Call, sendable: Sendable) -> Effect:
    result = await make_attempt(call.ports, sendable)

    async def finish(work: UnitOfWork) -> Answer:
        return Answer(await record_attempt(work.conn, result))

    async def undo() -> None:
        # It was sent; that the answer could not be stored does not change what the log has to say.
        async with call.ports.database.connection() as conn:
            await record_attempt(conn, result)

    return Effect(finish=finish, undo=undo)


def _imagined(call: Call, url: str, event_id: str, event_type: str) -> Effect:
    """Answer a dry run: an attempt that waits and is never made."""

    async def finish(work: UnitOfWork) -> Answer:
        return Answer(
            WebhookDelivery(
                id=work.new_id(),
                event_id=event_id,
                event_type=event_type,
                attempt=FIRST_ATTEMPT,
                success=None,
                status="pending",
                response_status=None,
                response_body=None,
                error_class=None,
                duration_ms=None,
                url=url,
                next_attempt_at=wire_time(call.who.now),
                created_at=wire_time(call.who.now),
            )
        )

    async def undo() -> None:
        """Leave everything as it is: nothing was sent."""

    return Effect(finish=finish, undo=undo)


@router.operation(
    "GET",
    "/events",
    "listEvents",
    summary="Read the workspace's events in order",
    returns=list[Envelope],
    addition=True,
    siblings={
        "next_cursor": {
            "type": "string",
            "description": "Send it as `after` to read on, now or later.",
        }
    },
)
async def list_events(call: Call, query: EventFeedQuery) -> Answer:
    """Everything that was emitted in the last 30 days, oldest first and without gaps.

    Addition of this server: for receivers that poll, or that want back what they have missed.
    """
    events, cursor = await read_events(call.conn, call.who.workspace_id, query)
    return Answer(events, siblings={"next_cursor": cursor})
