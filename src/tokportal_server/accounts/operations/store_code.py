"""A verification code has come: kept sealed for a day, and read for half an hour."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.sealing import SealedCode, seal_code
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.unit_of_work import UnitOfWork

INSERT = """
INSERT INTO verification_codes (workspace_id, id, saved_account_id, message_digest, sealed,
                                received_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (workspace_id, saved_account_id, message_digest) DO NOTHING
RETURNING id
"""


async def store_code(
    *,
    tx: UnitOfWork,
    vault: Vault,
    account_id: UUID,
    code: SealedCode,
    message_digest: bytes | None = None,
) -> bool:
    """Keep a code of an account that exists; say whether its message is new.

    ``message_digest`` stands for the message that it came by; None: somebody entered it.
    """
    code_id = tx.new_id()
    sealed = seal_code(vault, code, workspace_id=tx.workspace_id, code_id=code_id)
    kept = await tx.conn.fetchval(
        INSERT, tx.workspace_id, code_id, account_id, message_digest, sealed, tx.now
    )
    return kept is not None
