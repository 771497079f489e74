"""``tokportal-server workspace``: make, list, export and erase workspaces."""

from __future__ import annotations

from typing import Literal

from cyclopts import App
from rich.markup import escape

from tokportal_server.cli import administration
from tokportal_server.entry.installation import answer, with_connection
from tokportal_server.entry.operator_options import Flag, show
from tokportal_server.entry.privacy_commands import erase_workspace, export_workspace
from tokportal_server.lib.db import Connection
from tokportal_server.rehearsal.open_workspace import open_workspace

workspace = App(name="workspace", help="Make, list, export and erase workspaces.")
workspace.command(export_workspace, name="export")
workspace.command(erase_workspace, name="erase")


@workspace.command(name="create")
def create_workspace(
    name: str,
    *,
    owner: str,
    rehearsal: Flag = False,
    plan: Literal["starter", "creator", "full"] = "starter",
) -> int:
    """Make a workspace for the person with the e-mail address OWNER.

    Parameters
    ----------
    name
        What people call it.
    owner
        E-mail address of an existing person.
    rehearsal
        Give it a clock of its own and simulated managers, for good.
    plan
        Which analytics it has.
    """

    async def make(conn: Connection) -> int:
        made = await open_workspace(
            conn=conn,
            actor=administration.COMMAND_LINE,
            name=name,
            owner=owner,
            rehearsal=rehearsal,
            plan=plan,
        )
        answer(made)
        return 0

    return with_connection(make)


@workspace.command(name="list")
def list_workspaces() -> int:
    """List every workspace with its owners, the newest first."""

    async def list_all(conn: Connection) -> int:
        found = await administration.list_workspaces(conn)
        show(
            ("id", "name", "owners", "plan", "kind"),
            [
                (str(w.id), escape(w.name), escape(", ".join(w.owners)), w.plan, w.kind)
                for w in found
            ],
        )
        return 0

    return with_connection(list_all)
