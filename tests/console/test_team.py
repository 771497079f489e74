from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.cast import World
from tests.console.conftest import JOIN
from tests.console.test_orders import console
from tests.pages.guest import PASSWORD, Guest, Seen, give_passwords, visiting
from tokportal_server.lib.db import Connection

ROLE = "SELECT role FROM workspace_members WHERE workspace_id = $1 AND person_id = $2"
PENDING = "SELECT count(*) FROM workspace_invitations"
ACTS = "SELECT action FROM audit WHERE action ~ '^(invitation|person)[.]' ORDER BY ordinal"
RUN_OUT = "UPDATE workspace_invitations SET expires_at = now() - interval '1 second'"


@pytest.fixture
async def guest(server: str) -> AsyncIterator[Guest]:
    """Somebody who is not signed in."""
    async with visiting(server) as somebody:
        yield somebody


def link_of(seen: Seen) -> str:
    """Give the path of the link that a page shows once."""
    found = re.search(r'data-copy="https?://[^/]+(/invitation\?link=[\w-]+)"', seen.html)
    assert found, seen.text
    return found.group(1)


async def invited(owner: Guest, world: World, email: str, role: str = "member") -> str:
    """Have an owner invite somebody; give the link's path."""
    there = console(world, "team")
    seen = await owner.post(f"{there}/invitations", {"email": email, "role": role})
    assert seen.status == 201, seen.text
    return link_of(seen)


async def acts(conn: Connection) -> list[str]:
    return [row["action"] for row in await conn.fetch(ACTS)]


async def test_a_new_person_joins_by_the_link_and_is_signed_in(
    customer: Guest, guest: Guest, conn: Connection, world: World
) -> None:
    link = await invited(customer, world, "dora@example.com", "viewer")
    listed = await customer.get(console(world, "team"))
    assert "dora@example.com" in listed.text
    assert link.partition("=")[2] not in listed.html
    seen = await guest.get(link)
    assert "Join Acme" in seen.text
    assert "Alice invites dora@example.com" in seen.text
    token = link.partition("=")[2]
    short = await guest.post("/invitation", {"link": token, "name": "Dora", "password": "short"})
    assert short.status == 400
    assert 'id="join-password-wrong"' in short.html
    form = {"link": token, "name": "Dora", "password": PASSWORD}
    assert (await guest.post("/invitation", form)).to == f"{console(world)}?done=joined"
    assert (await guest.get(console(world))).status == 200
    # She looks and changes nothing.
    assert (await guest.get(console(world, "keys"))).status == 200
    assert (await guest.post(console(world, "keys"), {"name": "x"})).code == "PAGE_FORBIDDEN"
    assert await acts(conn) == ["invitation.make", "person.role", "invitation.accept"]


async def test_a_link_works_once_and_not_after_a_week_or_when_taken_back(
    customer: Guest, guest: Guest, conn: Connection, world: World
) -> None:
    link = await invited(customer, world, "dora@example.com")
    # Another one for the same address takes the place of the first.
    again = await invited(customer, world, "DORA@example.com")
    assert (await guest.get(link)).code == "INVITATION_NOT_FOUND"
    assert (await guest.get(again)).status == 200
    listed = await customer.get(console(world, "team"))
    withdraw = re.search(r'action="([^"]+/withdraw)"', listed.html)
    assert withdraw
    assert "done=invitation_withdrawn" in (await customer.post(withdraw.group(1))).to
    assert (await guest.get(again)).code == "INVITATION_NOT_FOUND"
    assert (await customer.post(withdraw.group(1))).status == 404
    third = await invited(customer, world, "dora@example.com")
    await conn.execute(RUN_OUT)
    token = third.partition("=")[2]
    late = await guest.post("/invitation", {"link": token, "name": "D", "password": PASSWORD})
    assert late.code == "INVITATION_NOT_FOUND"


async def test_a_link_never_opens_an_account_that_exists(
    customer: Guest, guest: Guest, stranger: Guest, conn: Connection, world: World
) -> None:
    link = await invited(customer, world, "charlie@example.com")
    token = link.partition("=")[2]
    nobody = await guest.get(link)
    assert "Sign in to join" in nobody.text
    assert 'type="password"' not in nobody.html
    form = {"link": token, "name": "Mallory", "password": PASSWORD}
    await guest.get("/sign-in")
    assert (await guest.post("/invitation", form)).status == 200
    assert await conn.fetchval(ROLE, world.acme, world.charlie) is None
    another = await customer.get(link)
    assert "You are signed in as alice@example.com" in another.text
    assert (await customer.post("/invitation", {"link": token})).status == 403
    assert (await stranger.get(console(world))).status == 404
    assert "Join" in (await stranger.get(link)).text
    joined = await stranger.post("/invitation", {"link": token})
    assert joined.to == f"{console(world)}?done=joined"
    assert (await stranger.get(console(world))).status == 200
    assert await conn.fetchval(PENDING) == 0


