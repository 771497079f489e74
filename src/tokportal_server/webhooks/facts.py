"""What a receiver must know beside the events: envelope, delivery, signature."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from tokportal_server.lib.signing import SIGNATURE_TOLERANCE_SECONDS
from tokportal_server.webhooks.catalogue import CATALOGUE, EventType
from tokportal_server.webhooks.envelope import Envelope, Event, encode_envelope
from tokportal_server.webhooks.event_data import complete_schema
from tokportal_server.webhooks.schedule import (
    DELAYS,
    DISABLED_AFTER,
    IN_FLIGHT_CAP,
    JITTER,
    MAX_ATTEMPTS,
    RETRY_AFTER_MAX,
)
from tokportal_server.webhooks.sending import (
    CONNECT_SECONDS,
    CONTENT_TYPE,
    ID_HEADER,
    SIGNATURE_HEADER,
    TOTAL_SECONDS,
    TYPE_HEADER,
)


class EnvelopeFacts(msgspec.Struct, frozen=True):
    """How the body of a delivery is made."""

    description: str
    schema: dict[str, Any]
    example: Envelope


class DeliveryFacts(msgspec.Struct, frozen=True):
    """When and how a delivery is tried; times are seconds."""

    method: str
    content_type: str
    headers: list[str]
    success: str
    connect_timeout_seconds: float
    total_timeout_seconds: float
    max_attempts: int
    retry_delays_seconds: list[int]
    jitter: float
    retry_after_max_seconds: int
    max_in_flight_per_endpoint: int
    disabled_after_days: int
    guarantee: str


class SignatureFacts(msgspec.Struct, frozen=True):
    """How a receiver verifies that a delivery is ours."""

    header: str
    format: str
    algorithm: str
    signed: str
    tolerance_seconds: int


class WebhookCatalogue(msgspec.Struct, frozen=True):
    """``listWebhookEvents``: everything that a receiver must know."""

    events: list[EventType]
    envelope: EnvelopeFacts
    delivery: DeliveryFacts
    signature: SignatureFacts


def webhook_catalogue() -> WebhookCatalogue:
    """Give the whole of what ``/webhooks/events`` answers."""
    first = CATALOGUE[1]
    event = Event(
        id=f"evt_{'0123456789abcdef' * 2}",
        type=first.type,
        sequence=1,
        data=first.example or {},
        created_at=datetime(2026, 11, 23, 8, tzinfo=UTC),
    )
    return WebhookCatalogue(
        events=list(CATALOGUE),
        envelope=EnvelopeFacts(
            description="A JSON object; `data` has the schema of its event type.",
            schema=complete_schema(Envelope),
            example=msgspec.json.decode(encode_envelope(event), type=Envelope),
        ),
        delivery=DeliveryFacts(
            method="POST",
            content_type=CONTENT_TYPE,
            headers=[ID_HEADER, TYPE_HEADER, SIGNATURE_HEADER],
            success="Any 2xx. Redirects are not followed and count as failures.",
            connect_timeout_seconds=CONNECT_SECONDS,
            total_timeout_seconds=TOTAL_SECONDS,
            max_attempts=MAX_ATTEMPTS,
            retry_delays_seconds=[round(delay.total_seconds()) for delay in DELAYS],
            jitter=JITTER,
            retry_after_max_seconds=round(RETRY_AFTER_MAX.total_seconds()),
            max_in_flight_per_endpoint=IN_FLIGHT_CAP,
            disabled_after_days=DISABLED_AFTER.days,
            guarantee="At least once, in no promised order; drop what you have seen by `id`.",
        ),
        signature=SignatureFacts(
            header=SIGNATURE_HEADER,
            format="t=<unix seconds>,v1=<hex>",
            algorithm="HMAC-SHA256 with the signing secret as UTF-8 text",
            signed="`<t>.` and the body, byte for byte",
            tolerance_seconds=SIGNATURE_TOLERANCE_SECONDS,
        ),
    )
