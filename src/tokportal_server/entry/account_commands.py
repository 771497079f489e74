"""``tokportal-server account``: bans, and the consent of whom an account belongs to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from cyclopts import App

from tokportal_server.accounts.operations import consent as consents
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import with_connection
from tokportal_server.entry.operator_options import Flag, Why, report
from tokportal_server.lib.clock import in_utc
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.acting import act, workspace_of_account
from tokportal_server.workbench.operations import ban_account as banning

account = App(name="account", help="Note bans of delivered accounts, and their owners' consent.")


@account.command(name="ban")
def ban(account_id: UUID, *, why: Why, preview: Flag = False) -> int:
    """Note that the platform has banned an account: its live orders are cancelled, for good.

    Parameters
    ----------
    account_id
        The account.
    preview
        Change nothing, and say what would end and go back.
    """
    operation = partial(banning.ban_account, account_id=account_id, reason=why.reason)

    async def run(conn: Connection) -> int:
        ended = await _act(conn, account_id, operation, by=why.by, preview=preview)
        facts = {
            "account_id": account_id,
            "done": None if preview else "banned",
            "preview": preview,
            "bundles_cancelled": list(ended.bundles),
            "credits_refunded": ended.credits_refunded,
        }
        head = f"Account {account_id}: {'would be ' if preview else ''}banned"
        sentence = (
            f"{head}; {len(ended.bundles)} live orders cancelled, {ended.credits_refunded} credits"
            " given back."
        )
        report(facts, sentence, as_json=why.json)
        return 0

    return with_connection(run)


@account.command(name="consent")
def consent(
    account_id: UUID, *, owner: str, scope: str, why: Why, until: datetime | None = None
) -> int:
    """Note whose consent an account is used with; work that stood still goes on.

    Parameters
    ----------
    account_id
        The account.
    owner
        Who gave the consent.
    scope
        What for, in their words.
    until
        When it ends (UTC); if not given, when it is taken back.
    """
    ends = in_utc(until) if until is not None else None
    operation = partial(
        consents.record_consent,
        account_id=account_id,
        owner_name=owner,
        scope=scope,
        valid_until=ends,
    )

    async def run(conn: Connection) -> int:
        consent_id = await _act(conn, account_id, operation, by=why.by)
        facts = {"account_id": account_id, "consent_id": consent_id, "until": until}
        report(facts, f"Account {account_id}: consent of {owner} noted.", as_json=why.json)
        return 0

    return with_connection(run)


@account.command(name="revoke-consent")
def revoke_consent(account_id: UUID, *, why: Why) -> int:
    """Note that the owner took their consent back: work on the account stands still at once.

    Parameters
    ----------
    account_id
        The account.
    """
    operation = partial(consents.revoke_consent, account_id=account_id, reason=why.reason)

    async def run(conn: Connection) -> int:
        await _act(conn, account_id, operation, by=why.by)
        facts = {"account_id": account_id, "done": "consent revoked"}
        report(facts, f"Account {account_id}: its work stands still.", as_json=why.json)
        return 0

    return with_connection(run)


async def _act(
    conn: Connection,
    account_id: UUID,
    operation: Callable[..., Awaitable[Any]],
    *,
    by: str | None,
    preview: bool = False,
) -> Any:
    workspace_id = await workspace_of_account(conn, account_id)
    actor = await acting_operator(conn, by)
    return await act(conn, workspace_id, lambda tx: operation(tx=tx, actor=actor), preview=preview)
