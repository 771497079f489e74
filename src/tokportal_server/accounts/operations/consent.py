"""Who let an account be used, for what and how long; taken back, work on it stands still at once.

Customers and operators both may note it: contract section 6 has the reason ``consent_revoked``.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tokportal_server.accounts.endings import forget_answers
from tokportal_server.accounts.locks import lock_account
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workspaces.audit import write_audit

INSERT = """
INSERT INTO account_consents (workspace_id, id, saved_account_id, owner_name, scope, valid_from,
                              valid_until)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
REVOKE = """
UPDATE account_consents SET revoked_at = $3, revoked_reason = $4
 WHERE workspace_id = $1 AND saved_account_id = $2 AND revoked_at IS NULL
   AND (valid_until IS NULL OR valid_until > $3)
"""
SET_END = """
UPDATE saved_accounts SET consent_ends_at = $3, stopped_reason = $4
 WHERE workspace_id = $1 AND id = $2
"""
_LONGEST_TEXT = 500


async def record_consent(
    *,
    tx: UnitOfWork,
    actor: Actor,
    account_id: UUID,
    owner_name: str,
    scope: str,
    valid_until: datetime | None = None,
) -> UUID:
    """Note the consent of an account's owner from now on; give its id.

    Work that stood still goes on. ``valid_until`` None is until it is taken back.

    Raises:
        SavedAccountNotFoundError: there is no such account.
        ValidationError: owner or scope is missing, or the end is not ahead.
    """
    problems = _text_problems(owner_name=owner_name, scope=scope)
    if valid_until is not None and valid_until <= tx.now:
        problems.append(Problem("valid_until", "must be ahead", valid_until.isoformat()))
    refuse(problems)
    account = await lock_account(tx, account_id)
    consent_id = tx.new_id()
    await tx.conn.execute(
        INSERT, tx.workspace_id, consent_id, account_id, owner_name, scope, tx.now, valid_until
    )
    # What was noted about a ban stays.
    noted = account["stopped_reason"] if account["status"] == "banned" else None
    await tx.conn.execute(SET_END, tx.workspace_id, account_id, valid_until, noted)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="account.record_consent",
        subject=("account", account_id),
        actor=actor,
        details={"consent_id": str(consent_id), "owner_name": owner_name, "scope": scope},
    )
    return consent_id


async def revoke_consent(*, tx: UnitOfWork, actor: Actor, account_id: UUID, reason: str) -> None:
    """Take the owner's consent back: from now on nobody works on the account or orders for it.

    Nothing is cancelled: a new consent lets the work go on.

    Raises:
        SavedAccountNotFoundError: there is no such account.
        ValidationError: no reason is given.
    """
    refuse(_text_problems(reason=reason))
    account = await lock_account(tx, account_id)
    await tx.conn.execute(REVOKE, tx.workspace_id, account_id, tx.now, reason)
    noted = account["stopped_reason"] if account["status"] == "banned" else reason
    await tx.conn.execute(SET_END, tx.workspace_id, account_id, tx.now, noted)
    await forget_answers(tx, account_id)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="account.revoke_consent",
        subject=("account", account_id),
        actor=actor,
        reason=reason,
    )


def _text_problems(**texts: str) -> list[Problem]:
    return [
        Problem(name, f"must be 1 to {_LONGEST_TEXT} characters long", text)
        for name, text in texts.items()
        if not text.strip() or len(text) > _LONGEST_TEXT
    ]
