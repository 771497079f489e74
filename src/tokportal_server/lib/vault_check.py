"""A process that lacks a vault key, or has another one of that name, does not start.

Every start notes the key that it seals with; only ``vault rotate`` takes the others off the list.
"""

from __future__ import annotations

from typing import Final

from tokportal_server.lib.crypto import Vault, VaultError
from tokportal_server.lib.db import Connection

NOTED_KEYS = "SELECT key_id, sealed FROM vault_keys ORDER BY noted_at"
NOTE_KEY = "INSERT INTO vault_keys (key_id, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING"
FORGET_OTHER_KEYS = "DELETE FROM vault_keys WHERE key_id <> $1"
_KNOWN: Final = b"tokportal-server"


async def prove_vault(conn: Connection, vault: Vault) -> None:
    """Make sure that everything sealed in this database can be opened.

    Raises:
        VaultError: a key is missing; the message names it and the way out.
    """
    for row in await conn.fetch(NOTED_KEYS):
        name = row["key_id"]
        if name not in vault.key_ids:
            raise VaultError(
                f"This database has secrets that are sealed with vault key {name}, and the keys at"
                f" hand are {', '.join(sorted(vault.key_ids))}. Set TOKPORTAL_VAULT_KEY or"
                " TOKPORTAL_VAULT_KEY_FILE to the key that was used, or add it after the new one."
            )
        if vault.open(row["sealed"], context=_context(name)) != _KNOWN:
            raise VaultError(f"The note of vault key {name} holds something else: it was changed.")
    sealed = vault.seal(_KNOWN, context=_context(vault.current))
    await conn.execute(NOTE_KEY, vault.current, sealed)


async def forget_other_keys(conn: Connection, vault: Vault) -> None:
    """Let processes start without the keys that nothing is sealed with any more."""
    await conn.execute(FORGET_OTHER_KEYS, vault.current)


def _context(key_id: str) -> str:
    return f"vault_key:{key_id}"
