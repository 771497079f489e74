"""An operator notes that a platform has banned an account."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.endings import Ended, end_work
from tokportal_server.accounts.locks import lock_account_with_bundles
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit

NOTE_BAN = """
INSERT INTO account_bans (workspace_id, id, saved_account_id, reason, bundles_cancelled,
                          credits_refunded, banned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def ban_account(*, tx: UnitOfWork, actor: Actor, account_id: UUID, reason: str) -> Ended:
    """End all work on an account for good; live bundles are cancelled by the refund rule.

    Raises:
        SavedAccountNotFoundError: there is no such account.
        ValidationError: no reason is given, or it is banned already.
    """
    check_reason(reason)
    account, bundles = await lock_account_with_bundles(tx, account_id)
    if account["status"] == "banned":
        refuse([Problem("account_id", "is banned already", str(account_id))])
    why = f"account {account['username']} was banned: {reason}"
    ended = await end_work(
        tx, account, bundles, "banned", actor=actor, reason=why, stopped_reason=reason
    )
    ban = (list(ended.bundles), ended.credits_refunded, tx.now)
    await tx.conn.execute(NOTE_BAN, tx.workspace_id, tx.new_id(), account_id, reason, *ban)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="account.ban",
        subject=("account", account_id),
        actor=actor,
        reason=reason,
        details={
            "bundles_cancelled": [str(one) for one in ended.bundles],
            "credits_refunded": ended.credits_refunded,
        },
    )
    tx.emit(
        "account.banned",
        {
            "saved_account_id": account_id,
            "bundle_id": account["bundle_id"],
            "username": account["username"],
            "platform": account["platform"],
            "reason": reason,
            "appeal_status": None,
            "banned_at": wire_time(tx.now),
        },
    )
    return ended
