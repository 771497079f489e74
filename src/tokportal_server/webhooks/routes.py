"""The operations of the reference's group Webhooks."""

from __future__ import annotations

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.webhooks import queries
from tokportal_server.webhooks.errors import (
    WebhookEndpointExistsError,
    WebhookEndpointNotFoundError,
)
from tokportal_server.webhooks.facts import WebhookCatalogue, webhook_catalogue
from tokportal_server.webhooks.operations.create_webhook_endpoint import create_webhook_endpoint
from tokportal_server.webhooks.operations.delete_webhook_endpoint import delete_webhook_endpoint
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
    deliveries, page = await queries.list_deliveries(
        call.conn, call.who.workspace_id, endpoint_id, query
    )
    return Answer(deliveries, page=page)
