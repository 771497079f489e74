"""A process that lacks a vault key, or has another one of that name, does not start.

Every start notes the key that it seals with; only ``vault rotate`` takes the others off the list.
"""

from __future__ import annotations

from typing import Final

from tokportal_server.lib.crypto import Vault, VaultError
from tokportal_server.lib.db import Connection

# Of two processes that start at once on an empty database, the second sees what the first noted.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('vault_keys', 0))"
NOTED_KEYS = "SELECT key_id, sealed FROM vault_keys ORDER BY noted_at"
NOTE_KEY = "INSERT INTO vault_keys (key_id, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING"
FORGET_OTHER_KEYS = "DELETE FROM vault_keys WHERE key_id <> $1"
_KNOWN: Final = b"tokportal-server"


async def prove_vault(conn: Connection, vault: Vault) -> None:
    """Make sure that everything sealed in this database can be opened.

    Raises:
        VaultError: a key is missing; the message names it and the way out.
    """
    async with conn.transaction():
        await conn.execute(ONE_AT_A_TIME)
        for row in await conn.fetch(NOTED_KEYS):
            _prove_key(row["key_id"], row["sealed"], vault)
        sealed = vault.seal(_KNOWN, context=_context(vault.current))
        await conn.execute(NOTE_KEY, vault.current, sealed)


def _prove_key(key_id: str, sealed: bytes, vault: Vault) -> None:
    if key_id not in vault.key_ids:
        raise VaultError(
            f"This database has secrets that are sealed with vault key {key_id}, and the keys at"
            f" hand are {', '.join(sorted(vault.key_ids))}. Set TOKPORTAL_VAULT_KEY or"
            " TOKPORTAL_VAULT_KEY_FILE to the key that was used, or add it after the new one."
        )
    if not opens_note(vault, key_id, sealed):
        raise VaultError(f"The note of vault key {key_id} holds something else: it was changed.")


async def forget_other_keys(conn: Connection, vault: Vault) -> None:
    """Let processes start without the keys that nothing is sealed with any more."""
    await conn.execute(FORGET_OTHER_KEYS, vault.current)


def opens_note(vault: Vault, key_id: str, sealed: bytes) -> bool:
    """Tell whether the key at hand of that id is the one that the note was sealed with."""
    try:
        return vault.open(sealed, context=_context(key_id)) == _KNOWN
    except VaultError:
        return False


def _context(key_id: str) -> str:
    return f"vault_key:{key_id}"
