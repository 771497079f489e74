from __future__ import annotations

import pytest

from tests.cast import World
from tests.pages.guest import Guest, visiting
from tokportal_server.cli.administration import COMMAND_LINE
from tokportal_server.cli.person_administration import (
    invitation,
    join_workspace,
    password_reset,
)
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations.add_person import Newcomer, add_person
from tokportal_server.workspaces.errors import PersonNotFoundError, WorkspaceNotFoundError

NEW = "a long new password"


async def choose(guest: Guest, address: str) -> None:
    """Follow a printed link and choose a password."""
    path = address.removeprefix(guest.address)
    await guest.get(path)
    fields = {"link": path.rpartition("=")[2], "password": NEW}
    assert (await guest.post("/password", fields)).status == 303


async def test_an_invited_viewer_signs_in_and_sees_the_workspace(
    server: str, conn: Connection, world: World
) -> None:
    newcomer = Newcomer(email="vera@example.com", name="Vera")
    person = await add_person(conn=conn, actor=COMMAND_LINE, newcomer=newcomer)
    await join_workspace(conn, person, world.acme, "viewer")
    async with visiting(server) as vera:
        await choose(vera, await invitation(conn, person, origin=server))
        assert (await vera.get(f"/console/{world.acme}")).status == 200
    actions = [row["action"] for row in await conn.fetch("SELECT action FROM audit")]
    assert sorted(actions) == [
        "person.choose_password",
        "person.create",
        "person.invitation",
        "person.role",
    ]


async def test_a_role_given_again_replaces_the_one_before(conn: Connection, world: World) -> None:
    for role in ("viewer", "owner"):
        await join_workspace(conn, world.mona, world.acme, role)
    query = "SELECT role FROM workspace_members WHERE person_id = $1"
    assert [row["role"] for row in await conn.fetch(query, world.mona)] == ["owner"]


async def test_a_lost_password_is_replaced_by_a_link(
    server: str, conn: Connection, world: World
) -> None:
    async with visiting(server) as guest:
        await choose(guest, await password_reset(conn, "ALICE@example.com", origin=server))
        assert (await guest.get(f"/console/{world.acme}")).status == 200


async def test_nobody_and_no_workspace_are_refused(conn: Connection, world: World) -> None:
    with pytest.raises(PersonNotFoundError, match="Nobody has the address"):
        await password_reset(conn, "zoe@example.com", origin="https://tok.example")
    with pytest.raises(WorkspaceNotFoundError, match="There is no workspace"):
        await join_workspace(conn, world.mona, world.mona, "member")
