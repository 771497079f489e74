"""What operators do from the command line until there are pages for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from tokportal_server.credits import ledger
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workspaces import reference
from tokportal_server.workspaces.operations import create_person as people
from tokportal_server.workspaces.operations import create_workspace as workspaces

FIND_PERSON = "SELECT id FROM people WHERE lower(email) = lower($1)"
WORKSPACE_OFFSET = "SELECT clock_offset FROM workspaces WHERE id = $1"

# More than anybody buys at once, and little enough that a wallet's sum stays an integer.
MOST_CREDITS = 10_000_000
MOST_DAYS = 36_500


class AdministrationError(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


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
    now = real_now() + await _offset(conn, workspace_id)
    async with unit_of_work(conn, workspace_id, now=now) as tx:
        return await ledger.grant(
            tx,
            amount=amount,
            source="grant",
            expires_at=None if expires_in_days is None else now + timedelta(days=expires_in_days),
            description=reason,
            business_key=f"grant:{uuid4()}",
            actor=Actor("operator"),
        )


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
    await _offset(conn, workspace_id)


async def _offset(conn: Connection, workspace_id: UUID) -> timedelta:
    offset: timedelta | None = await conn.fetchval(WORKSPACE_OFFSET, workspace_id)
    if offset is None:
        raise AdministrationError(f"There is no workspace {workspace_id}.")
    return offset
