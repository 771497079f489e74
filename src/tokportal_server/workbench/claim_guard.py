"""Only the holder of a bundle's live claim works on it, and says why when giving something up."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.availability import consent_has_ended, unavailable_sentence
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.locks import Row, lock_bundle
from tokportal_server.workbench.errors import ClaimNotYoursError, WorkFrozenError

ACCOUNT = "SELECT * FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
_LONGEST_REASON = 500


async def lock_claimed_bundle(tx: UnitOfWork, actor: Actor, bundle_id: UUID) -> Row:
    """Lock a bundle that the acting manager has claimed; give its row.

    Raises:
        BundleNotFoundError: there is no such bundle.
        ClaimNotYoursError: it is claimed by nobody, or by somebody else.
    """
    bundle = await lock_bundle(tx, bundle_id)
    claim = await live_claim(tx, bundle)
    if claim is None or claim["manager_id"] != actor.id:
        raise ClaimNotYoursError(
            f"You do not hold the claim on bundle {bundle_id} (any more). Claim it from the queue"
            " if it is still offered."
        )
    return bundle


async def lock_workable_bundle(tx: UnitOfWork, actor: Actor, bundle_id: UUID) -> Row:
    """Lock a bundle that the acting manager has claimed and may work on now; give its row.

    Raises:
        BundleNotFoundError, ClaimNotYoursError: as :func:`lock_claimed_bundle`.
        WorkFrozenError: the consent of the account's owner has ended.
    """
    bundle = await lock_claimed_bundle(tx, actor, bundle_id)
    if why := await frozen_because(tx, bundle):
        raise WorkFrozenError(
            f"Work on the account of bundle {bundle_id} stands still: {why}. Do nothing on it; you"
            " may give the order back."
        )
    return bundle


async def frozen_because(tx: UnitOfWork, bundle: Row) -> str | None:
    """Say why nobody may work on the account of a bundle now, or None."""
    if bundle["saved_account_id"] is None:
        return None
    account = existing(await tx.conn.fetchrow(ACCOUNT, tx.workspace_id, bundle["saved_account_id"]))
    if not consent_has_ended(account, tx.now):
        return None
    return unavailable_sentence(account, "consent_revoked")


def check_reason(reason: str) -> None:
    """Refuse a reason that tells the customer nothing.

    Raises:
        ValidationError: it is blank, or longer than 500 characters.
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        refuse([Problem("reason", f"must be 1 to {_LONGEST_REASON} characters long", reason)])
