"""Keep the account that a manager has set up, with its credentials sealed."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.sealing import address_hash, seal_credentials
from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

INSERT = """
INSERT INTO saved_accounts (workspace_id, id, platform, country, username, visible_name,
                            profile_url, profile_picture_url, biography, bundle_id, manager_id,
                            created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
UPDATE = """
UPDATE saved_accounts SET username = $3, visible_name = $4, profile_url = $5,
       profile_picture_url = $6, biography = $7, manager_id = $8
 WHERE workspace_id = $1 AND id = $2
"""
SEAL = """
INSERT INTO vault_items (workspace_id, saved_account_id, sealed) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, saved_account_id) DO UPDATE SET sealed = excluded.sealed,
                                                           updated_at = now()
"""
SET_ADDRESS = "UPDATE saved_accounts SET address_hash = $3 WHERE workspace_id = $1 AND id = $2"


async def save_account(
    *,
    tx: UnitOfWork,
    vault: Vault,
    bundle: Row,
    profile: Row,
    manager_id: UUID,
    username: str,
    visible_name: str,
    profile_url: str,
    credentials: Credentials | None,
) -> UUID:
    """Make the account of a locked bundle, or bring it up to date; give its id.

    ``credentials`` None keeps those that are in the vault.
    """
    account_id: UUID = bundle["saved_account_id"] or tx.new_id()
    seen = (username, visible_name, profile_url, profile["profile_picture_url"])
    if bundle["saved_account_id"] is None:
        await tx.conn.execute(
            INSERT,
            tx.workspace_id,
            account_id,
            bundle["platform"],
            bundle["country"],
            *seen,
            profile["biography"],
            bundle["id"],
            manager_id,
            tx.now,
        )
    else:
        await tx.conn.execute(
            UPDATE, tx.workspace_id, account_id, *seen, profile["biography"], manager_id
        )
    if credentials is not None:
        sealed = seal_credentials(
            vault, credentials, workspace_id=tx.workspace_id, account_id=account_id
        )
        await tx.conn.execute(SEAL, tx.workspace_id, account_id, sealed)
        hashed = address_hash(vault, credentials.email)
        await tx.conn.execute(SET_ADDRESS, tx.workspace_id, account_id, hashed)
    return account_id
