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


def endpoint_not_found(endpoint_id: UUID) -> WebhookEndpointNotFoundError:
    """Give the 404 for an id that names no endpoint of the workspace."""
    return WebhookEndpointNotFoundError(
        f"id: the workspace has no webhook endpoint {endpoint_id}; GET /webhooks lists those it"
        " has."
    )
