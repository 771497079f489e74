"""What the webhook operations refuse, beside validation."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.errors import ApiError


class WebhookEndpointNotFoundError(ApiError):
    """The workspace has no such endpoint."""

    code = "WEBHOOK_ENDPOINT_NOT_FOUND"
    status = 404
    remedy = "You: take the id from `GET /webhooks`."


class WebhookEndpointExistsError(ApiError):
    """The workspace already has an endpoint with this URL."""

    code = "WEBHOOK_ENDPOINT_EXISTS"
    status = 409
    remedy = (
        "You: change the endpoint that has the URL (`PATCH /webhooks/{id}`), or send another URL."
    )


class WebhookDeliveryNotFoundError(ApiError):
    """The endpoint has no such delivery."""

    code = "WEBHOOK_DELIVERY_NOT_FOUND"
    status = 404
    remedy = "You: take the id from `GET /webhooks/{id}/deliveries`."


class WebhookEndpointDisabledError(ApiError):
    """A delivery cannot be retried while its endpoint is disabled."""

    code = "WEBHOOK_ENDPOINT_DISABLED"
    status = 409
    remedy = "You: enable the endpoint (`PATCH /webhooks/{id}`), then retry."


class WebhookPayloadUnavailableError(ApiError):
    """The bytes of the delivery are not kept any more."""

    code = "WEBHOOK_PAYLOAD_UNAVAILABLE"
    status = 409
    remedy = "You: read the object that the event was about; bodies are kept for 30 days."


def delivery_not_found(delivery_id: UUID) -> WebhookDeliveryNotFoundError:
    """Give the 404 for an id that names no delivery of the endpoint."""
    return WebhookDeliveryNotFoundError(
        f"delivery_id: the endpoint has no delivery {delivery_id}; GET /webhooks/{{id}}/deliveries"
        " lists those it has."
    )


def endpoint_not_found(endpoint_id: UUID) -> WebhookEndpointNotFoundError:
    """Give the 404 for an id that names no endpoint of the workspace."""
    return WebhookEndpointNotFoundError(
        f"id: the workspace has no webhook endpoint {endpoint_id}; GET /webhooks lists those it"
        " has."
    )
