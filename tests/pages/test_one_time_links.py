from __future__ import annotations

from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.cast import World
from tests.pages.guest import Guest, visiting
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.pages.one_time_links import Purpose, make_link, purge_links

NEW = "a long new password"


async def link_for(
    conn: Connection, person: UUID, purpose: Purpose = "password_reset"
) -> tuple[str, str]:
    """Make a link; give its path and its token."""
    address = await make_link(
        conn, person, purpose, origin="https://tok.example", actor=Actor("operator")
    )
    assert address.startswith("https://tok.example/password?link=")
    path = address.removeprefix("https://tok.example")
    return path, urlsplit(path).query.removeprefix("link=")


async def test_an_invited_person_chooses_a_password_and_is_signed_in(
    guest: Guest, conn: Connection, world: World
) -> None:
    path, token = await link_for(conn, world.mona, "invitation")
    # Programs that look at links before people do use nothing up.
    assert "Welcome, Mona" in (await guest.get(path)).text
    assert "mona@example.com" in (await guest.get(path)).text
    assert (await guest.post("/password", {"link": token, "password": NEW})).to.startswith("/you")
    assert "Mona" in (await guest.get("/you")).text
    async with visiting(guest.address) as phone:
        assert (await phone.sign_in("mona", NEW)).status == 303


async def test_a_link_works_once(guest: Guest, conn: Connection, world: World) -> None:
    path, token = await link_for(conn, world.alice)
    await guest.get(path)
    assert (await guest.post("/password", {"link": token, "password": NEW})).status == 303
    await guest.get("/you")
    again = await guest.post("/password", {"link": token, "password": "another password"})
    assert (again.status, again.code) == (410, "LINK_SPENT")
    assert (await guest.get(path)).code == "LINK_SPENT"


async def test_a_link_has_an_end(guest: Guest, conn: Connection, world: World) -> None:
    path, token = await link_for(conn, world.alice)
    await guest.get(path)
    await conn.execute("UPDATE person_links SET expires_at = now()")
    assert (await guest.get(path)).code == "LINK_SPENT"
    spent = await guest.post("/password", {"link": token, "password": NEW})
    assert spent.code == "LINK_SPENT"
    assert await purge_links(conn) == 1


async def test_a_new_password_ends_all_sessions_and_voids_the_other_links(
    guest: Guest, conn: Connection, world: World
) -> None:
    async with visiting(guest.address) as thief:
        await thief.sign_in("alice")
        path, token = await link_for(conn, world.alice)
        other, _ = await link_for(conn, world.alice)
        await guest.get(path)
        await guest.post("/password", {"link": token, "password": NEW})
        assert (await thief.get("/you")).status == 303
        assert (await thief.get(other)).code == "LINK_SPENT"


async def test_a_short_password_is_refused_beside_its_field(
    guest: Guest, conn: Connection, world: World
) -> None:
    path, token = await link_for(conn, world.alice)
    await guest.get(path)
    seen = await guest.post("/password", {"link": token, "password": "short"})
    assert seen.status == 400
    assert "must be 10 to 1000 characters" in seen.text
    assert 'aria-describedby="password-password-wrong"' in seen.html
    # The link is still good.
    assert (await guest.post("/password", {"link": token, "password": NEW})).status == 303


@pytest.mark.parametrize("purpose", ["invitation", "password_reset"])
async def test_the_database_has_the_links_hash_alone_and_the_audit_log_who_made_it(
    conn: Connection, world: World, purpose: Purpose
) -> None:
    _, token = await link_for(conn, world.alice, purpose)
    assert token not in str(await conn.fetch("SELECT * FROM person_links"))
    row = await conn.fetchrow("SELECT * FROM audit ORDER BY ordinal DESC LIMIT 1")
    assert row is not None
    assert (row["action"], row["subject_id"]) == (f"person.{purpose}", world.alice)
    assert token not in str(row)
