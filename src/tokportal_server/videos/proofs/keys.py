"""The key that signs proofs: one for the installation, its private half sealed in the vault."""

from __future__ import annotations

import secrets
from typing import Final

from tokportal_server.lib.chain import public_key_of
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection

FIND_KEY = "SELECT public_key, sealed FROM proof_keys ORDER BY created_at DESC LIMIT 1"
INSERT_KEY = "INSERT INTO proof_keys (public_key, sealed) VALUES ($1, $2)"
# Of several who find no key, one makes it.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('proof_keys', 0))"
_SEED_BYTES: Final = 32


def key_context(public_key: str) -> str:
    """Give what binds the sealed private key to its row."""
    return f"proof_key:{public_key}"


async def signing_seed(conn: Connection, vault: Vault) -> bytes:
    """Give the private key, which the first call of an installation makes; in a transaction."""
    row = await conn.fetchrow(FIND_KEY)
    if row is None:
        await conn.execute(LOCK)
        row = await conn.fetchrow(FIND_KEY)
    if row is not None:
        return vault.open(row["sealed"], context=key_context(row["public_key"]))
    seed = secrets.token_bytes(_SEED_BYTES)
    public_key = public_key_of(seed)
    await conn.execute(INSERT_KEY, public_key, vault.seal(seed, context=key_context(public_key)))
    return seed


async def public_key(conn: Connection) -> str | None:
    """Give the public key in hex digits, or None before the first proof."""
    row = await conn.fetchrow(FIND_KEY)
    return row["public_key"] if row else None
