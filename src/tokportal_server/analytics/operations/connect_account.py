"""Connect an account to its platform's API: somebody signs in there, and consents to be read.

1. Begin: note who is about to connect which account, and give the platform's page of consent.
2. Finish: what the platform sends back names the sign-in, which works once, within ten minutes, for
   the person who began it. The code becomes tokens outside any transaction.
3. The platform says whose tokens they are: another account's are not kept.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from tokportal_server.accounts.locks import lock_account
from tokportal_server.analytics.connections import seal_grant
from tokportal_server.analytics.observations import ProviderFailedError, Source
from tokportal_server.analytics.providers.choosing import SOURCE_OF, Providers
from tokportal_server.analytics.providers.logins import Grant
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.workspaces.audit import write_audit

LASTS: Final = timedelta(minutes=10)

REMEMBER = """
INSERT INTO analytics_sign_ins (workspace_id, state_hash, saved_account_id, person_id, provider,
                                expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6)
"""
# Used up by being found; what has expired meanwhile goes as well.
TAKE_SIGN_IN = """
DELETE FROM analytics_sign_ins
 WHERE workspace_id = $1 AND state_hash = $2 AND person_id = $3
RETURNING saved_account_id, provider, expires_at > now() AS in_time
"""
FORGET_EXPIRED = """
DELETE FROM analytics_sign_ins WHERE (workspace_id, state_hash) IN (
    SELECT workspace_id, state_hash FROM analytics_sign_ins
     WHERE expires_at < now() - interval '1 hour' LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""
USERNAME = "SELECT username FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
KEEP = """
INSERT INTO analytics_connections AS c (workspace_id, saved_account_id, provider, platform_user_id,
                                        username, scopes, sealed, expires_at, refresh_expires_at,
                                        connected_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (workspace_id, saved_account_id) DO UPDATE
   SET provider = excluded.provider, platform_user_id = excluded.platform_user_id,
       username = excluded.username, scopes = excluded.scopes, sealed = excluded.sealed,
       expires_at = excluded.expires_at, refresh_expires_at = excluded.refresh_expires_at,
       connected_by = excluded.connected_by, connected_at = now(), broken_reason = NULL,
       renew_token = NULL, renew_until = NULL
"""
# The first numbers come soon after, whatever failed before.
MAKE_DUE = """
INSERT INTO analytics_refreshes (workspace_id, saved_account_id, due_at) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, saved_account_id) DO UPDATE
   SET due_at = excluded.due_at, failures = 0, failure_reason = NULL
"""
DISCONNECT = """
DELETE FROM analytics_connections WHERE workspace_id = $1 AND saved_account_id = $2
RETURNING provider
"""


class SignInUnavailableError(ApiError):
    """The platform's API cannot be asked about this account."""

    code = "CONNECTION_UNAVAILABLE"
    status = 409
    remedy = "The operator: registers an app with the platform, and sets its id and secret."


class SignInLostError(ApiError):
    """What came back from the platform belongs to no sign-in of this person, or came too late."""

    code = "CONNECTION_SIGN_IN_LOST"
    status = 400
    remedy = "You: begin again on the page Connections, and finish within ten minutes."


class WrongAccountError(ApiError):
    """Somebody has signed in at the platform as another account."""

    code = "CONNECTION_WRONG_ACCOUNT"
    status = 409
    remedy = "You: sign in at the platform as the account that you want to connect; begin again."


class PlatformRefusedError(ApiError):
    """The platform did not give access."""

    code = "CONNECTION_REFUSED"
    status = 502
    remedy = "You: begin again, and agree to what the platform asks; see the message."


@dataclass(frozen=True, slots=True)
class Connected:
    """An account that has been connected."""

    workspace_id: UUID
    account_id: UUID
    username: str


async def begin_sign_in(
    *, tx: UnitOfWork, person_id: UUID, account_id: UUID, providers: Providers, redirect_uri: str
) -> str:
    """Give the address of the platform's page of consent.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
        SignInUnavailableError: the operator has no app with the platform, or the account is banned.
    """
    account = await lock_account(tx, account_id)
    source = SOURCE_OF[account["platform"]]
    login = providers.logins.get(source)
    if login is None or account["status"] == "banned":
        why = (
            f"the operator has registered no app with {account['platform']}"
            if login is None
            else "its platform has banned it"
        )
        raise SignInUnavailableError(f"Account {account['username']} cannot be connected: {why}.")
    secret = secrets.token_urlsafe(32)
    await tx.conn.execute(
        REMEMBER, tx.workspace_id, _hashed(secret), account_id, person_id, source, LASTS
    )
    return login.authorize_url(state=f"{tx.workspace_id.hex}.{secret}", redirect_uri=redirect_uri)


async def finish_sign_in(
    ports: Ports,
    providers: Providers,
    *,
    actor: Actor,
    state: str,
    code: str | None,
    told: str,
    redirect_uri: str,
) -> Connected:
    """Finish what the platform sends a person back with; holds no connection while it is called.

    ``code`` is None if the person, or the platform, has refused; ``told`` is what it says then.

    Raises:
        SignInLostError: there is no such sign-in.
        PlatformRefusedError: the platform gives no tokens.
        WrongAccountError: they are another account's.
    """
    workspace_id, account_id, source = await _take(ports, actor, state)
    if code is None:
        raise PlatformRefusedError(
            f"The platform sent you back without access ({told[:200] or 'no reason given'})."
            " Nothing was connected."
        )
    try:
        grant = await providers.logins[source].exchange(code, redirect_uri=redirect_uri)
        username = await _username(providers, source, grant)
    except ProviderFailedError as failure:
        raise PlatformRefusedError(f"Nothing was connected: {failure.reason}.") from None
    async with (
        ports.database.connection() as conn,
        unit_of_work(conn, workspace_id, now=real_now()) as tx,
    ):
        expected = await conn.fetchval(USERNAME, workspace_id, account_id)
        if username.casefold() != expected.casefold():
            raise WrongAccountError(
                f"You signed in as {username}, but this account is {expected}. Nothing was"
                f" connected: sign out at the platform, sign in as {expected}, and begin again."
            )
        await keep_connection(
            tx=tx,
            vault=ports.vault,
            actor=actor,
            account_id=account_id,
            source=source,
            username=username,
            grant=grant,
        )
    return Connected(workspace_id, account_id, expected)


async def keep_connection(
    *,
    tx: UnitOfWork,
    vault: Vault,
    actor: Actor,
    account_id: UUID,
    source: Source,
    username: str,
    grant: Grant,
) -> None:
    """Keep the tokens of an account, in place of those there were; ``actor`` is a person."""
    sealed = seal_grant(vault, grant, workspace_id=tx.workspace_id, account_id=account_id)
    await tx.conn.execute(
        KEEP,
        tx.workspace_id,
        account_id,
        source,
        grant.platform_user_id,
        username,
        list(grant.scopes),
        sealed,
        grant.expires_at,
        grant.refresh_expires_at,
        actor.id,
    )
    await tx.conn.execute(MAKE_DUE, tx.workspace_id, account_id, tx.now)
    await _audit(tx, actor, "analytics.connect", account_id, source)


async def disconnect_account(*, tx: UnitOfWork, actor: Actor, account_id: UUID) -> bool:
    """Forget an account's tokens; give whether there were any. What was collected stays.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
    """
    await lock_account(tx, account_id)
    source = await tx.conn.fetchval(DISCONNECT, tx.workspace_id, account_id)
    if source is not None:
        await _audit(tx, actor, "analytics.disconnect", account_id, source)
    return source is not None


async def forget_expired_sign_ins(conn: Connection) -> int:
    """Delete sign-ins that were never finished; give how many."""
    result = await conn.execute(FORGET_EXPIRED)
    return int(result.removeprefix("DELETE "))


async def _take(ports: Ports, actor: Actor, state: str) -> tuple[UUID, UUID, Source]:
    """Use up a person's sign-in; give its workspace, account and provider."""
    workspace, _, secret = state.partition(".")
    try:
        workspace_id = UUID(hex=workspace)
    except ValueError:
        raise _lost() from None
    async with ports.database.connection() as conn:
        row = await conn.fetchrow(TAKE_SIGN_IN, workspace_id, _hashed(secret), actor.id)
    if row is None or not row["in_time"]:
        raise _lost()
    return workspace_id, row["saved_account_id"], row["provider"]


async def _username(providers: Providers, source: Source, grant: Grant) -> str:
    """Ask the platform whose tokens these are."""
    if source == "instagram_api":
        return await providers.instagram.username(grant.access_token)
    name = await providers.tiktok.username(grant.access_token, frozenset(grant.scopes))
    if name is None:
        raise ProviderFailedError(
            source,
            "without the permission to read the profile nobody can tell which account it is; agree"
            " to user.info.profile",
            retryable=False,
        )
    return name


async def _audit(
    tx: UnitOfWork, actor: Actor, action: str, account_id: UUID, source: Source
) -> None:
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action=action,
        subject=("saved_account", account_id),
        actor=actor,
        details={"provider": source},
    )


def _lost() -> SignInLostError:
    return SignInLostError(
        "This sign-in is not known: it was finished already, took longer than ten minutes, or was"
        " begun by somebody else. Begin again on the page Connections."
    )


def _hashed(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
