"""What operators do from the command line until there are pages for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from tokportal_server.credits import ledger
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workspaces import reference
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.operations import create_person as people
from tokportal_server.workspaces.operations import create_workspace as workspaces

FIND_PERSON = "SELECT id FROM people WHERE lower(email) = lower($1)"
WORKSPACE_OFFSET = "SELECT clock_offset FROM workspaces WHERE id = $1"

WORKSPACES = """
SELECT w.id, w.name, w.plan, CASE WHEN w.rehearsal THEN 'rehearsal' ELSE 'real' END AS kind,
       array(SELECT p.email FROM workspace_members m JOIN people p ON p.id = m.person_id
              WHERE m.workspace_id = w.id AND m.role = 'owner' ORDER BY p.email) AS owners
  FROM workspaces w ORDER BY w.created_at DESC, w.id
"""

# Who may run the command line on the installation's database is an operator.
COMMAND_LINE: Final = Actor("operator")
# More than anybody buys at once, and little enough that a wallet's sum stays an integer.
MOST_CREDITS = 10_000_000
MOST_DAYS = 36_500


class AdministrationError(Exception):
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


async def create_workspace(
    conn: Connection, *, name: str, owner: str, rehearsal: bool, plan: str
) -> UUID:
    """Make a workspace for an existing person; give its id."""
    owner_id = await find_person(conn, owner)
    if rehearsal:
        return await create_rehearsal(conn=conn, name=name, owner_id=owner_id, plan=plan)
    return await workspaces.create_workspace(conn=conn, name=name, owner_id=owner_id, plan=plan)


async def create_person(
    conn: Connection,
    *,
    email: str,
    name: str,
    password: str | None,
    operator: bool,
    countries: Sequence[str],
    platforms: Sequence[str],
) -> UUID:
    """Make a person, and a manager of them if countries are given; give their id."""
    codes = [await _country(conn, country) for country in countries]
    known = [platform.code for platform in await reference.list_platforms(conn)]
    if unknown := set(platforms) - set(known):
        raise AdministrationError(
            f"Unknown platform(s) {', '.join(sorted(unknown))}; there are {', '.join(known)}."
        )
    async with conn.transaction():
        try:
            person_id = await people.create_person(
                conn=conn, email=email, name=name, password=password, operator=operator
            )
        except asyncpg.UniqueViolationError:
            raise AdministrationError(f"There is a person with the address {email}.") from None
        if codes:
            await people.create_manager(
                conn=conn,
                person_id=person_id,
                display_name=name,
                countries=codes,
                platforms=list(platforms) or known,
            )
    return person_id


async def grant_credits(
    conn: Connection,
    *,
    workspace_id: UUID,
    amount: int,
    reason: str,
    expires_in_days: int | None,
    actor: Actor = COMMAND_LINE,
) -> int:
    """Grant a lot of credits; give the workspace's balance."""
    if not 1 <= amount <= MOST_CREDITS:
        raise AdministrationError(
            f"The amount is {amount}; one grant is 1 to {MOST_CREDITS} credits."
        )
    if expires_in_days is not None and not 1 <= expires_in_days <= MOST_DAYS:
        raise AdministrationError(
            f"The credits would expire in {expires_in_days} days; give 1 to {MOST_DAYS}, or nothing"
            " for credits that never expire."
        )
    now = await workspace_now(conn, workspace_id)
    async with unit_of_work(conn, workspace_id, now=now) as tx:
        balance = await ledger.grant(
            tx,
            amount=amount,
            source="grant",
            expires_at=None if expires_in_days is None else now + timedelta(days=expires_in_days),
            description=reason,
            business_key=f"grant:{uuid4()}",
            actor=actor,
        )
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="credits.grant",
            subject=("workspace", workspace_id),
            actor=actor,
            reason=reason,
            details={"amount": amount, "expires_in_days": expires_in_days},
        )
    return balance


async def find_person(conn: Connection, email: str) -> UUID:
    """Give the id of the person with an e-mail address."""
    found: UUID | None = await conn.fetchval(FIND_PERSON, email)
    if found is None:
        raise AdministrationError(
            f"Nobody has the address {email}. Make them first: tokportal-server person create."
        )
    return found


async def _country(conn: Connection, given: str) -> str:
    country = await reference.find_country(conn, given)
    if country is None:
        raise AdministrationError(f"{given!r} is not a country that the server knows.")
    return country.code


async def require_workspace(conn: Connection, workspace_id: UUID) -> None:
    """Refuse a workspace that does not exist."""
    await workspace_now(conn, workspace_id)


async def workspace_now(conn: Connection, workspace_id: UUID) -> datetime:
    """Give the moment that a workspace calls now."""
    offset: timedelta | None = await conn.fetchval(WORKSPACE_OFFSET, workspace_id)
    if offset is None:
        raise AdministrationError(f"There is no workspace {workspace_id}.")
    return real_now() + offset
