"""An operator makes a person: a customer to be, a manager, or another operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.operations.create_person import create_manager, create_person
from tokportal_server.workspaces.reference import find_country, list_platforms

LONGEST_NAME: Final = 200
_LONGEST_EMAIL: Final = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Who somebody is to be: with countries they are a manager, on all platforms if none are named.

    Countries may be named as orders name them (contract section 5).
    """

    email: str
    name: str
    password: str | None = None
    operator: bool = False
    countries: Sequence[str] = ()
    platforms: Sequence[str] = ()


async def add_person(*, conn: Connection, actor: Actor, newcomer: Newcomer) -> UUID:
    """Make a person, and a manager of them if they have countries; give their id.

    Raises:
        ValidationError: address or name are not such, the address is somebody's already, or there
            is no such country or platform.
    """
    problems = _problems(newcomer)
    codes = await country_codes(conn, newcomer.countries, problems)
    platforms = await platform_codes(conn, newcomer.platforms, problems)
    refuse(problems)
    async with conn.transaction():
        person_id = await _insert(conn, newcomer)
        if codes:
            await create_manager(
                conn=conn,
                person_id=person_id,
                display_name=newcomer.name,
                countries=codes,
                platforms=platforms,
            )
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="person.create",
            subject=("person", person_id),
            actor=actor,
            details={
                "operator": newcomer.operator,
                "countries": codes,
                "platforms": platforms if codes else [],
            },
        )
    return person_id


async def country_codes(
    conn: Connection, given: Sequence[str], problems: list[Problem]
) -> list[str]:
    """Give the codes of countries, each once; what is none is added to ``problems``."""
    codes: list[str] = []
    for name in given:
        country = await find_country(conn, name)
        if country is None:
            problems.append(Problem("countries", "is not a country that the server knows", name))
        elif country.code not in codes:
            codes.append(country.code)
    return codes


async def platform_codes(
    conn: Connection, given: Sequence[str], problems: list[Problem]
) -> list[str]:
    """Give the platforms that are named, or all; what is none is added to ``problems``."""
    known = [platform.code for platform in await list_platforms(conn)]
    for name in given:
        if name not in known:
            told = f"is not a platform; there are {', '.join(known)}"
            problems.append(Problem("platforms", told, name))
    return [code for code in known if code in given] or known


async def _insert(conn: Connection, newcomer: Newcomer) -> UUID:
    try:
        async with conn.transaction():
            return await create_person(
                conn=conn,
                email=newcomer.email,
                name=newcomer.name,
                password=newcomer.password,
                operator=newcomer.operator,
            )
    except asyncpg.UniqueViolationError:
        refuse([Problem("email", "belongs to somebody already", newcomer.email)])
        raise


def _problems(newcomer: Newcomer) -> list[Problem]:
    problems = []
    before, _, after = newcomer.email.rpartition("@")
    fits = before and after and not any(mark.isspace() for mark in newcomer.email)
    if not fits or len(newcomer.email) > _LONGEST_EMAIL:
        problems.append(Problem("email", "must be an e-mail address", newcomer.email))
    if not newcomer.name.strip() or len(newcomer.name) > LONGEST_NAME:
        told = f"must be 1 to {LONGEST_NAME} characters long"
        problems.append(Problem("name", told, newcomer.name))
    return problems
