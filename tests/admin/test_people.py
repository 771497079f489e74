"""People: invited, given work, taken out of it, let in again."""

from __future__ import annotations

from uuid import uuid4

from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, published
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

ACTIONS = "SELECT action FROM audit ORDER BY ordinal"
PASSWORD = "another long password"


async def actions(conn: Connection) -> list[str]:
    """Give what the audit log has."""
    return [row["action"] for row in await conn.fetch(ACTIONS)]


def link_in(html: str, origin: str) -> str:
    """Give the path of the one-time link that a page shows."""
    found = html.split('data-copy="')[1].split('"', maxsplit=1)[0]
    assert "/password?link=" in found
    return found[found.index("/password?") :].replace(origin, "")


async def test_invites_a_manager_who_chooses_a_password_and_finds_the_queue(
    server: str, conn: Connection, olga: Guest
) -> None:
    who = {
        "kind": "manager",
        "email": "nora@example.com",
        "name": "Nora <i>",
        "countries.FR": "true",
        "platforms.tiktok": "true",
    }
    made = await olga.post("/admin/people", who)
    assert made.status == 200
    assert "The link for nora@example.com" in made.text
    link = link_in(made.html, server)
    # Shown once: the list does not have it.
    assert "/password?link=" not in (await olga.get("/admin/people")).html
    listed = await olga.get("/admin/people?kind=manager&q=nora")
    assert "Nora &lt;i&gt;" in listed.html
    assert "has not chosen a password yet" in listed.text
    async with visiting(server) as nora:
        await nora.get(link)
        chosen = await nora.post(
            "/password", {"link": link.partition("link=")[2], "password": PASSWORD}
        )
        assert chosen.status == 303
        assert (await nora.get("/desk")).status == 200
        assert (await nora.get("/admin")).code == "PAGE_FORBIDDEN"
    row = await conn.fetchrow(
        "SELECT countries, platforms FROM managers WHERE active AND display_name LIKE 'Nora%'"
    )
    assert row is not None
    assert (row["countries"], row["platforms"]) == (["FR"], ["tiktok"])
    assert (await actions(conn))[:2] == ["person.create", "person.invitation"]


async def test_invites_a_customer_into_a_workspace_and_another_operator(
    conn: Connection, world: World, olga: Guest
) -> None:
    eve = {
        "kind": "customer",
        "email": "eve@example.com",
        "name": "Eve",
        "workspace_id": str(world.acme),
        "role": "viewer",
    }
    assert (await olga.post("/admin/people", eve)).status == 200
    role = (
        "SELECT role FROM workspace_members m JOIN people p ON p.id = m.person_id AND p.name = $1"
    )
    assert await conn.fetchval(role, "Eve") == "viewer"
    otto = {"kind": "operator", "email": "otto@example.com", "name": "Otto"}
    assert (await olga.post("/admin/people", otto)).status == 200
    assert await conn.fetchval("SELECT operator FROM people WHERE name = 'Otto'")


async def test_refuses_an_invitation_beside_its_field_and_leaves_nobody_behind(
    conn: Connection, world: World, olga: Guest
) -> None:
    good = {"kind": "customer", "email": "x@example.com", "name": "X"}
    before = await conn.fetchval("SELECT count(*) FROM people")
    for fields, wrong in (
        ({"email": "nobody"}, "invite-email"),
        ({"email": "ALICE@example.com"}, "invite-email"),
        ({"name": ""}, "invite-name"),
        ({"kind": "king"}, "invite-kind"),
        ({"kind": "manager"}, "invite-countries"),
        ({"kind": "manager", "countries.XX": "true"}, "invite-countries"),
        ({"workspace_id": "x", "role": "viewer"}, "invite-workspace_id"),
        ({"workspace_id": str(world.acme), "role": "king"}, "invite-role"),
    ):
        seen = await olga.post("/admin/people", {**good, **fields})
        assert seen.status == 400, fields
        assert f'id="{wrong}-wrong"' in seen.html, fields
    gone = await olga.post(
        "/admin/people", {**good, "workspace_id": str(uuid4()), "role": "viewer"}
    )
    assert gone.status == 404
    assert await conn.fetchval("SELECT count(*) FROM people") == before
    assert await actions(conn) == []


