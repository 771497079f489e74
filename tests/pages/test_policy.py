from __future__ import annotations

from pathlib import Path
from string import Formatter
from uuid import uuid4

import pytest

from tests.cast import World
from tests.pages.guest import Guest, Seen
from tokportal_server.entry.pages import ALL_PAGES
from tokportal_server.lib.db import Connection
from tokportal_server.pages.page import Page
from tokportal_server.pages.policy import POLICY, may_open
from tokportal_server.pages.serving import Pages

JOIN = "INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, $3)"
LEAVE = "DELETE FROM workspace_members WHERE person_id = $1"
DEMOTE = "UPDATE people SET operator = $2 WHERE id = $1"
# Who signs in, and what they are in the workspace of the addresses.
CAST = {
    "nobody": {"anybody"},
    "owner": {"person", "owner"},
    "member": {"person", "member"},
    "viewer": {"person", "viewer"},
    "stranger": {"person"},
    "manager": {"person", "manager"},
    "operator": {"person", "operator"},
}


def address(page: Page, workspace: object) -> str:
    """Give an address of a page, in a workspace that there is, of things that there are not."""
    known = {"workspace": workspace, "position": 1, "name": "pages.css"}
    names = [name for _, name, _, _ in Formatter().parse(page.path) if name]
    return page.path.format(**{name: known.get(name, uuid4()) for name in names})


async def become(conn: Connection, world: World, role: str) -> str:
    """Give whom to sign in as for a role."""
    await conn.execute(LEAVE, world.alice)
    await conn.execute(DEMOTE, world.olga, role == "operator")
    if role in ("owner", "member", "viewer"):
        await conn.execute(JOIN, world.acme, world.alice, role)
    return {"manager": "mona", "operator": "olga"}.get(role, "alice")


def was_turned_away(seen: Seen, page: Page, roles: set[str]) -> bool:
    """Say whether the policy stopped a visitor: not what a page itself finds missing."""
    if "anybody" in roles:
        return seen.status == 303 and seen.to.startswith("/sign-in?next=")
    if POLICY[page.name] <= {"owner", "member", "viewer"} and not roles & {
        "owner",
        "member",
        "viewer",
    }:
        # That there is such a workspace is not told.
        return seen.code == "PAGE_NOT_FOUND"
    return seen.code == "PAGE_FORBIDDEN"


@pytest.mark.parametrize("role", CAST)
async def test_every_page_opens_for_the_roles_of_the_table_and_for_nobody_else(
    guest: Guest, conn: Connection, world: World, role: str
) -> None:
    roles = CAST[role]
    who = await become(conn, world, role)
    if role != "nobody":
        assert (await guest.sign_in(who)).status == 303
    else:
        await guest.get("/sign-in")
    # What ends the session comes last.
    for page in sorted(ALL_PAGES, key=lambda one: one.name in {"sign_out", "end_sessions"}):
        if role != "nobody" and page.name in {"end_sessions", "sign_out"}:
            await guest.sign_in(who)
        where = address(page, world.acme)
        seen = await (guest.post(where) if page.method == "POST" else guest.get(where))
        allowed = bool(POLICY[page.name] & roles)
        assert was_turned_away(seen, page, roles) is not allowed, (page.name, seen.status)
        assert seen.status < 500, (page.name, seen.text)


async def test_another_workspace_looks_like_none(guest: Guest, world: World) -> None:
    await guest.sign_in("alice")
    other = await guest.get(f"/console/{world.other}")
    none = await guest.get(f"/console/{uuid4()}")
    assert other.status == none.status == 404
    assert other.text.split("Request")[0] == none.text.split("Request")[0]


async def test_a_role_that_was_taken_away_is_gone_at_the_next_request(
    guest: Guest, conn: Connection, world: World
) -> None:
    await guest.sign_in("alice")
    assert (await guest.get(f"/console/{world.acme}")).status == 200
    await conn.execute(LEAVE, world.alice)
    assert (await guest.get(f"/console/{world.acme}")).status == 404


async def test_a_manager_who_is_not_active_has_no_queue(
    guest: Guest, conn: Connection, world: World
) -> None:
    await guest.sign_in("mona")
    assert (await guest.get("/desk")).status == 200
    await conn.execute("UPDATE managers SET active = false WHERE person_id = $1", world.mona)
    assert (await guest.get("/desk")).code == "PAGE_FORBIDDEN"


def test_what_the_table_does_not_name_is_nobodys() -> None:
    assert not may_open("invented", frozenset({"operator", "owner", "person", "anybody"}))


def test_every_page_stands_in_the_table_and_every_line_is_a_page() -> None:
    names = [page.name for page in ALL_PAGES]
    assert sorted(names) == sorted(POLICY)


def test_a_page_without_a_line_does_not_start(ports: object) -> None:
    stray = Page("stray", "GET", "/stray", ALL_PAGES[0].answer)
    with pytest.raises(ValueError, match="stray"):
        Pages([stray], ports)  # type: ignore[arg-type]


def test_no_page_writes_roles() -> None:
    tables = ("workspace_members", "managers", "people")
    package = Path(Pages.__init__.__code__.co_filename).parent.parent
    for slice_ in ("pages", "console", "admin"):
        for module in (package / slice_).glob("*.py"):
            source = module.read_text()
            for table in tables:
                assert f"INSERT INTO {table}" not in source
            assert "UPDATE workspace_members" not in source
            assert "UPDATE managers" not in source
            # The one thing of a person that a page writes is their own password.
            assert source.count("UPDATE people") == source.count("UPDATE people SET password_hash")


async def test_an_address_that_leads_nowhere_has_a_page_of_its_own(guest: Guest) -> None:
    for where in ("/console/x/y/z", "/desk/no", "/you/nothing", "/assets/none.css"):
        seen = await guest.get(where)
        assert seen.status in {303, 404}
        if seen.status == 404:
            assert seen.code == "PAGE_NOT_FOUND"
            assert "<h1>" in seen.html


async def test_other_stylesheets_than_ours_and_frames_are_forbidden(guest: Guest) -> None:
    seen = await guest.get("/sign-in")
    policy = seen.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in seen.html
    assert seen.headers["cache-control"] == "no-store"
