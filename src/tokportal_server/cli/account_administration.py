"""What operators look up about delivered accounts from the command line."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.cli.administration import AdministrationError
from tokportal_server.lib.db import Connection

FIND_ACCOUNT = "SELECT workspace_id FROM saved_accounts WHERE id = $1"


async def workspace_of_account(conn: Connection, account_id: UUID) -> UUID:
    """Give the workspace that an account belongs to."""
    found: UUID | None = await conn.fetchval(FIND_ACCOUNT, account_id)
    if found is None:
        raise AdministrationError(
            f"There is no account {account_id}. Copy its id from the customer's list of accounts."
        )
    return found
