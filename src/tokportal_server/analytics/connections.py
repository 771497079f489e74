"""Accounts that may be read through their platform's API: tokens at rest, and their renewal.

Tokens lie sealed in the vault, bound to workspace and account. Each exchange may void the tokens
before it, so one process at a time renews them: it takes a short lease on the row, calls the
platform outside any transaction, and writes what it got; the others wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec

from tokportal_server.analytics.observations import ProviderFailedError, Source
from tokportal_server.analytics.providers.logins import Grant, Login
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection, Database
from tokportal_server.orders.locks import Row

FIND_CONNECTION = """
SELECT * FROM analytics_connections WHERE workspace_id = $1 AND saved_account_id = $2
"""
CLAIM_RENEWAL = """
UPDATE analytics_connections SET renew_token = $4, renew_until = now() + $5
 WHERE workspace_id = $1 AND saved_account_id = $2 AND sealed = $3
   AND (renew_until IS NULL OR renew_until < now())
RETURNING 1
"""
KEEP_RENEWED = """
UPDATE analytics_connections
   SET sealed = $4, scopes = $5, expires_at = $6, refresh_expires_at = $7, broken_reason = NULL,
       renew_token = NULL, renew_until = NULL
 WHERE workspace_id = $1 AND saved_account_id = $2 AND renew_token = $3
"""
NOTE_BROKEN = """
UPDATE analytics_connections SET broken_reason = $4, renew_token = NULL, renew_until = NULL
 WHERE workspace_id = $1 AND saved_account_id = $2 AND renew_token = $3
"""
NOTE_ENDED = """
UPDATE analytics_connections SET broken_reason = $4
 WHERE workspace_id = $1 AND saved_account_id = $2 AND sealed = $3
"""
LET_GO = """
UPDATE analytics_connections SET renew_token = NULL, renew_until = NULL
 WHERE workspace_id = $1 AND saved_account_id = $2 AND renew_token = $3
