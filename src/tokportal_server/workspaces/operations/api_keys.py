"""The life of an API key: made once, shown once, revoked at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from tokportal_server.lib.db import Connection
from tokportal_server.lib.signing import api_key_hash, new_api_key

INSERT_KEY = """
INSERT INTO api_keys (workspace_id, id, person_id, name, key_hash, environment, scope, expires_at,
                      bucket_capacity, bucket_refill)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
REVOKE_KEY = """
UPDATE api_keys SET revoked_at = now()
 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL
RETURNING id
"""


async def create_api_key(
    *,
    conn: Connection,
    workspace_id: UUID,
    person_id: UUID,
    name: str,
    environment: str = "production",
    scope: str = "*",
    expires_at: datetime | None = None,
    bucket_capacity: int | None = None,
    bucket_refill: float | None = None,
) -> tuple[UUID, str]:
    """Make a key; give its id and the raw key, which nobody can read again.

    ``bucket_capacity`` (tokens) and ``bucket_refill`` (tokens a second) override the settings.
    """
    key_id, raw = uuid4(), new_api_key()
    await conn.execute(
        INSERT_KEY,
        workspace_id,
        key_id,
        person_id,
        name,
        api_key_hash(raw),
        environment,
        scope,
        expires_at,
        bucket_capacity,
        bucket_refill,
    )
    return key_id, raw


async def revoke_api_key(*, conn: Connection, workspace_id: UUID, key_id: UUID) -> bool:
    """End a key from the next request on; say whether it was live until now."""
    return await conn.fetchval(REVOKE_KEY, workspace_id, key_id) is not None
