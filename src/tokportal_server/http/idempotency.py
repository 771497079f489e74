"""One key, one effect: answers are stored with the effects that they report, and replayed.

Operations whose effects are all in the database hold the key by an advisory lock of their own
transaction: the answer's row and the effects commit together or not at all, so a crash can never
leave one without the other. Operations with effects outside (uploads) hold the key by a row with a
lease, which the next call with the key may take over once it has lapsed (contract section 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from uuid import UUID, uuid4

from tokportal_server.http.answers import JSON, Rendered
from tokportal_server.http.errors import (
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidIdempotencyKeyError,
)
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import (
    UNAVAILABLE,
    Connection,
    Database,
    ServiceUnavailableError,
)
from tokportal_server.lib.patience import Patience

KEPT = timedelta(hours=24)
KEPT_WITH_CREDITS = timedelta(days=7)
LEASE_SECONDS = 30
_LONGEST_KEY = 255

TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
FIND = """
SELECT fingerprint, status, body, content_type, sealed, api_key_id
  FROM idempotency_keys
 WHERE workspace_id = $1 AND key = $2 AND (expires_at > now() OR lease_until > now())
"""
STORE = """
INSERT INTO idempotency_keys AS k (workspace_id, key, fingerprint, api_key_id, status, body,
                                   content_type, sealed, expires_at, subject_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9, $10)
ON CONFLICT (workspace_id, key) DO UPDATE
   SET fingerprint = excluded.fingerprint, api_key_id = excluded.api_key_id,
       status = excluded.status, body = excluded.body, content_type = excluded.content_type,
       sealed = excluded.sealed, expires_at = excluded.expires_at, created_at = now(),
       subject_id = excluded.subject_id, lease_token = NULL, lease_until = NULL
"""
LEASE = """
INSERT INTO idempotency_keys AS k (workspace_id, key, fingerprint, api_key_id, lease_token,
                                   lease_until, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6, now() + $6)
ON CONFLICT (workspace_id, key) DO UPDATE
   SET fingerprint = excluded.fingerprint, api_key_id = excluded.api_key_id,
       lease_token = excluded.lease_token, lease_until = excluded.lease_until,
       expires_at = excluded.expires_at, status = NULL, body = NULL
 WHERE k.expires_at <= now()
RETURNING lease_token
"""
RENEW = """
UPDATE idempotency_keys SET lease_until = now() + $4, expires_at = now() + $4
 WHERE workspace_id = $1 AND key = $2 AND lease_token = $3
"""
STILL_MINE = """
SELECT 1 FROM idempotency_keys
 WHERE workspace_id = $1 AND key = $2 AND lease_token = $3 FOR UPDATE
