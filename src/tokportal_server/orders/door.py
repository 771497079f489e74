"""The one door: nothing else changes a status.

A change is a row of the machine's table. It is written by compare-and-set (``WHERE status =`` the
one that was seen), recorded in the journal, counted, and announced by the event that the table
names, all in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.machine import Machine, Transition
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
    if machine.stamp is not None:
        columns[machine.stamp] = tx.now
    key: UUID = row[machine.key]
    changed = await tx.conn.fetchrow(
        _update(machine, tuple(columns)), target, tx.workspace_id, key, source, *columns.values()
    )
    if changed is None:
        raise LostUpdateError(f"{machine.kind} {key} was not {source}")
    _tell(tx, machine, row, transition, actor=actor, data=data, reason=reason)
    return changed


async def move_all(
    tx: UnitOfWork,
    machine: Machine,
    rows: Sequence[Row],
    target: str,
    *,
    actor: Actor,
    data: Callable[[Row], Mapping[str, Any]],
    **columns: Any,
) -> list[Row]:
    """Change locked rows of one status as :func:`move` would each, in one statement.

    ``data`` gives what the event of a row tells; events and answer are in the order of ``rows``.

    Raises:
        IllegalTransitionError, LostUpdateError: as :func:`move`.
        ValueError: the rows are not all in one status.
    """
    if not rows:
        return []
    [source] = {row["status"] for row in rows}
    transition = machine.transition(source, target)
    if machine.stamp is not None:
        columns[machine.stamp] = tx.now
    keys = [row[machine.key] for row in rows]
    changed = await tx.conn.fetch(
        _update_all(machine, tuple(columns)),
        target,
        tx.workspace_id,
        keys,
        source,
        *columns.values(),
    )
    by_key = {row[machine.key]: row for row in changed}
    if len(by_key) != len(rows):
        raise LostUpdateError(f"{machine.kind} {set(keys) - by_key.keys()} were not {source}")
    for row in rows:
        _tell(tx, machine, row, transition, actor=actor, data=data(row))
    return [by_key[key] for key in keys]


def _tell(
    tx: UnitOfWork,
    machine: Machine,
    row: Row,
    transition: Transition,
    *,
    actor: Actor,
    data: Mapping[str, Any],
    reason: str | None = None,
) -> None:
    """Journal, count and announce a change that was written."""
    source, target = transition.source, transition.target
    tx.record(
        machine.kind,
        row["id"],
        root_id=row.get("bundle_id") or row["id"],
        source=source,
        target=target,
        actor=actor,
        reason=reason,
    )
    if transition.event is not None:
        tx.emit(transition.event, {**data, "status": target, "previous_status": source})


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
    return _updating(machine, columns, f"{machine.key} = $3")


def _update_all(machine: Machine, columns: tuple[str, ...]) -> str:
    return _updating(machine, columns, f"{machine.key} = ANY ($3::uuid[])")


def _updating(machine: Machine, columns: tuple[str, ...], which: str) -> str:
    if not all(name.isidentifier() for name in columns):
        raise ValueError(columns)
    sets = "".join(f", {name} = ${index}" for index, name in enumerate(columns, start=5))
    return (
        f"UPDATE {machine.table} SET status = $1{sets}"
        f" WHERE workspace_id = $2 AND {which} AND status = $4 RETURNING *"
    )
