"""What operators do from the command line until there are pages for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import OperatorError

WORKSPACES = """
SELECT w.id, w.name, w.plan, CASE WHEN w.rehearsal THEN 'rehearsal' ELSE 'real' END AS kind,
       array(SELECT p.email FROM workspace_members m JOIN people p ON p.id = m.person_id
              WHERE m.workspace_id = w.id AND m.role = 'owner' ORDER BY p.email) AS owners
  FROM workspaces w ORDER BY w.created_at DESC, w.id
"""

# Who may run the command line on the installation's database is an operator.
COMMAND_LINE: Final = Actor("operator", address="command line")
MOST_DAYS = 36_500


class AdministrationError(OperatorError):
    """What was asked for cannot be done; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """A workspace as operators list it; ``owners`` are e-mail addresses."""

    id: UUID
    name: str
    plan: str
    kind: str
    owners: list[str]


async def list_workspaces(conn: Connection) -> list[WorkspaceFacts]:
    """Give every workspace, the newest first."""
    return [WorkspaceFacts(**row) for row in await conn.fetch(WORKSPACES)]