async def test_sets_where_a_manager_works_and_how_much_at_once(
    alice: Client, conn: Connection, world: World, ports: Ports, server: str, olga: Guest
) -> None:
    there = f"/admin/people/{world.mona}"
    for fields in ({}, {"countries.XX": "true"}, {"countries.USA": "true", "capacity": "0"}):
        assert (await olga.post(f"{there}/manager", fields)).status == 400
    work = {"countries.USA": "true", "platforms.tiktok": "true", "capacity": "1"}
    assert (await olga.post(f"{there}/manager", work)).to == f"{there}?done=manager"
    first, second = await published(alice, videos=0), await published(alice, videos=0)
    await claimed(conn, world, ports, first)
    await give_passwords(conn, world.mona)
    async with visiting(server) as mona:
        await mona.sign_in("mona")
        full = await mona.post(f"/desk/{world.acme}/{second}/claim")
    assert full.status == 409
    assert "as many as you may at once" in full.text


async def test_a_manager_out_of_work_leaves_the_orders_to_others(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Guest
) -> None:
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    there = f"/admin/people/{world.mona}"
    page = await olga.get(there)
    assert f"/admin/orders/{bundle_id}" in page.html
    assert (await olga.post(f"{there}/deactivate", {"reason": ""})).status == 400
    done = await olga.post(f"{there}/deactivate", {"reason": "On leave"})
    assert "Offered to others: orders 1," in done.text
    status = await conn.fetchval("SELECT status FROM bundles WHERE id = $1", bundle_id)
    assert status in {"published", "published_priority"}
    assert (await olga.post(f"{there}/activate", {"reason": "Back"})).status == 303
    assert await conn.fetchval("SELECT active FROM managers WHERE person_id = $1", world.mona)
    assert {"manager.deactivate", "manager.activate"} <= set(await actions(conn))
    assert (
        await olga.post(f"/admin/people/{world.alice}/deactivate", {"reason": "X"})
    ).status == 404


async def test_gives_and_takes_the_role_of_operator_but_never_ones_own(
    conn: Connection, world: World, olga: Guest
) -> None:
    own = await olga.post(
        f"/admin/people/{world.olga}/operator", {"operator": "", "reason": "Tired"}
    )
    assert own.status == 400
    assert "nobody changes their own role" in own.text
    there = f"/admin/people/{world.alice}"
    assert (await olga.post(f"{there}/operator", {"operator": "true", "reason": ""})).status == 400
    given = await olga.post(f"{there}/operator", {"operator": "true", "reason": "Helps"})
    assert given.status == 303
    assert await conn.fetchval("SELECT operator FROM people WHERE id = $1", world.alice)
    taken = await olga.post(f"{there}/operator", {"operator": "", "reason": "Left"})
    assert taken.status == 303
    assert not await conn.fetchval("SELECT operator FROM people WHERE id = $1", world.alice)
    assert await actions(conn) == ["person.operator", "person.operator"]


async def test_a_link_for_a_new_password_is_shown_once_and_sessions_end(
    server: str, conn: Connection, world: World, olga: Guest
) -> None:
    await give_passwords(conn, world.alice)
    there = f"/admin/people/{world.alice}"
    async with visiting(server) as alice:
        await alice.sign_in("alice")
        assert "Sign them out everywhere" in (await olga.get(there)).text
        reset = await olga.post(f"{there}/reset")
        assert "It works once, until" in reset.text
        assert link_in(reset.html, server)
        assert "/password?link=" not in (await olga.get(there)).html
        assert (await olga.post(f"{there}/sessions/end")).status == 303
        assert (await alice.get("/you")).status == 303
    assert await actions(conn) == ["person.password_reset", "person.end_sessions"]


async def test_a_simulation_and_nobody_have_no_page(
    conn: Connection, world: World, olga: Guest
) -> None:
    for act in ("reset", "sessions/end"):
        assert (await olga.post(f"/admin/people/{uuid4()}/{act}")).code == "PAGE_NOT_FOUND"
    await conn.execute("UPDATE managers SET rehearsal_workspace_id = $1", world.acme)
    assert (await olga.get(f"/admin/people/{world.mona}")).code == "PAGE_NOT_FOUND"
    assert "Mona" not in (await olga.get("/admin/people")).text
