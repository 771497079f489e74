"""``export`` and ``erase`` of workspaces and of people: hung under their groups of commands."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import UUID

from tokportal_server.cli.administration import AdministrationError
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.cli.privacy_administration import write_archive
from tokportal_server.entry import stack
from tokportal_server.entry.installation import settings
from tokportal_server.entry.operator_options import Flag, Why, report
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.mails import forget_mails
from tokportal_server.workbench.operations.erase_person import erase_person
from tokportal_server.workbench.operations.erase_workspace import begin_erasing
from tokportal_server.workspaces import erasing
from tokportal_server.workspaces.archive import Archive
from tokportal_server.workspaces.errors import WorkspaceNotFoundError
from tokportal_server.workspaces.lookups import find_person
from tokportal_server.workspaces.person_archive import person_archive

NAME = "SELECT name FROM workspaces WHERE id = $1 AND erased_at IS NULL"


def export_workspace(workspace_id: UUID, target: Path, *, json: Flag = False) -> int:
    """Write everything of a workspace into a new ZIP file: tables, media, and a README.

    Secrets are left out, and named in the README.

    Parameters
    ----------
    workspace_id
        Id of the workspace.
    target
        The file to write.
    json
        Answer with one JSON object, for scripts.
    """

    async def write(ports: Ports) -> int:
        archive = Archive(workspace_id)
        size = await write_archive(archive.chunks(ports.database, ports.storage), target)
        facts = {"bytes": size, "rows": archive.total, "files": archive.files}
        report(
            {**facts, "missing": archive.missing},
            f"{target}: rows {archive.total}, files {archive.files}, bytes {size}; files that are"
            f" missing in the store: {len(archive.missing)}.",
            as_json=json,
        )
        return 0

    return _with_ports(write)


def erase_workspace(workspace_id: UUID, *, why: Why, yes: str | None = None) -> int:
    """Erase a workspace for good: rows, media, secrets. Books stay, without names and words.

    Refused while there is unfinished work. Asks for the workspace's name first. Run again after it
    was cut short, it goes on; a worker does too.

    Parameters
    ----------
    workspace_id
        Id of the workspace.
    why
        Who decides, and why. Name nobody in the reason: it is kept.
    yes
        The workspace's name, to be asked nothing.
    """

    async def erase(ports: Ports) -> int:
        await _begin(ports, workspace_id, why, yes)
        await erasing.erase(ports.database, ports.storage, workspace_id)
        async with ports.database.connection() as conn:
            done = await erasing.erasure_of(conn, workspace_id)
        if done is None:
            raise AdministrationError(f"Workspace {workspace_id} is not being erased.")
        look = "" if done.look_at is None else f" A worker looks once more at {done.look_at:%H:%M}."
        report(
            {"state": done.state, "rows": done.rows, "files": done.files, "look_at": done.look_at},
            f"Erased: rows {done.rows}, files {done.files}.{look}",
            as_json=why.json,
        )
        return 0

    return _with_ports(erase)


async def _begin(ports: Ports, workspace_id: UUID, why: Why, yes: str | None) -> None:
    async with ports.database.connection() as conn:
        if await erasing.erasure_of(conn, workspace_id) is not None:
            return
        name: str | None = await conn.fetchval(NAME, workspace_id)
        actor = await acting_operator(conn, why.by)
    if name is None:
        raise WorkspaceNotFoundError(f"There is no workspace {workspace_id}.")
    typed = yes if yes is not None else await _asked(f"Type the workspace's name ({name})")
    async with ports.database.connection() as conn:
        await begin_erasing(
            conn=conn, actor=actor, workspace_id=workspace_id, name=typed, reason=why.reason
        )


def export_person(email: str, target: Path, *, json: Flag = False) -> int:
    """Write what is stored about a person into a new ZIP file.

    Parameters
    ----------
    email
        Address that they sign in with.
    target
        The file to write.
    json
        Answer with one JSON object, for scripts.
    """

    async def write(ports: Ports) -> int:
        async with ports.database.connection() as conn:
            person_id = await find_person(conn, email)
        size = await write_archive(person_archive(ports.database, person_id), target)
        report({"bytes": size}, f"{target}: {size} bytes.", as_json=json)
        return 0

    return _with_ports(write)


def erase_one_person(email: str, *, why: Why, yes: str | None = None) -> int:
    """Erase a person for good; what they worked stays, with a pseudonym.

    Refused for operators, for the only owner of a workspace, and for managers who are owed money.
    What a manager holds is offered to others.

    Parameters
    ----------
    email
        Address that they sign in with.
    why
        Who decides, and why. Name nobody in the reason: it is kept.
    yes
        The address again, to be asked nothing.
    """

    async def erase(ports: Ports) -> int:
        typed = yes if yes is not None else await _asked(f"Type the address again ({email})")
        async with ports.database.connection() as conn:
            done = await erase_person(
                conn,
                OrderRules.of(ports.settings),
                partial(forget_mails, ports.vault),
                actor=await acting_operator(conn, why.by),
                person_id=await find_person(conn, email),
                email=typed,
                reason=why.reason,
            )
        report(
            {"name": done.name, "orders_offered_again": done.orders_offered_again},
            f"{email} is {done.name} now; orders offered again: {done.orders_offered_again}.",
            as_json=why.json,
        )
        return 0

    return _with_ports(erase)


async def _asked(question: str) -> str:
    """Ask on the terminal, or read the answer from what is piped in."""
    sys.stderr.write(f"{question}: ")
    sys.stderr.flush()
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


def _with_ports(act: Callable[[Ports], Awaitable[int]]) -> int:
    async def opened() -> int:
        async with open_ports(ready, direct=True) as ports:
            return await act(ports)

    with stack.borrowed_database(settings()) as ready:
        return asyncio.run(opened())
