from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from tests.cast import World
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection, Database
from tokportal_server.workspaces.errors import (
    InvitationLimitError,
    LastOwnerError,
    MemberNotFoundError,
    OwnRoleError,
)
from tokportal_server.workspaces.operations.invitations import (
    find_invitation,
    invite_member,
    join_as_new_person,
    purge_invitations,
)
from tokportal_server.workspaces.operations.members import (
    MemberRole,
    list_members,
    put_member,
    remove_member,
)

RUN_OUT = "UPDATE workspace_invitations SET expires_at = now() - interval '1 second'"
PEOPLE = "SELECT count(*) FROM people WHERE lower(email) = 'dora@example.com'"


async def put(
    conn: Connection, world: World, person: UUID, role: MemberRole, *, by: UUID | None = None
) -> None:
    """Give somebody a role, as Alice, or somebody else of the workspace."""
    await put_member(
        conn,
        workspace_id=world.acme,
        person_id=person,
        role=role,
        actor=Actor("customer", by or world.alice),
    )


async def invited(conn: Connection, world: World, email: str = "dora@example.com") -> str:
    """Have Alice invite somebody; give the token of the link."""
    link = await invite_member(
        conn,
        workspace_id=world.acme,
        email=email,
        role="member",
        actor=Actor("customer", world.alice),
        origin="https://tokportal.example",
    )
    return link.partition("link=")[2]


async def test_two_owners_who_take_each_other_out_at_once_leave_one(
    conn: Connection, database: Database, world: World
) -> None:
    await put(conn, world, world.bob, "owner")

    async def take_out(person: UUID, by: UUID) -> None:
        async with database.connection() as own:
            actor = Actor("customer", by)
            await remove_member(own, workspace_id=world.acme, person_id=person, actor=actor)

    results = await asyncio.gather(
        take_out(world.bob, world.alice), take_out(world.alice, world.bob), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["LastOwnerError", "NoneType"]
    assert [one.role for one in await list_members(conn, world.acme)] == ["owner"]


async def test_nobody_raises_themselves_and_the_last_owner_stays_one(
    conn: Connection, world: World
) -> None:
    await put(conn, world, world.bob, "viewer")
    with pytest.raises(OwnRoleError):
        await put(conn, world, world.bob, "owner", by=world.bob)
    with pytest.raises(OwnRoleError):
        await put(conn, world, world.charlie, "viewer", by=world.charlie)
    with pytest.raises(LastOwnerError):
        await put(conn, world, world.alice, "member")
    with pytest.raises(MemberNotFoundError):
        await remove_member(
            conn, workspace_id=world.acme, person_id=world.charlie, actor=world.as_olga
        )
    # Who is less by their own wish may be so.
    await put(conn, world, world.bob, "owner")
    await put(conn, world, world.bob, "viewer", by=world.bob)
    roles = {one.name: one.role for one in await list_members(conn, world.acme)}
    assert roles == {"Alice": "owner", "Bob": "viewer"}


async def test_two_who_use_one_link_at_once_make_one_person(
    conn: Connection, database: Database, world: World
) -> None:
    token = await invited(conn, world)

    async def join() -> None:
        async with database.connection() as own:
            await join_as_new_person(own, token, name="Dora")

    results = await asyncio.gather(join(), join(), return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert await conn.fetchval(PEOPLE) == 1
    assert "Dora" in [one.name for one in await list_members(conn, world.acme)]


async def test_an_invitation_says_who_is_meant_and_ends(conn: Connection, world: World) -> None:
    token = await invited(conn, world, "CHARLIE@example.com")
    found = await find_invitation(conn, token)
    assert (found.workspace, found.invited_by, found.person_id) == ("Acme", "Alice", world.charlie)
    assert await purge_invitations(conn) == 0
    await conn.execute(RUN_OUT)
    assert await purge_invitations(conn) == 1
    stored = await conn.fetch("SELECT details FROM audit WHERE action = 'invitation.make'")
    assert token not in repr([tuple(row) for row in stored])


async def test_nobodys_mailbox_is_filled_with_invitations(conn: Connection, world: World) -> None:
    for number in range(20):
        await invited(conn, world, f"dora{number}@example.com")
    with pytest.raises(InvitationLimitError):
        await invited(conn, world)