"""
RELEASE = "DELETE FROM idempotency_keys WHERE workspace_id = $1 AND key = $2 AND lease_token = $3"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request's idempotency key, with what makes it that request and nobody else's."""

    workspace_id: UUID
    api_key_id: UUID
    key: str
    fingerprint: bytes
    keep: timedelta
    # Answers that hold secrets are stored sealed, and replayed to the same API key alone.
    vault: Vault | None = None
    # Whose secrets a sealed answer holds: they go when that thing ends.
    subject_id: UUID | None = None

    @property
    def context(self) -> str:
        """What binds a sealed answer to its row."""
        return sealed_context(self.workspace_id, self.key)

    @property
    def lock(self) -> int:
        """The advisory lock that stands for the key: 64 bits of its digest."""
        digest = sha256(self.workspace_id.bytes + self.key.encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def sealed_context(workspace_id: UUID, key: str) -> str:
    """Give what binds the sealed answer of a key to its row."""
    return f"idempotency:{workspace_id}:{key}"


def parse_key(raw: bytes | None) -> str | None:
    """Read the ``Idempotency-Key`` header.

    Raises:
        InvalidIdempotencyKeyError: it is not 1-255 printable ASCII characters.
    """
    if raw is None:
        return None
    text = raw.decode("latin-1")
    if not 1 <= len(text) <= _LONGEST_KEY or not all(" " <= c <= "~" for c in text):
        raise InvalidIdempotencyKeyError(
            f"Idempotency-Key must be 1-{_LONGEST_KEY} printable ASCII characters; a UUID will do.",
            details={"header": "Idempotency-Key"},
        )
    return text


def fingerprint(*parts: bytes) -> bytes:
    """Digest what makes a request itself; lengths keep neighbours apart."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


async def replay(conn: Connection, keyed: Keyed) -> Rendered | None:
    """Give the stored answer of this key, or None if the key is free.

    Raises:
        IdempotencyKeyReusedError: the key belongs to another request.
        IdempotencyInProgressError: somebody holds the key's lease.
    """
    row = await conn.fetchrow(FIND, keyed.workspace_id, keyed.key)
    if row is None:
        return None
    anothers = row["sealed"] and row["api_key_id"] != keyed.api_key_id
    if anothers or row["fingerprint"] != keyed.fingerprint:
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key was used for a different request (method, path, query, body or"
            " X-TokPortal-Stale-Dates; for answers with secrets also the API key). Use a new key"
            " for a new request.",
            details={"idempotency_key": keyed.key},
        )
    if row["status"] is None:
        raise in_progress(keyed)
    body: bytes = row["body"]
    if row["sealed"] and keyed.vault is not None:
        body = keyed.vault.open(body, context=keyed.context)
    return Rendered(
        row["status"],
        body,
        row["content_type"] or JSON,
        headers={"Idempotent-Replayed": "true"},
    )


async def store(
    conn: Connection, keyed: Keyed, rendered: Rendered, *, keep: timedelta | None = None
) -> None:
    """Store an answer, in the transaction of the effects that it reports.

    ``keep`` (at most the key's own) is for one whose content lives for less.
    """
    body = rendered.body
    if keyed.vault is not None:
        body = keyed.vault.seal(body, context=keyed.context)
    await conn.execute(
        STORE,
        keyed.workspace_id,
        keyed.key,
        keyed.fingerprint,
        keyed.api_key_id,
        rendered.status,
        body,
        rendered.content_type,
        keyed.vault is not None,
        keyed.keep if keep is None else min(keep, keyed.keep),
        keyed.subject_id,
    )


def in_progress(keyed: Keyed) -> IdempotencyInProgressError:
    """Give the 409 for a key whose first request is still running."""
    return IdempotencyInProgressError(
        "The first request with this Idempotency-Key is still running. Send it again in a moment"
        " to get its answer.",
        details={"idempotency_key": keyed.key},
        retry_after=1,
    )


class StillRunning(Exception):  # noqa: N818 - a signal, turned into a wait or a 409
    """Another transaction holds the key."""


async def lock(conn: Connection, keyed: Keyed) -> None:
    """Take the key for the running transaction.

    Raises:
        StillRunning: another transaction has it; roll back, wait without a connection, try again.
    """
    if not await conn.fetchval(TRY_LOCK, keyed.lock):
        raise StillRunning


class Lease:
    """A key held for work outside the database."""

    def __init__(self, keyed: Keyed, token: UUID) -> None:
        self._keyed = keyed
        self._token = token

    async def fence(self, conn: Connection) -> None:
        """Make sure, inside the final transaction, that the key is still ours.

        Raises:
            IdempotencyInProgressError: it lapsed, and another call has taken the key over.
        """
        row = await conn.fetchrow(
            STILL_MINE, self._keyed.workspace_id, self._keyed.key, self._token
        )
        if row is None:
            raise in_progress(self._keyed)


@asynccontextmanager
async def leased(database: Database, keyed: Keyed) -> AsyncIterator[Lease | Rendered]:
    """Hold a key's lease, renewed while the block runs; or yield the answer to replay.

    The lease is given back when the block ends without having stored an answer.

    Raises:
        IdempotencyKeyReusedError, IdempotencyInProgressError: as :func:`replay`.
    """
    token = uuid4()
    term = timedelta(seconds=LEASE_SECONDS)
    patience = Patience(partial(in_progress, keyed))
    arguments = (keyed.workspace_id, keyed.key, keyed.fingerprint, keyed.api_key_id, token, term)
    while True:
        async with database.connection() as conn:
            won = await conn.fetchval(LEASE, *arguments)
            with suppress(IdempotencyInProgressError):
                answer = None if won else await replay(conn, keyed)
                if won or answer:
                    break
        await patience.wait()
    if answer is not None:
        yield answer
        return
    renewal = asyncio.create_task(_renew(database, keyed, token, term))
    try:
        yield Lease(keyed, token)
    finally:
        renewal.cancel()
        # One that cannot be given back lapses, and says nothing about what the block has done.
        with suppress(*UNAVAILABLE, ServiceUnavailableError):
            async with database.connection() as conn:
                await conn.execute(RELEASE, keyed.workspace_id, keyed.key, token)


async def _renew(database: Database, keyed: Keyed, token: UUID, term: timedelta) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        # A renewal that fails is tried again; the fence decides whether the work may commit.
        with suppress(Exception):
            async with database.connection() as conn:
                await conn.execute(RENEW, keyed.workspace_id, keyed.key, token, term)