"""
# Longer than any exchange takes, with its waits for the budget.
_LEASE: Final = timedelta(seconds=60)
_PATIENCE: Final = 30.0
_POLL: Final = 0.1


class SealedTokens(msgspec.Struct, frozen=True):
    """What of a grant lies in the vault."""

    access_token: str
    refresh_token: str | None


def connection_context(workspace_id: UUID, account_id: UUID) -> str:
    """Give what binds sealed tokens to their account."""
    return f"analytics_connection:{workspace_id}:{account_id}"


def seal_grant(vault: Vault, grant: Grant, *, workspace_id: UUID, account_id: UUID) -> bytes:
    """Seal a grant's tokens; in another account's row they do not open."""
    tokens = SealedTokens(grant.access_token, grant.refresh_token)
    context = connection_context(workspace_id, account_id)
    return vault.seal(msgspec.json.encode(tokens), context=context)


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """What a provider needs to ask for one account's numbers. Not shown: it holds a token."""

    workspace_id: UUID
    account_id: UUID
    token: str
    platform_user_id: str
    scopes: frozenset[str]
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Connections:
    """Gives the tokens of connected accounts, renewed before they end."""

    database: Database
    vault: Vault
    logins: Mapping[Source, Login]

    async def access(self, source: Source, workspace_id: UUID, account_id: UUID) -> Access:
        """Give a token that is good for now.

        Raises:
            ProviderFailedError: the account is not connected, its connection has ended, or the
                platform did not renew it.
        """
        row = await self._row(source, workspace_id, account_id)
        login = self.logins.get(source)
        # Without an app a token cannot be renewed, but is good to its end.
        ahead = login.renew_before if login else timedelta(0)
        if real_now() < row["expires_at"] - ahead:
            return self._access(row)
        try:
            return await self._renewed(source, row)
        except ProviderFailedError as error:
            # An exchange that failed this time can be tried again while the token is good.
            if error.retryable and real_now() < row["expires_at"]:
                return self._access(row)
            raise

    async def renewed(self, source: Source, access: Access) -> Access:
        """Give a newer token than ``access``, which the platform has refused; errors as above."""
        row = await self._row(source, access.workspace_id, access.account_id)
        if row["sealed"] != access.sealed:
            return self._access(row)
        return await self._renewed(source, row)

    async def ended(self, source: Source, access: Access, told: str) -> ProviderFailedError:
        """Note that the platform takes an account's token no longer; give the failure to raise."""
        reason = f"the platform has ended the account's consent ({told}); connect it again"
        key = (access.workspace_id, access.account_id)
        async with self.database.connection() as conn:
            await conn.execute(NOTE_ENDED, *key, access.sealed, reason)
        return ProviderFailedError(source, reason, retryable=False)

    async def _renewed(self, source: Source, row: Row) -> Access:
        workspace_id, account_id = row["workspace_id"], row["saved_account_id"]
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _PATIENCE
        token = uuid4()
        while not await self._claimed(row, token):
            if loop.time() >= give_up_at:
                raise ProviderFailedError(
                    source, "the account's access is being renewed; try again", retryable=True
                )
            await asyncio.sleep(_POLL)
            latest = await self._row(source, workspace_id, account_id)
            if latest["sealed"] != row["sealed"]:
                return self._access(latest)
        try:
            await self._exchange(source, row, token)
        finally:
            async with self.database.connection() as conn:
                await conn.execute(LET_GO, workspace_id, account_id, token)
        return self._access(await self._row(source, workspace_id, account_id))

    async def _claimed(self, row: Row, token: UUID) -> bool:
        key = (row["workspace_id"], row["saved_account_id"])
        async with self.database.connection() as conn:
            claimed = await conn.fetchval(CLAIM_RENEWAL, *key, row["sealed"], token, _LEASE)
        return claimed is not None

    async def _exchange(self, source: Source, row: Row, token: UUID) -> None:
        key = (row["workspace_id"], row["saved_account_id"])
        try:
            grant = await self._login(source).renew(self._grant(row))
        except ProviderFailedError as error:
            if not error.retryable:
                async with self.database.connection() as conn:
                    await conn.execute(NOTE_BROKEN, *key, token, error.reason)
            raise
        sealed = seal_grant(self.vault, grant, workspace_id=key[0], account_id=key[1])
        scopes = list(grant.scopes) or row["scopes"]
        ends = (grant.expires_at, grant.refresh_expires_at)
        async with self.database.connection() as conn:
            await conn.execute(KEEP_RENEWED, *key, token, sealed, scopes, *ends)

    async def _row(self, source: Source, workspace_id: UUID, account_id: UUID) -> Row:
        async with self.database.connection() as conn:
            row = await find_connection(conn, workspace_id, account_id)
        if row is None:
            raise not_connected(source)
        if row["broken_reason"] is not None:
            raise ProviderFailedError(source, row["broken_reason"], retryable=False)
        return row

    def _login(self, source: Source) -> Login:
        login = self.logins.get(source)
        if login is None:
            raise ProviderFailedError(
                source,
                "the operator has not registered an app with this platform (see the settings"
                " reference), so its API cannot be asked",
                retryable=False,
            )
        return login

    def _grant(self, row: Row) -> Grant:
        tokens = self._open(row)
        return Grant(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            platform_user_id=row["platform_user_id"],
            scopes=row["scopes"],
            expires_at=row["expires_at"],
            refresh_expires_at=row["refresh_expires_at"],
        )

    def _access(self, row: Row) -> Access:
        return Access(
            workspace_id=row["workspace_id"],
            account_id=row["saved_account_id"],
            token=self._open(row).access_token,
            platform_user_id=row["platform_user_id"],
            scopes=frozenset(row["scopes"]),
            sealed=row["sealed"],
        )

    def _open(self, row: Row) -> SealedTokens:
        context = connection_context(row["workspace_id"], row["saved_account_id"])
        return msgspec.json.decode(
            self.vault.open(row["sealed"], context=context), type=SealedTokens
        )


async def find_connection(conn: Connection, workspace_id: UUID, account_id: UUID) -> Row | None:
    """Give an account's connection, or None."""
    return await conn.fetchrow(FIND_CONNECTION, workspace_id, account_id)


def not_connected(source: Source) -> ProviderFailedError:
    """Give the failure of an account that nobody has connected."""
    return ProviderFailedError(
        source,
        "the account is not connected to the platform's API: connect it in the console, under"
        " Analytics, Connections; until then a manager can enter its numbers",
        retryable=False,
    )
