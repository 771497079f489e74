"""Erasing a workspace and a person on their pages."""

from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import published
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workspaces.erasing import Erasures

WHY = {"reason": "They asked for it."}


async def test_a_workspace_is_erased_by_whoever_types_its_name(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Guest
) -> None:
    await give_passwords(conn, world.alice)
    here = f"/admin/workspaces/{world.acme}"
    wrong = await olga.post(f"{here}/erase", {"name": "acme inc", **WHY})
    assert wrong.status == 400
    assert 'id="erase-name-wrong"' in wrong.html
    blank = await olga.post(f"{here}/erase", {"name": "Acme", "reason": ""})
    assert 'id="erase-reason-wrong"' in blank.html
    async with visiting(alice.address) as owner:
        await owner.sign_in("alice")
        assert (await owner.get(f"/console/{world.acme}")).status == 200
        done = await olga.post(f"{here}/erase", {"name": "Acme", **WHY})
        assert done.to == f"{here}?done=erasing"
        assert (await owner.get(f"/console/{world.acme}")).status == 404
    page = await olga.get(here)
    assert f"Erased workspace {world.acme.hex[:8]}" in page.text
    assert "Being erased." in page.text
    assert f"{here}/erase" not in page.html
    await Erasures(ports).run_once()
    assert "Workers look once more" in (await olga.get(here)).text
    assert (await olga.post(f"{here}/erase", {"name": "Acme", **WHY})).code == "PAGE_NOT_FOUND"
    # Nobody puts anything into it again.
    grant = {"amount": "5", "step": "do", **WHY}
    assert (await olga.post(f"{here}/credits/grant", grant)).code == "PAGE_NOT_FOUND"
    assert (await olga.post(f"{here}/plan", {"plan": "full", **WHY})).code == "PAGE_NOT_FOUND"
    assert (await alice.get("/me")).status == 401


async def test_unfinished_work_is_told_on_the_page(
    alice: Client, world: World, olga: Guest
) -> None:
    bundle = await published(alice, videos=1)
    refused = await olga.post(f"/admin/workspaces/{world.acme}/erase", {"name": "Acme", **WHY})
    assert refused.status == 409
    assert f"orders: 1, e.g. {bundle}" in refused.text


async def test_a_person_is_erased_by_whoever_types_their_address(
    conn: Connection, world: World, olga: Guest
) -> None:
    here = f"/admin/people/{world.mona}"
    wrong = await olga.post(f"{here}/erase", {"email": "bob@example.com", **WHY})
    assert (wrong.status, 'id="erase-email-wrong"' in wrong.html) == (400, True)
    done = await olga.post(f"{here}/erase", {"email": "mona@example.com", **WHY})
    assert done.to == f"{here}?done=erased"
    page = await olga.get(here)
    assert f"Erased person {world.mona.hex[:4]}" in page.text
    assert "This person was erased:" in page.text
    # Nothing can be made of them again.
    assert '<form method="post" action="/admin' not in page.html.split("<main")[1]
    assert "mona" not in page.text.lower()
    assert "Erased person" not in (await olga.get("/admin/people")).text
    own = f"/admin/people/{world.olga}"
    refused = await olga.post(f"{own}/erase", {"email": "olga@example.com", **WHY})
    assert (refused.status, "take that role away first" in refused.text) == (400, True)
    assert await conn.fetchval("SELECT count(*) FROM erasures") == 1