async def test_an_owner_changes_roles_and_removes_whom_they_want(
    customer: Guest, viewer: Guest, conn: Connection, world: World
) -> None:
    there = console(world, "team", world.bob)
    changed = await customer.post(f"{there}/role", {"role": "member"})
    assert "done=role_changed" in changed.to
    assert (await viewer.get(console(world, "comments/new"))).status == 200
    odd = await customer.post(f"{there}/role", {"role": "king"})
    assert odd.status == 400
    assert "done=member_removed" in (await customer.post(f"{there}/remove")).to
    assert (await viewer.get(console(world))).status == 404
    assert (await customer.post(f"{there}/remove")).status == 404
    assert (await customer.post(f"{there}/role", {"role": "owner"})).status == 404
    assert await acts(conn) == ["person.role", "person.remove"]


async def test_the_last_owner_stays_and_nobody_raises_themselves(
    customer: Guest, viewer: Guest, conn: Connection, world: World
) -> None:
    own = console(world, "team", world.alice)
    for act, form in (("role", {"role": "viewer"}), ("remove", {})):
        refused = await customer.post(f"{own}/{act}", form)
        assert refused.status == 409
        assert "only owner" in refused.text
    assert (
        await viewer.post(console(world, "team", world.bob, "role"), {"role": "owner"})
    ).code == "PAGE_FORBIDDEN"
    await customer.post(console(world, "team", world.bob, "role"), {"role": "owner"})
    assert (await customer.post(f"{own}/remove")).to == "/you?done=member_left"
    assert (await customer.get(console(world))).status == 404
    assert await conn.fetchval(ROLE, world.acme, world.alice) is None


async def test_what_an_owner_had_asked_others_into_goes_with_them(
    customer: Guest, guest: Guest, conn: Connection, world: World
) -> None:
    link = await invited(customer, world, "dora@example.com", "owner")
    await conn.execute(JOIN, world.acme, world.bob, "owner")
    await customer.post(console(world, "team", world.alice, "role"), {"role": "viewer"})
    assert (await guest.get(link)).code == "INVITATION_NOT_FOUND"


async def test_refuses_addresses_that_are_none_and_members_that_there_are(
    customer: Guest, conn: Connection, world: World
) -> None:
    there = console(world, "team", "invitations")
    for email in ("nobody", "a@b", "a b@example.com", ""):
        refused = await customer.post(there, {"email": email, "role": "viewer"})
        assert refused.status == 400, email
        assert 'id="invite-email-wrong"' in refused.html
    taken = await customer.post(there, {"email": "Alice@Example.com", "role": "viewer"})
    assert taken.status == 409
    assert await conn.fetchval(PENDING) == 0


async def test_a_viewer_sees_the_team_without_forms_and_a_stranger_sees_none(
    viewer: Guest, stranger: Guest, world: World
) -> None:
    seen = await viewer.get(console(world, "team"))
    assert "Alice" in seen.text
    assert 'action="/console' not in seen.html
    assert (await stranger.get(console(world, "team"))).status == 404
    posts: list[tuple[str, dict[str, Any]]] = [
        ("team/invitations", {"email": "a@example.com", "role": "owner"}),
        (f"team/invitations/{uuid4()}/withdraw", {}),
    ]
    for where, form in posts:
        assert (await viewer.post(console(world, where), form)).code == "PAGE_FORBIDDEN"
        assert (await stranger.post(console(world, where), form)).code == "PAGE_NOT_FOUND"


async def test_two_owners_who_take_each_other_out_leave_one_behind(
    customer: Guest, server: str, conn: Connection, world: World
) -> None:
    await conn.execute(JOIN, world.acme, world.bob, "owner")
    await give_passwords(conn, world.bob)
    async with visiting(server) as bob:
        await bob.sign_in("bob")
        assert (await customer.post(console(world, "team", world.bob, "remove"))).status == 303
        # He has been taken out; that he was an owner when his page was made does not matter.
        late = await bob.post(console(world, "team", world.alice, "remove"))
        assert late.status == 404
    assert await conn.fetchval(ROLE, world.acme, world.alice) == "owner"
