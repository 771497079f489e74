"""The operator changes what something costs, for everybody or for one workspace."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tokportal_server.credits.prices import Prices
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection, existing
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

# Two changes at once queue up, and the later one is later by its time as well.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('prices', 0))"
SET_FOR_ALL = """
INSERT INTO prices (name, valid_from, amount, set_by)
VALUES ($1, clock_timestamp(), $2, $3) RETURNING valid_from
"""
SET_FOR_ONE = """
INSERT INTO workspace_prices (workspace_id, name, valid_from, amount, set_by)
VALUES ($1, $2, clock_timestamp(), $3, $4) RETURNING valid_from
"""
HISTORY = """
SELECT p.name, p.amount, NULLIF(p.valid_from, '-infinity') AS valid_from, p.workspace_id,
       e.email AS set_by FROM (
    SELECT name, amount, valid_from, set_by, NULL::uuid AS workspace_id FROM prices
    UNION ALL
    SELECT name, amount, valid_from, set_by, workspace_id FROM workspace_prices
     WHERE workspace_id = $1
) p LEFT JOIN people e ON e.id = p.set_by
 WHERE $2::text IS NULL OR p.name = $2
 ORDER BY p.valid_from DESC, p.name, p.workspace_id NULLS LAST
"""
WORKSPACE = "SELECT id FROM workspaces WHERE id = $1 AND erased_at IS NULL"
NAMES = tuple(field.name for field in msgspec.structs.fields(Prices))
# What a workspace may have prices of its own for (contract section 5).
OWN_NAMES = ("account_creation", "video_slot")
MOST = 1_000_000


class PriceChange(msgspec.Struct, frozen=True):
    """A price in credits from ``valid_from`` on (real time; None: from the first day).

    Without a workspace it is for everybody.
    """

    name: str
    amount: int
    valid_from: datetime | None
    workspace_id: UUID | None
    set_by: str | None


async def set_price(
    *,
    conn: Connection,
    actor: Actor,
    name: str,
    amount: int,
    reason: str | None = None,
    workspace_id: UUID | None = None,
) -> PriceChange:
    """Set a price from now on; what was ordered before keeps the one that it was sold at.

    Raises:
        ValidationError: there is no such price, workspace, or no own price of that name; or the
            amount is out of its bounds.
    """
    refuse(_problems(name, amount, workspace_id))
    async with conn.transaction():
        await conn.execute(LOCK)
        if workspace_id is None:
            row = await conn.fetchrow(SET_FOR_ALL, name, amount, actor.id)
        else:
            await _require_workspace(conn, workspace_id)
            row = await conn.fetchrow(SET_FOR_ONE, workspace_id, name, amount, actor.id)
        await write_audit(
            conn,
            workspace_id=workspace_id or INSTALLATION,
            action="price.set",
            subject=("price", None),
            actor=actor,
            reason=reason,
            details={"name": name, "amount": amount},
        )
    return PriceChange(name, amount, existing(row)["valid_from"], workspace_id, None)


async def price_history(
    *, conn: Connection, workspace_id: UUID | None = None, name: str | None = None
) -> list[PriceChange]:
    """Give every price there ever was, newest first; with a workspace, its own ones among them.

    Raises:
        ValidationError: there is no such price or workspace.
    """
    refuse(_name_problems(name))
    if workspace_id is not None:
        await _require_workspace(conn, workspace_id)
    rows = await conn.fetch(HISTORY, workspace_id, name)
    return [PriceChange(**row) for row in rows]


async def _require_workspace(conn: Connection, workspace_id: UUID) -> None:
    if await conn.fetchval(WORKSPACE, workspace_id) is None:
        problem = f"there is no workspace {workspace_id}"
        refuse([Problem("workspace_id", problem, str(workspace_id))])


def _problems(name: str, amount: int, workspace_id: UUID | None) -> list[Problem]:
    problems = _name_problems(name)
    if not 0 <= amount <= MOST:
        problems.append(Problem("amount", f"must be 0 to {MOST} credits", amount))
    if not problems and workspace_id is not None and name not in OWN_NAMES:
        own = " and ".join(OWN_NAMES)
        problems.append(Problem("name", f"a workspace has prices of its own for {own} only", name))
    return problems


def _name_problems(name: str | None) -> list[Problem]:
    if name is None or name in NAMES:
        return []
    return [Problem("name", f"there is no such price; there are {', '.join(NAMES)}", name)]
