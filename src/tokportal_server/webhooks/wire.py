"""The webhook objects of contract section 12."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokportal_server.http.paging import PageQuery
from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import Timestamp
from tokportal_server.webhooks.catalogue import NAMES, event_problems

EventName = Annotated[
    str,
    Meta(
        description="An event type of the catalogue.",
        examples=["bundle.created"],
        extra_json_schema={"enum": sorted(NAMES)},
    ),
]
Events = Annotated[
    list[EventName],
    Meta(
        min_length=1,
        max_length=len(NAMES),
        description="Event types to be sent, each once.",
        extra_json_schema={"uniqueItems": True},
    ),
]
EndpointUrl = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="Where events are posted: https and a public host; one endpoint per URL.",
        examples=["https://example.com/hooks/orders"],
        extra_json_schema={"format": "uri"},
    ),
]
Description = Annotated[str, Meta(max_length=500, description="A note to yourself.")]
Enabled = Annotated[bool, Meta(description="Whether events are sent.")]


class CreateWebhookEndpointRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to be made."""

    url: EndpointUrl
    events: Events
    description: Description | None = None
    enabled: Enabled = True

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the event types."""
        yield from event_problems(self.events)


class UpdateWebhookEndpointRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Changes of an endpoint: at least one. Enabling clears failures and resends nothing."""

    url: EndpointUrl | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: Enabled | UnsetType = UNSET

    more_schema: ClassVar[dict[str, int]] = {"minProperties": 1}

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the event types, or that nothing is to be changed."""
        if self.events is not UNSET:
            yield from event_problems(self.events)
        if all(v is UNSET for v in (self.url, self.events, self.description, self.enabled)):
            yield Problem("body", "must have at least one of url, events, description, enabled")


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver of events."""

    id: UUID
    url: str
    events: list[str]
    description: str | None
    enabled: bool
    disabled_reason: str | None
    consecutive_failures: int
    last_delivery_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class CreatedWebhookEndpoint(WebhookEndpoint, frozen=True, kw_only=True):
    """A new endpoint with its signing secret, which nobody can read again."""

    signing_secret: (
        Annotated[str, Meta(pattern="^whsec_[0-9a-f]{64}$", description="Null in a dry run.")]
        | None
    )


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver one event to one endpoint."""

    id: UUID
    event_id: str
    event_type: str
    attempt: Annotated[int, Meta(ge=1, description="Which attempt this is, from 1.")]
    success: Annotated[bool | None, Meta(description="Null while pending.")]
    status: Literal["pending", "succeeded", "failed", "skipped_disabled"]
    response_status: int | None
    response_body: Annotated[str | None, Meta(description="The first 2 KB of the answer.")]
    error_class: Literal["dns", "refused", "timeout", "tls", "status", "blocked"] | None
    duration_ms: int | None
    url: str
    next_attempt_at: Timestamp | None
    created_at: Timestamp


class EndpointQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the endpoint list."""

    enabled: Enabled | None = None
    event: EventName | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield that the event type does not exist."""
        yield from _filter_problems("event", self.event)


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the delivery log."""

    event_type: EventName | None = None
    success: Annotated[bool, Meta(description="Pending attempts match neither.")] | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield that the event type does not exist."""
        yield from _filter_problems("event_type", self.event_type)


def _filter_problems(field: str, name: str | None) -> Iterator[Problem]:
    if name is not None and name not in NAMES:
        yield Problem(field, "is no event type; GET /webhooks/events lists them", name)
