"""``tokportal-server person``: make people, invite them, let them choose a new password."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from cyclopts import App, Parameter

from tokportal_server.cli import administration, person_administration
from tokportal_server.entry.installation import answer, settings, with_connection
from tokportal_server.entry.operator_options import Flag
from tokportal_server.entry.privacy_commands import erase_one_person, export_person
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations.add_person import Newcomer, add_person

person = App(name="person", help="Make, invite, let in, export and erase people.")
person.command(export_person, name="export")
person.command(erase_one_person, name="erase")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staff:
    """What somebody is beside a customer.

    Parameters
    ----------
    operator
        Staff who run this installation.
    manager_countries
        Make them a manager in these countries.
    manager_platforms
        The platforms that they work on; all if not given.
    """

    operator: Flag = False
    manager_countries: list[str] | None = None
    manager_platforms: list[str] | None = None


Staff = Annotated[_Staff, Parameter(name="*")]
_NO_STAFF = _Staff()


@person.command(name="create")
def create(
    email: str,
    name: str,
    *,
    staff: Staff = _NO_STAFF,
) -> int:
    """Make a person; the password is read from standard input if one is piped in.

    Parameters
    ----------
    email
        Address to sign in with.
    name
        What people call them.
    """
    password = None if sys.stdin.isatty() else sys.stdin.readline().strip() or None

    async def make(conn: Connection) -> int:
        made = await add_person(
            conn=conn,
            actor=administration.COMMAND_LINE,
            newcomer=_newcomer(email, name, staff, password),
        )
        answer(made)
        return 0

    return with_connection(make)


@person.command(name="invite")
def invite(
    email: str,
    name: str,
    *,
    staff: Staff = _NO_STAFF,
    workspace: UUID | None = None,
    role: Literal["owner", "member", "viewer"] = "member",
) -> int:
    """Make a person without a password, and print the link by which they choose one.

    The link works once, within seven days. Whoever has it can sign in as them: hand it over safely.

    Parameters
    ----------
    email
        Address to sign in with.
    name
        What people call them.
    workspace
        Make them a customer of this workspace.
    role
        What they may do in the workspace.
    """
    origin = settings().origin()

    async def make(conn: Connection) -> int:
        async with conn.transaction():
            made = await add_person(
                conn=conn,
                actor=administration.COMMAND_LINE,
                newcomer=_newcomer(email, name, staff),
            )
            if workspace is not None:
                await person_administration.join_workspace(conn, made, workspace, role)
            answer(await person_administration.invitation(conn, made, origin=origin))
        return 0

    return with_connection(make)


@person.command(name="reset-password")
def reset_password(email: str) -> int:
    """Print a link by which somebody chooses a new password; it works once, within a day.

    Parameters
    ----------
    email
        Address that they sign in with.
    """
    origin = settings().origin()

    async def make(conn: Connection) -> int:
        answer(await person_administration.password_reset(conn, email, origin=origin))
        return 0

    return with_connection(make)


@person.command(name="reset-second-step")
def reset_second_step(email: str, *, reason: str) -> int:
    """Turn off the second step at sign-in for somebody who has lost phone and recovery codes.

    Parameters
    ----------
    email
        Address that they sign in with.
    reason
        Why; noted in the audit log.
    """

    async def turn_off(conn: Connection) -> int:
        await person_administration.reset_second_step(conn, email, reason=reason)
        return 0

    return with_connection(turn_off)


def _newcomer(email: str, name: str, staff: _Staff, password: str | None = None) -> Newcomer:
    return Newcomer(
        email=email,
        name=name,
        password=password,
        operator=staff.operator,
        countries=staff.manager_countries or (),
        platforms=staff.manager_platforms or (),
    )
