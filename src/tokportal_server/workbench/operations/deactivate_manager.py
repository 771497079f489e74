"""An operator takes a manager out of work, or back in: what they hold is offered to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.errors import ManagerNotFoundError
from tokportal_server.workbench.operations.release_claim import offer_again
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

# A claim that is being made holds the row: it is there to be released, or is refused.
SET_ACTIVE = """
UPDATE managers SET active = $2
 WHERE person_id = $1 AND rehearsal_workspace_id IS NULL RETURNING display_name
"""
IN_HAND = """
SELECT k.workspace_id, k.bundle_id, w.clock_offset
  FROM claims k JOIN workspaces w ON w.id = k.workspace_id
 WHERE k.manager_id = $1 AND k.status = 'live'
 ORDER BY k.workspace_id, k.bundle_id
"""
LET_ACCOUNTS_GO = """
WITH kept AS MATERIALIZED (
    SELECT workspace_id, id FROM saved_accounts WHERE manager_id = $1
     ORDER BY workspace_id, id FOR NO KEY UPDATE
)
UPDATE saved_accounts a SET manager_id = NULL
  FROM kept WHERE a.workspace_id = kept.workspace_id AND a.id = kept.id
RETURNING a.workspace_id, a.id
"""
EDITS_LEFT = """
SELECT r.id FROM unnest($1::uuid[], $2::uuid[]) AS a(workspace_id, id)
  JOIN edit_requests r ON r.workspace_id = a.workspace_id AND r.saved_account_id = a.id
                      AND r.status IN ('pending', 'in_progress')
"""
# What customers read; the operator's own reason is in the audit log.
OFFERED_AGAIN: Final = "the manager has stopped working; the order is offered to others"


@dataclass(frozen=True, slots=True)
class LetGo:
    """What a manager had in hand: bundles back in the queue, accounts and edit requests for others.

    Whoever takes an account's next order, or one of its edit requests, becomes its manager.
    """

    bundles: tuple[UUID, ...]
    accounts: int
    edit_requests: int


async def deactivate_manager(
    *, conn: Connection, actor: Actor, person_id: UUID, reason: str, rules: OrderRules
) -> LetGo:
    """Stop a manager from working, and offer what they have in hand to others.

    1. From the first transaction on they claim nothing, and their pages are closed.
    2. Each claim is released in a transaction of its own, with ``bundle.released``.
    3. Their accounts have no manager until somebody takes one up (contract section 9).

    Run again, it goes on where it was cut short.

    Raises:
        ManagerNotFoundError: nobody works as this manager; simulated ones belong to a rehearsal.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    await _set_active(conn, actor, person_id, active=False, reason=reason)
    released = []
    for row in await conn.fetch(IN_HAND, person_id):
        now = real_now() + row["clock_offset"]
        async with unit_of_work(conn, row["workspace_id"], now=now) as tx:
            if await _release(tx, row["bundle_id"], person_id, actor=actor, rules=rules):
                released.append(row["bundle_id"])
    accounts = await conn.fetch(LET_ACCOUNTS_GO, person_id)
    places = ([row["workspace_id"] for row in accounts], [row["id"] for row in accounts])
    edits = await conn.fetch(EDITS_LEFT, *places)
    return LetGo(tuple(released), len(accounts), len(edits))


async def activate_manager(*, conn: Connection, actor: Actor, person_id: UUID, reason: str) -> None:
    """Let a manager work again; what was offered to others is not given back.

    Raises:
        ManagerNotFoundError: as :func:`deactivate_manager`.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    await _set_active(conn, actor, person_id, active=True, reason=reason)


async def _set_active(
    conn: Connection, actor: Actor, person_id: UUID, *, active: bool, reason: str
) -> None:
    async with conn.transaction():
        name = await conn.fetchval(SET_ACTIVE, person_id, active)
        if name is None:
            raise ManagerNotFoundError(f"There is no manager {person_id} among the people.")
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="manager.activate" if active else "manager.deactivate",
            subject=("person", person_id),
            actor=actor,
            reason=reason,
        )


async def _release(
    tx: UnitOfWork, bundle_id: UUID, manager_id: UUID, *, actor: Actor, rules: OrderRules
) -> bool:
    """Offer a bundle again if the manager still holds it; say whether they did."""
    bundle = await lock_bundle(tx, bundle_id)
    claim = await live_claim(tx, bundle)
    if claim is None or claim["manager_id"] != manager_id:
        return False
    await offer_again(tx, bundle, "released", actor=actor, reason=OFFERED_AGAIN, rules=rules)
    return True
