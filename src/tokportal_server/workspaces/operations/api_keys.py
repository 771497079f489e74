"""The life of an API key: made once, shown once, edited without rotating, revoked at once.

Each of these is in the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, UnsetType

from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.signing import api_key_hash, new_api_key
from tokportal_server.workspaces.audit import write_audit

Environment = Literal["production", "staging", "development", "test"]
Scope = Literal["*", "read", "write"]
LONGEST_NAME: Final = 200

INSERT_KEY = """
INSERT INTO api_keys (workspace_id, id, person_id, name, key_hash, environment, scope, expires_at,
                      bucket_capacity, bucket_refill)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_KEYS = """
SELECT k.id, k.name, k.environment, k.scope, p.email AS owner, k.bucket_capacity, k.bucket_refill,
       k.expires_at, k.revoked_at, k.last_used_at, k.created_at
  FROM api_keys k JOIN people p ON p.id = k.person_id
 WHERE k.workspace_id = $1
"""
LIST_KEYS = f"{_KEYS} ORDER BY k.created_at DESC, k.id"
LOCK_KEY = f"{_KEYS} AND k.id = $2 AND k.revoked_at IS NULL FOR UPDATE OF k"
EDIT_KEY = """
UPDATE api_keys SET name = $3, environment = $4, scope = $5, expires_at = $6,
       bucket_capacity = $7, bucket_refill = $8
 WHERE workspace_id = $1 AND id = $2
"""
REVOKE_KEY = """
UPDATE api_keys SET revoked_at = now()
 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL
RETURNING id
"""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its workspace sees it; the key itself is nowhere to be read.

    ``owner`` is an e-mail address, ``bucket_capacity`` (tokens) and ``bucket_refill`` (tokens a
    second) are None where the settings hold; times are the real clock's.
    """

    id: UUID
    name: str
    environment: Environment
    scope: Scope
    owner: str
    bucket_capacity: int | None
    bucket_refill: float | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class KeyChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a key; None takes an expiry or an override of the bucket away."""

    name: str | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    bucket_capacity: int | UnsetType | None = UNSET
    bucket_refill: float | UnsetType | None = UNSET


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
    actor: Actor = SYSTEM,
) -> tuple[UUID, str]:
    """Make a key; give its id and the raw key, which nobody can read again.

    ``bucket_capacity`` (tokens) and ``bucket_refill`` (tokens a second) override the settings.
    """
    key_id, raw = uuid4(), new_api_key()
    async with conn.transaction():
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
        facts = {"name": name, "scope": scope, "environment": environment}
        await _audit(conn, workspace_id, key_id, "api_key.create", actor, facts)
    return key_id, raw


async def list_api_keys(*, conn: Connection, workspace_id: UUID) -> list[ApiKey]:
    """Give every key of the workspace, newest first, those that have ended too."""
    rows = await conn.fetch(LIST_KEYS, workspace_id)
    return [msgspec.convert(dict(row), ApiKey) for row in rows]


async def edit_api_key(
    *,
    conn: Connection,
    workspace_id: UUID,
    key_id: UUID,
    changes: KeyChanges,
    actor: Actor = SYSTEM,
) -> ApiKey | None:
    """Change a key that is not revoked, from its next request on; give it, None if there is none.

    The key itself stays the same: programs that hold it go on (contract section 2). An expired key
    lives again when its expiry is put off.
    """
    async with conn.transaction():
        row = await conn.fetchrow(LOCK_KEY, workspace_id, key_id)
        if row is None:
            return None
        given = msgspec.structs.asdict(changes)
        given = {name: value for name, value in given.items() if value is not UNSET}
        edited = msgspec.structs.replace(msgspec.convert(dict(row), ApiKey), **given)
        await conn.execute(
            EDIT_KEY,
            workspace_id,
            key_id,
            edited.name,
            edited.environment,
            edited.scope,
            edited.expires_at,
            edited.bucket_capacity,
            edited.bucket_refill,
        )
        facts = msgspec.to_builtins(given)
        await _audit(conn, workspace_id, key_id, "api_key.edit", actor, facts)
    return edited


async def revoke_api_key(
    *, conn: Connection, workspace_id: UUID, key_id: UUID, actor: Actor = SYSTEM
) -> bool:
    """End a key from the next request on; say whether it was live until now."""
    async with conn.transaction():
        revoked = await conn.fetchval(REVOKE_KEY, workspace_id, key_id) is not None
        if revoked:
            await _audit(conn, workspace_id, key_id, "api_key.revoke", actor, {})
    return revoked


async def _audit(
    conn: Connection,
    workspace_id: UUID,
    key_id: UUID,
    action: str,
    actor: Actor,
    details: Mapping[str, Any],
) -> None:
    await write_audit(
        conn,
        workspace_id=workspace_id,
        action=action,
        subject=("api_key", key_id),
        actor=actor,
        details=details,
    )
