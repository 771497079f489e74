"""The envelope around every event, and the bytes that it becomes.

An event is encoded once, when it is fanned out; every attempt signs and sends those very bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec import Meta

from tokportal_server.http.asgi import API_VERSION
from tokportal_server.lib.clock import Timestamp, wire_time


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the outbox; ``created_at`` is the workspace's clock."""

    id: str
    type: str
    sequence: int
    data: Mapping[str, Any]
    created_at: datetime


class Envelope(msgspec.Struct, frozen=True):
    """What is posted to an endpoint (contract section 12)."""

    id: Annotated[str, Meta(pattern="^evt_[0-9a-f]{32}$", description="Equal in every attempt.")]
    type: str
    api_version: str
    created_at: Timestamp
    data: dict[str, Any]


def envelope(event: Event) -> Envelope:
    """Give the envelope of an event, with ``data.sequence``."""
    return Envelope(
        id=event.id,
        type=event.type,
        api_version=API_VERSION,
        created_at=wire_time(event.created_at),
        data={**event.data, "sequence": event.sequence},
    )


def event_from(row: asyncpg.Record) -> Event:
    """Read a row of the outbox."""
    return Event(
        id=row["id"],
        type=row["type"],
        sequence=row["sequence"],
        data=row["data"],
        created_at=row["created_at"],
    )


def encode_envelope(event: Event) -> bytes:
    """Give the body of an event as UTF-8 JSON."""
    return msgspec.json.encode(envelope(event))
