"""Every page and form of one workspace, asked for by everybody whose it is not."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

from tests.cast import World
from tests.client import Client
from tests.console.scenery import set_the_scene
from tests.console.test_every_page import pages_of
from tests.hostile.forms import found_in
from tests.pages.guest import Guest, give_passwords, visiting
from tests.privacy.planting import fingerprints
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workspaces.operations.create_person import create_manager, create_person

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def digests(conn: Connection, workspace: UUID) -> dict[str, str]:
    """Give what there is of a workspace, table by table: whatever a stranger did would show."""
    return {
        table: digest
        for table, digest in (await fingerprints(conn, workspace)).items()
        if table != "api_requests"
    }


async def doors_of(address: str, who: str, *, below: str) -> tuple[set[str], set[str]]:
    """Give the addresses that somebody's pages lead to, and those that their forms go to."""
    links: set[str] = set()
    actions: set[str] = set()
    async with visiting(address) as guest:
        pages, broken = await pages_of(guest, who)
        assert broken == []
        for at in [one for several in pages.values() for one in several]:
            found = found_in((await guest.get(at)).html, at)
            links |= {at, *found.links}
            actions |= {form.action for form in found.forms if form.method == "POST"}
    return (
        {one for one in links if one.startswith(below)},
        {one for one in actions if one.startswith(below)},
    )


async def opened(stranger: Guest, links: set[str], actions: set[str]) -> dict[str, object]:
    """Give what looks other to somebody whose it is not than what there is not."""
    told: dict[str, object] = {}
    for link in sorted(links):
        seen = await stranger.get(link)
        if seen.status not in {403, 404}:
            told[f"GET {link}"] = (seen.status, seen.code)
    for action in sorted(actions):
        answer = await _sent(stranger, action)
        if answer[0] in {403, 404}:
            continue
        # A form may be refused for what is missing, whatever it is about.
        if answer[0] < 400 or answer != await _sent(stranger, _of_nothing(action)):
            told[f"POST {action}"] = answer
    return told


async def _sent(stranger: Guest, action: str) -> tuple[int, str | None]:
    seen = await stranger.post(action, {"reason": "mine", "comment": "mine"})
    if seen.status == 415:
        seen = await stranger.send_file(action, b"x")
    return seen.status, seen.code


def _of_nothing(address: str) -> str:
    """Put another id in the place of the last that an address names."""
    last = _ID.findall(address)[-1]
    return address.replace(last, str(uuid4()))


async def test_a_stranger_opens_nothing_of_another_workspace(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    await give_passwords(conn, world.charlie)
    links, actions = await doors_of(alice.address, "alice", below=f"/console/{world.acme}")
    before = await digests(conn, world.acme)
    async with visiting(alice.address) as charlie:
        await charlie.sign_in("charlie")
        assert await opened(charlie, links, actions) == {}
    assert await digests(conn, world.acme) == before
    assert len(links) > 40
    assert len(actions) > 30


async def test_nothing_of_another_workspace_is_reached_through_the_own_one(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    """The ids of somebody else's things, in addresses that name the stranger's workspace."""
    await set_the_scene(alice, conn, world, ports)
    await give_passwords(conn, world.charlie)
    links, actions = await doors_of(alice.address, "alice", below=f"/console/{world.acme}")
    own, other = str(world.acme), str(world.other)
    before = await digests(conn, world.acme)
    async with visiting(alice.address) as charlie:
        await charlie.sign_in("charlie")
        # What names no thing of Alice's is Charlie's own page, and fine.
        moved = {one.replace(own, other) for one in links if _names_a_thing(one, own)}
        sent = {one.replace(own, other) for one in actions if _names_a_thing(one, own)}
        assert await opened(charlie, moved, sent) == {}
    assert await digests(conn, world.acme) == before
    assert len(moved) > 10
    assert len(sent) > 15


def _names_a_thing(address: str, workspace: str) -> bool:
    path = address.partition("?")[0].replace(workspace, "")
    return any(len(part) == 36 and part.count("-") == 4 for part in path.split("/"))


async def test_a_manager_reaches_nothing_of_another_managers_work(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    nora = await create_person(conn=conn, email="nora@example.com", name="Nora")
    await create_manager(
        conn=conn,
        person_id=nora,
        display_name="Nora",
        countries=["USA", "FR"],
        platforms=["tiktok", "instagram"],
    )
    await give_passwords(conn, nora)
    links, actions = await doors_of(alice.address, "mona", below="/desk/")
    before = await digests(conn, world.acme)
    async with visiting(alice.address) as guest:
        await guest.sign_in("nora")
        mine = {one for one in links if _names_a_thing(one, "")}
        # To claim what is offered is what the queue is for.
        sent = {one for one in actions if _names_a_thing(one, "") and not one.endswith("/claim")}
        assert await opened(guest, mine, sent) == {}
    assert await digests(conn, world.acme) == before
    assert len(mine) > 3
    assert len(sent) > 3


async def test_pages_of_operators_are_nobody_elses(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    links, actions = await doors_of(alice.address, "olga", below="/admin")
    before = await digests(conn, world.acme)
    for who in ("alice", "mona"):
        async with visiting(alice.address) as guest:
            await guest.sign_in(who)
            assert await opened(guest, links, actions) == {}
    assert await digests(conn, world.acme) == before
    assert len(links) > 20
    assert len(actions) > 15
