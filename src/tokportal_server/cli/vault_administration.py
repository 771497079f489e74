"""``tokportal-server vault rotate``: everything sealed comes under the current vault key.

Only data keys are wrapped anew, in short transactions beside the running server; secrets stay as
they are. Credentials are opened as well, for the hash of their mail address hangs on the key too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from tokportal_server.accounts.sealing import (
    address_hash,
    code_context,
    credentials_context,
    open_credentials,
)
from tokportal_server.analytics.connections import connection_context
from tokportal_server.cli.administration import COMMAND_LINE
from tokportal_server.http.idempotency import sealed_context
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection
from tokportal_server.lib.vault_check import forget_other_keys, prove_vault
from tokportal_server.orders.locks import Row
from tokportal_server.pages.mails import mail_context
from tokportal_server.pages.second_factor import factor_context
from tokportal_server.videos.proofs.keys import key_context
from tokportal_server.webhooks.sealing import secret_context
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

# Bytes 2 to 5 of a sealed record name its key.
FIND_CREDENTIALS = """
SELECT workspace_id, saved_account_id, sealed FROM vault_items
 WHERE substring(sealed FROM 2 FOR 4) <> $1
 ORDER BY workspace_id, saved_account_id LIMIT $2 FOR UPDATE
"""
WRITE_CREDENTIALS = """
UPDATE vault_items SET sealed = $3 WHERE workspace_id = $1 AND saved_account_id = $2
"""
WRITE_ADDRESS = "UPDATE saved_accounts SET address_hash = $3 WHERE workspace_id = $1 AND id = $2"
FIND_CODES = """
SELECT workspace_id, id, sealed FROM verification_codes
 WHERE substring(sealed FROM 2 FOR 4) <> $1
 ORDER BY workspace_id, id LIMIT $2 FOR UPDATE
"""
WRITE_CODE = "UPDATE verification_codes SET sealed = $3 WHERE workspace_id = $1 AND id = $2"
FIND_ENDPOINTS = """
SELECT workspace_id, id, secret_sealed FROM webhook_endpoints
 WHERE substring(secret_sealed FROM 2 FOR 4) <> $1
 ORDER BY workspace_id, id LIMIT $2 FOR UPDATE
"""
WRITE_ENDPOINT = (
    "UPDATE webhook_endpoints SET secret_sealed = $3 WHERE workspace_id = $1 AND id = $2"
)
FIND_ANSWERS = """
SELECT workspace_id, key, body FROM idempotency_keys
 WHERE sealed AND body IS NOT NULL AND substring(body FROM 2 FOR 4) <> $1
 ORDER BY workspace_id, key LIMIT $2 FOR UPDATE
"""
WRITE_ANSWER = "UPDATE idempotency_keys SET body = $3 WHERE workspace_id = $1 AND key = $2"
FIND_PROOF_KEYS = """
SELECT public_key, sealed FROM proof_keys
 WHERE substring(sealed FROM 2 FOR 4) <> $1
 ORDER BY public_key LIMIT $2 FOR UPDATE
"""
WRITE_PROOF_KEY = "UPDATE proof_keys SET sealed = $2 WHERE public_key = $1"
FIND_FACTORS = """
SELECT person_id, secret_sealed FROM second_factors
 WHERE substring(secret_sealed FROM 2 FOR 4) <> $1
 ORDER BY person_id LIMIT $2 FOR UPDATE
"""
WRITE_FACTOR = "UPDATE second_factors SET secret_sealed = $2 WHERE person_id = $1"
FIND_MAILS = """
SELECT id, mail_sealed FROM sealed_mails
 WHERE substring(mail_sealed FROM 2 FOR 4) <> $1
 ORDER BY id LIMIT $2 FOR UPDATE
"""
WRITE_MAIL = "UPDATE sealed_mails SET mail_sealed = $2 WHERE id = $1"
FIND_CONNECTIONS = """
SELECT workspace_id, saved_account_id, sealed FROM analytics_connections
 WHERE substring(sealed FROM 2 FOR 4) <> $1
 ORDER BY workspace_id, saved_account_id LIMIT $2 FOR UPDATE
"""
WRITE_CONNECTION = """
UPDATE analytics_connections SET sealed = $3 WHERE workspace_id = $1 AND saved_account_id = $2
"""
_BATCH: Final = 200


async def rotate(conn: Connection, vault: Vault, *, batch: int = _BATCH) -> int:
    """Bring every sealed record under the current key; give how many were not.

    When this returns, nothing is left under another key, and the others may be taken away.

    Raises:
        VaultError: a record cannot be opened with the keys at hand; what was done before stays.
    """
    await prove_vault(conn, vault)
    changed = 0
    # Records that others seal meanwhile with an older key are found by the next round.
    while done := sum([await _all_of(conn, vault, one, batch) for one in _STORES]):
        changed += done
    await forget_other_keys(conn, vault)
    await write_audit(
        conn,
        workspace_id=INSTALLATION,
        action="vault.rotate",
        subject=("vault", None),
        actor=COMMAND_LINE,
        details={"key_id": vault.current, "rewrapped": changed},
    )
    return changed


async def _all_of(
    conn: Connection,
    vault: Vault,
    store: Callable[[Connection, Vault, int], Awaitable[int]],
    batch: int,
) -> int:
    changed = 0
    while True:
        async with conn.transaction():
            done = await store(conn, vault, batch)
        changed += done
        if done < batch:
            return changed


async def _credentials(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_CREDENTIALS, bytes.fromhex(vault.current), batch)
    for row in rows:
        key = (row["workspace_id"], row["saved_account_id"])
        sealed = vault.rewrap(row["sealed"], context=credentials_context(*key))
        opened = open_credentials(vault, sealed, workspace_id=key[0], account_id=key[1])
        await conn.execute(WRITE_CREDENTIALS, *key, sealed)
        await conn.execute(WRITE_ADDRESS, *key, address_hash(vault, opened.email))
    return len(rows)


def _rewrapped(
    vault: Vault, rows: Sequence[Row], context_of: Callable[..., str]
) -> list[tuple[Any, ...]]:
    """Give rows, whose last column is what is sealed, with that under the current key."""
    return [
        (*key, vault.rewrap(sealed, context=context_of(*key))) for *key, sealed in map(tuple, rows)
    ]


async def _connections(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_CONNECTIONS, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_CONNECTION, _rewrapped(vault, rows, connection_context))
    return len(rows)


async def _codes(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_CODES, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_CODE, _rewrapped(vault, rows, code_context))
    return len(rows)


async def _secrets(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_ENDPOINTS, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_ENDPOINT, _rewrapped(vault, rows, secret_context))
    return len(rows)


async def _answers(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_ANSWERS, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_ANSWER, _rewrapped(vault, rows, sealed_context))
    return len(rows)


async def _proof_keys(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_PROOF_KEYS, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_PROOF_KEY, _rewrapped(vault, rows, key_context))
    return len(rows)


async def _factors(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_FACTORS, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_FACTOR, _rewrapped(vault, rows, factor_context))
    return len(rows)


async def _mails(conn: Connection, vault: Vault, batch: int) -> int:
    rows = await conn.fetch(FIND_MAILS, bytes.fromhex(vault.current), batch)
    await conn.executemany(WRITE_MAIL, _rewrapped(vault, rows, mail_context))
    return len(rows)


_STORES: Final = (
    _credentials,
    _connections,
    _codes,
    _secrets,
    _answers,
    _proof_keys,
    _factors,
    _mails,
)
