"""The one door: nothing else changes a status.

A change is a row of the machine's table. It is written by compare-and-set (``WHERE status =`` the
one that was seen), recorded in the journal, counted, and announced by the event that the table
names, all in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.machine import Machine
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row


class LostUpdateError(Exception):
    """The row was not in the status that was seen, though its bundle is locked: a bug."""


async def move(
    tx: UnitOfWork,
    machine: Machine,
    row: Row,
    target: str,
    *,
    actor: Actor,
    data: Mapping[str, Any],
    reason: str | None = None,
    **columns: Any,
) -> Row:
    """Change the status of a locked row to ``target``, with ``columns``; give the new row.

    ``data`` is what the event tells, without ``status`` and ``previous_status``; see
    :mod:`tokportal_server.orders.announce`.

    Raises:
        IllegalTransitionError: the table does not have this change.
        LostUpdateError: the row changed under the lock.
    """
    source: str = row["status"]
    transition = machine.transition(source, target)
    key: UUID = row[machine.key]
    changed = await tx.conn.fetchrow(
        _update(machine, tuple(columns)), target, tx.workspace_id, key, source, *columns.values()
    )
    if changed is None:
        raise LostUpdateError(f"{machine.kind} {key} was not {source}")
    root = row.get("bundle_id") or row["id"]
    tx.record(
        machine.kind,
        row["id"],
        root_id=root,
        source=source,
        target=target,
        actor=actor,
        reason=reason,
    )
    if transition.event is not None:
        tx.emit(transition.event, {**data, "status": target, "previous_status": source})
    return changed


def begin(
    tx: UnitOfWork,
    machine: Machine,
    object_id: UUID,
    *,
    root_id: UUID,
    actor: Actor,
    data: Mapping[str, Any],
) -> str:
    """Record the first status of a row that the caller inserts; give that status."""
    first = next(t for t in machine.transitions if t.source is None)
    tx.record(
        machine.kind, object_id, root_id=root_id, source=None, target=first.target, actor=actor
    )
    if first.event is not None:
        tx.emit(first.event, {**data, "status": first.target, "previous_status": None})
    return first.target


def _update(machine: Machine, columns: tuple[str, ...]) -> str:
    """Write the statement; names come from this program, values are always parameters."""
    if not all(name.isidentifier() for name in columns):
        raise ValueError(columns)
    sets = "".join(f", {name} = ${index}" for index, name in enumerate(columns, start=5))
    return (
        f"UPDATE {machine.table} SET status = $1{sets}"
        f" WHERE workspace_id = $2 AND {machine.key} = $3 AND status = $4 RETURNING *"
    )
