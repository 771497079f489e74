"""Design rule 10: every statement in the code is a constant, and PostgreSQL understands it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.house.repository import PACKAGE, modules
from tokportal_server.lib.db import Connection
from tokportal_server.orders.door import _update, _update_all
from tokportal_server.workbench.doctor import CHECKS
from tokportal_server.workbench.machines import MACHINES

_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_METHODS = {
    "execute",
    "executemany",
    "fetch",
    "fetchrow",
    "fetchval",
    "fetchmany",
    "prepare",
    "cursor",
}
_CONNECTION = re.compile(r"conn|driver|pool|database", re.IGNORECASE)
# What executes something else than a constant, and why it may.
_ALLOWED = {
    "workbench/doctor.py": "its queries are made from the state machines; each is prepared below",
    "orders/door.py": "its statement is made from the machine's table; each is prepared below",
    "webhooks/delivery_log.py": "takes one of six constants; each is prepared below",
    "workbench/levels.py": "runs its own constants from a table; each is prepared as one",
    "workspaces/person_archive.py": "takes one of its constants; each is prepared below",
    "lib/jobs/queue.py": "the driver through which PGQueuer sends the statements that it makes",
    "lib/embedded/connection.py": "administers a server that has no schema yet",
    "migrations/env.py": "Alembic's connection, before there is a schema",
    "migrations/statements.py": "sends a revision's file as it stands",
}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def _place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _constants(path: Path) -> Iterator[tuple[str, str]]:
    """Give name and text of every statement that a module keeps as a constant."""
    if path.relative_to(PACKAGE).parts[0] == "migrations" or path.stem == "__main__":
        return
    for name, value in vars(importlib.import_module(_name(path))).items():
        if name.isupper() and isinstance(value, str) and _STATEMENT.match(value):
            yield name, value


def _statements() -> Iterator[tuple[str, str]]:
    for path in modules():
        for name, text in _constants(path):
            yield f"{_place(path)}:{name}", text
    for check in CHECKS:
        yield f"doctor: {check.name}", check.query
    for machine in MACHINES:
        yield f"door: {machine.kind}", _update(machine, ())
        yield f"door: many of {machine.kind}", _update_all(machine, ())


async def test_postgresql_understands_every_statement(conn: Connection) -> None:
    wrong = []
    seen = 0
    for name, text in _statements():
        seen += 1
        try:
            await conn.prepare(text)
        except asyncpg.PostgresError as error:
            wrong.append(f"{name}: {error}")
    assert wrong == []
    assert seen > 100


async def test_a_statement_that_postgresql_does_not_understand_is_found(conn: Connection) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await conn.prepare("SELECT no_such_column FROM workspaces")


def _executions(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _METHODS
            and _CONNECTION.search(ast.unparse(node.func.value))
            and node.args
        ):
            yield node


def _made_up(path: Path) -> list[str]:
    """Give the executions whose statement is not one of the constants that are prepared above."""
    known = {name for name, _ in _constants(path)}
    return [
        f"{_place(path)}:{call.lineno}: {ast.unparse(call)[:80]}"
        for call in _executions(ast.parse(path.read_text(encoding="utf-8")))
        if not (isinstance(call.args[0], ast.Name) and call.args[0].id in known)
    ]


def test_nothing_but_a_constant_is_executed() -> None:
    found = [line for path in modules() if _place(path) not in _ALLOWED for line in _made_up(path)]
    assert found == []


def test_the_look_for_executions_finds_them() -> None:
    text = "async def f(tx, s): await tx.conn.fetch(s + 'x'); await self._pool.execute(f'{s}')"
    assert len(list(_executions(ast.parse(text)))) == 2


@pytest.mark.parametrize("place", _ALLOWED)
def test_an_exception_that_is_not_needed_any_more_is_gone(place: str) -> None:
    assert _made_up(PACKAGE / place)
