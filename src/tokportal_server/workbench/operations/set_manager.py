"""An operator says where a manager works and how much at once, or makes a manager of somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations.add_person import country_codes, platform_codes
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.errors import PersonNotFoundError

SET = """
INSERT INTO managers AS m (person_id, display_name, countries, platforms, capacity)
SELECT p.id, p.name, $2, $3, $4 FROM people p WHERE p.id = $1
ON CONFLICT (person_id) DO UPDATE
   SET countries = excluded.countries, platforms = excluded.platforms, capacity = excluded.capacity
 WHERE m.rehearsal_workspace_id IS NULL
RETURNING person_id
"""
MOST_ORDERS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Where a manager works; ``capacity`` is how many orders they hold at once, None any number."""

    countries: Sequence[str]
    platforms: Sequence[str]
    capacity: int | None = None


async def set_manager(*, conn: Connection, actor: Actor, person_id: UUID, work: Work) -> None:
    """Set a person's countries, platforms and capacity; whoever was no manager is one then.

    What they hold stays with them.

    Raises:
        PersonNotFoundError: there is no such person, or they are a simulation.
        ValidationError: there is no such country or platform, none is named, or the capacity is
            out of its bounds.
    """
    problems: list[Problem] = []
    codes = await country_codes(conn, work.countries, problems)
    platforms = await platform_codes(conn, work.platforms, problems)
    if not codes and not problems:
        problems.append(Problem("countries", "name at least one; to end their work, deactivate"))
    if work.capacity is not None and not 1 <= work.capacity <= MOST_ORDERS:
        told = f"must be 1 to {MOST_ORDERS} orders; leave it out for any number"
        problems.append(Problem("capacity", told, work.capacity))
    refuse(problems)
    async with conn.transaction():
        done = await conn.fetchval(SET, person_id, codes, platforms, work.capacity)
        if done is None:
            raise PersonNotFoundError(f"There is no person {person_id} who could be a manager.")
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="manager.set",
            subject=("person", person_id),
            actor=actor,
            details={"countries": codes, "platforms": platforms, "capacity": work.capacity},
        )
