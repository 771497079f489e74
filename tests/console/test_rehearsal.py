from __future__ import annotations

from datetime import timedelta

from tests.cast import World
from tests.client import Client
from tests.console.test_orders import console
from tests.orders.walk import published
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection

MAKE_REHEARSAL = "UPDATE workspaces SET rehearsal = true WHERE id = $1"
AHEAD = "SELECT clock_offset FROM workspaces WHERE id = $1"


async def test_a_workspace_on_real_time_says_why_it_has_no_clock(
    customer: Guest, conn: Connection, world: World
) -> None:
    there = console(world, "rehearsal")
    seen = await customer.get(there)
    assert "runs on real time" in seen.text
    assert "--rehearsal" in seen.text
    assert 'method="post" action="/console' not in seen.html
    assert (await customer.post(there, {"hours": "1"})).status == 404
    assert await conn.fetchval(AHEAD, world.acme) == timedelta(0)


async def test_the_clock_moves_by_hours_and_to_what_is_due_next(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    await conn.execute(MAKE_REHEARSAL, world.acme)
    # Nobody is there to claim it: after a day it becomes urgent.
    bundle_id = await published(alice, videos=0)
    there = console(world, "rehearsal")
    seen = await customer.get(there)
    assert "A bundle that nobody claims becomes urgent" in seen.text
    assert bundle_id in seen.html
    assert "simulate:wrong_text" in seen.text
    assert (await customer.post(there, {"hours": "0.5"})).to == f"{there}?done=clock_moved"
    assert await conn.fetchval(AHEAD, world.acme) > timedelta(minutes=29)
    assert (await customer.post(there, {"to": "next"})).status == 303
    ahead = await conn.fetchval(AHEAD, world.acme)
    assert timedelta(hours=23) < ahead < timedelta(hours=25)
    status = "SELECT status FROM bundles WHERE workspace_id = $1"
    assert await conn.fetchval(status, world.acme) == "published_priority"


async def test_refuses_hours_that_are_none(customer: Guest, conn: Connection, world: World) -> None:
    await conn.execute(MAKE_REHEARSAL, world.acme)
    there = console(world, "rehearsal")
    for hours in ("", "-1", "0", "soon", "8761", "1e9"):
        refused = await customer.post(there, {"hours": hours})
        assert refused.status == 400, hours
        assert 'id="clock-hours-wrong"' in refused.html
    assert await conn.fetchval(AHEAD, world.acme) == timedelta(0)


async def test_two_who_move_the_clock_take_turns(
    customer: Guest, conn: Connection, world: World
) -> None:
    await conn.execute(MAKE_REHEARSAL, world.acme)
    await conn.execute(
        "INSERT INTO clock_advances (workspace_id, key, distance, target, lease_until)"
        " VALUES ($1, 'other', '1 hour', now(), now() + interval '1 minute')",
        world.acme,
    )
    refused = await customer.post(console(world, "rehearsal"), {"hours": "1"})
    assert refused.status == 409
    assert "moving this rehearsal's clock" in refused.text


async def test_a_viewer_looks_and_a_stranger_does_not(
    viewer: Guest, stranger: Guest, conn: Connection, world: World
) -> None:
    await conn.execute(MAKE_REHEARSAL, world.acme)
    there = console(world, "rehearsal")
    seen = await viewer.get(there)
    assert "It is now" in seen.text
    assert 'method="post" action="/console' not in seen.html
    assert (await viewer.post(there, {"hours": "1"})).code == "PAGE_FORBIDDEN"
    assert (await stranger.get(there)).status == 404
    assert (await stranger.post(there, {"hours": "1"})).status == 404


async def test_the_managers_behave_as_the_weights_and_choices_say(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    await conn.execute(MAKE_REHEARSAL, world.acme)
    bundle_id = await published(alice, videos=0, title="Late one")
    there = console(world, "rehearsal")
    weights = {"prompt": "3", "slow": "1"} | dict.fromkeys(
        ("careless", "broken_download", "releases", "bans"), "0"
    )
    form = {f"weights.{name}": number for name, number in weights.items()} | {"seed": "11"}
    assert "done=scripts_set" in (await customer.post(f"{there}/scripts", form)).to
    seen = await customer.get(there)
    assert "slow (weight 1)" in seen.text
    assert "Late one" in seen.text
    for wrong in (
        {**form, "seed": "-1"},
        {**form, "weights.slow": "many"},
        dict.fromkeys(form, "0"),
    ):
        assert (await customer.post(f"{there}/scripts", wrong)).status == 400
    chosen = await customer.post(f"{there}/bundles", {"bundle": bundle_id, "script": "slow"})
    assert "done=scripts_set" in chosen.to
    assert "Late one (slow)" in (await customer.get(there)).text
    for odd in ({"bundle": bundle_id, "script": "odd"}, {"bundle": "x", "script": "slow"}):
        assert (await customer.post(f"{there}/bundles", odd)).status == 400


async def test_real_time_has_no_scripts(customer: Guest, alice: Client, world: World) -> None:
    bundle_id = await published(alice, videos=0)
    there = console(world, "rehearsal")
    assert (await customer.post(f"{there}/scripts", {"seed": "1"})).status == 404
    form = {"bundle": bundle_id, "script": "slow"}
    assert (await customer.post(f"{there}/bundles", form)).status == 404
