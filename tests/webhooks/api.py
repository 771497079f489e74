"""What the tests of the webhook operations share."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.client import Client

UNKNOWN = "4d3c2b1a-0000-4000-9000-000000000000"
MALFORMED = "not-an-id"


def body(**changes: Any) -> dict[str, Any]:
    """A good request for an endpoint, with changes."""
    return {
        "url": f"https://hooks.example.com/{uuid4().hex}",
        "events": ["bundle.created", "video.finalized"],
        **changes,
    }


async def created(client: Client, **changes: Any) -> dict[str, Any]:
    """Make an endpoint through the API."""
    reply = await client.post("/webhooks", body(**changes))
    endpoint: dict[str, Any] = reply.data
    return endpoint


def dry_run() -> dict[str, str]:
    """The header of a dry run."""
    return {"X-TokPortal-Dry-Run": "true"}
