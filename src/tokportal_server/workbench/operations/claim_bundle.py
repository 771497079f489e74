"""A manager takes an order: one of them gets it, the others are told."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle, about_slot
from tokportal_server.orders.claims import reckon_deadline
from tokportal_server.orders.completion import complete_if_done
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row, lock_bundle, lock_slots
from tokportal_server.orders.publishing_pause import pauses_of
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BUNDLE, OPEN_STATUSES, SLOT
from tokportal_server.videos.workable import make_workable
from tokportal_server.workbench.claim_guard import frozen_because
from tokportal_server.workbench.errors import NotClaimableError

# Locked: a manager who is being deactivated claims before that, or not at all, and two claims of
# one manager count each other.
MANAGER = """
SELECT m.*, w.rehearsal FROM managers m, workspaces w
 WHERE m.person_id = $1 AND w.id = $2 FOR NO KEY UPDATE OF m
"""
HELD = "SELECT count(*) FROM claims WHERE manager_id = $1 AND status = 'live'"
ACCOUNT_MANAGER = "SELECT manager_id FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
TAKE_OVER = "UPDATE saved_accounts SET manager_id = $3 WHERE workspace_id = $1 AND id = $2"
CLAIM = """
INSERT INTO claims (workspace_id, id, bundle_id, manager_id, claimed_at)
VALUES ($1, $2, $3, $4, $5)
"""
# A videos_only order goes to the manager who knows the account first (contract section 9).
FIRST_REFUSAL = timedelta(hours=24)


async def claim_bundle(*, tx: UnitOfWork, actor: Actor, bundle_id: UUID, rules: OrderRules) -> None:
    """Claim a published bundle for the acting manager; its published slots are accepted with it.

    If everything was finalized while nobody held it, that completes it.

    Raises:
        BundleNotFoundError: there is no such bundle.
        NotClaimableError: it is not offered to this manager, and the message says why.
    """
    bundle = await lock_bundle(tx, bundle_id)
    manager = existing(await tx.conn.fetchrow(MANAGER, actor.id, tx.workspace_id))
    if reason := await _not_offered(tx, bundle, manager):
        raise NotClaimableError(f"Bundle {bundle_id}: {reason}.", details={"reason": reason})
    await tx.conn.execute(CLAIM, tx.workspace_id, tx.new_id(), bundle_id, actor.id, tx.now)
    if bundle["bundle_type"] == "videos_only":
        await tx.conn.execute(TAKE_OVER, tx.workspace_id, bundle["saved_account_id"], actor.id)
    claimed = await move(
        tx,
        BUNDLE,
        bundle,
        "accepted",
        actor=actor,
        data=about_bundle(bundle),
        accepted_at=tx.now,
        priority_at=None,
        updated_at=tx.now,
    )
    for slot in await lock_slots(tx, bundle):
        if slot["status"] == "published":
            data = about_slot(bundle, slot)
            await move(tx, SLOT, slot, "accepted", actor=actor, data=data, accepted_at=tx.now)
    await make_workable(tx, claimed)
    await reckon_deadline(tx, claimed, rules)
    await complete_if_done(tx, claimed, actor)


async def _not_offered(tx: UnitOfWork, bundle: Row, manager: Row) -> str | None:
    """Say why a bundle is not offered to a manager, or None."""
    if bundle["status"] not in OPEN_STATUSES:
        return (
            "somebody else was faster"
            if bundle["status"] == "accepted"
            else (f"it is {bundle['status']}")
        )
    # Simulated managers work in their rehearsal alone, and people never in one.
    mine = manager["rehearsal_workspace_id"]
    if (mine is not None or manager["rehearsal"]) and mine != tx.workspace_id:
        return "it belongs to a rehearsal"
    if not manager["active"]:
        return "your account is not active"
    if bundle["country"] not in manager["countries"]:
        return f"{bundle['country']} is not one of your countries"
    if bundle["platform"] not in manager["platforms"]:
        return f"{bundle['platform']} is not one of your platforms"
    if pauses := await pauses_of(tx.conn, tx.workspace_id, bundle["saved_account_id"]):
        return f"work is paused: {pauses[0]['reason']}"
    if frozen := await frozen_because(tx, bundle):
        return f"work on the account stands still: {frozen}"
    return await _full(tx, manager) or await _reserved(tx, bundle, manager)


async def _full(tx: UnitOfWork, manager: Row) -> str | None:
    most: int | None = manager["capacity"]
    if most is None or await tx.conn.fetchval(HELD, manager["person_id"]) < most:
        return None
    return f"you hold {most} orders or more, as many as you may at once"


async def _reserved(tx: UnitOfWork, bundle: Row, manager: Row) -> str | None:
    if bundle["bundle_type"] != "videos_only" or tx.now >= bundle["published_at"] + FIRST_REFUSAL:
        return None
    known = await tx.conn.fetchval(ACCOUNT_MANAGER, tx.workspace_id, bundle["saved_account_id"])
    if known is None or known == manager["person_id"]:
        return None
    return "it is offered to the account's manager first, for 24 hours"
