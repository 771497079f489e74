"""An operator gives an API key a rate limit of its own, or that of the settings again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import KeyChanges, edit_api_key

MOST_TOKENS: Final = 1_000_000


async def set_bucket(
    *,
    conn: Connection,
    actor: Actor,
    workspace_id: UUID,
    key_id: UUID,
    capacity: int | None,
    refill: float | None,
) -> None:
    """Set how many requests a key makes at once, and how many a second; None: as the settings say.

    Raises:
        ValidationError: a number is out of its bounds, or the workspace has no such live key.
    """
    given = {"bucket_capacity": capacity, "bucket_refill": refill}
    refuse(
        [
            Problem(name, f"must be more than 0 and at most {MOST_TOKENS}", value)
            for name, value in given.items()
            if value is not None and not 0 < value <= MOST_TOKENS
        ]
    )
    changes = KeyChanges(bucket_capacity=capacity, bucket_refill=refill)
    edited = await edit_api_key(
        conn=conn, workspace_id=workspace_id, key_id=key_id, changes=changes, actor=actor
    )
    if edited is None:
        refuse([Problem("key", "is no live key of the workspace", str(key_id))])
