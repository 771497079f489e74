"""What people are told on their page: who, once, what they chose, and where it leads."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.accounts.revealing import PROFILE_CHANGE, owned
from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, published, published_with_videos, set_up, working
from tests.pages.guest import Guest
from tokportal_server.entry.worker import LISTENERS, job_runner
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.notice_links import link_of
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.webhooks.notices import ClaimsNearTheirEnd
from tokportal_server.workbench.operations.reject_edit_request import reject_edit_request
from tokportal_server.workspaces.notices import tell_customers, tell_owners

JOIN = "INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, $3)"
DUE_SOON = "UPDATE claims SET due_at = now() + interval '11 hours'"
EDITS = "SELECT * FROM notices WHERE person_id = $1 AND topic = 'edits'"
NASTY = "<img src=x onerror=alert(1)>{{7*7}}"


async def run_worker(ports: Ports) -> None:
    """Fan out what has happened, and do the jobs that it wants."""
    dispatcher = Dispatcher(ports, LISTENERS)
    while await dispatcher.run_once():
        pass
    await job_runner(ports, OrderRules.of(ports.settings)).drain()


async def told(conn: Connection, person: UUID) -> list[str]:
    """Give the kinds of notices that a person has."""
    rows = await conn.fetch("SELECT kind FROM notices WHERE person_id = $1 ORDER BY kind", person)
    return [row["kind"] for row in rows]


async def test_the_bell_counts_and_the_list_leads_to_what_it_is_about(
    guest: Guest, conn: Connection, world: World
) -> None:
    bundle = uuid4()
    await tell_owners(
        conn,
        world.acme,
        kind="account.in_review",
        subject="1",
        text=NASTY,
        at=real_now(),
        about={"bundle_id": bundle},
    )
    await guest.sign_in("alice")
    page = await guest.get("/notices")
    assert "1 unread" in page.text
    assert "<img" not in page.html
    assert NASTY in page.text
    opening = page.html.split('action="/notices/')[1].split('"')[0]
    led = await guest.post(f"/notices/{opening}")
    assert led.to == f"/console/{world.acme}/bundles/{bundle}"
    assert "unread" not in (await guest.get("/notices")).text


async def test_nobody_opens_what_others_were_told(
    guest: Guest, conn: Connection, world: World
) -> None:
    await tell_owners(conn, world.acme, kind="credits.low", subject="1", text="Low.", at=real_now())
    notice = await conn.fetchval("SELECT id FROM notices")
    await guest.sign_in("mona")
    assert "Low." not in (await guest.get("/notices")).text
    assert (await guest.post(f"/notices/{notice}")).status == 404
    await guest.post("/notices/read")
    assert await conn.fetchval("SELECT read_at FROM notices") is None


async def test_marks_all_as_read(guest: Guest, conn: Connection, world: World) -> None:
    for subject in "abc":
        await tell_owners(
            conn, world.acme, kind="credits.low", subject=subject, text="Low.", at=real_now()
        )
    await guest.sign_in("alice")
    assert "3 unread" in (await guest.get("/notices")).text
    assert (await guest.post("/notices/read")).status == 303
    assert "unread" not in (await guest.get("/notices")).text


@pytest.mark.parametrize(
    ("boxes", "on_page"),
    [
        ({}, 0),
        ({"page-credits": "on"}, 1),
    ],
)
async def test_people_choose_what_they_are_told(
    guest: Guest,
    conn: Connection,
    world: World,
    boxes: dict[str, str],
    on_page: int,
) -> None:
    await guest.sign_in("alice")
    await guest.get("/notices")
    assert (await guest.post("/notices/choices", boxes)).status == 303
    await tell_owners(conn, world.acme, kind="credits.low", subject="1", text="Low.", at=real_now())
    assert ("Low." in (await guest.get("/notices")).text) is bool(on_page)
    # Without a mail server the form has no boxes for it, and what was chosen before stays: mail.
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 1
    assert await conn.fetchval("SELECT count(*) FROM notices WHERE on_page") == on_page


async def test_whoever_wants_a_topic_in_no_way_gets_no_row(conn: Connection, world: World) -> None:
    await conn.execute(
        "INSERT INTO notice_choices VALUES ($1, 'credits', false, false)", world.alice
    )
    await tell_owners(conn, world.acme, kind="credits.low", subject="1", text="Low.", at=real_now())
    assert await told(conn, world.alice) == []
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 0


async def test_owners_and_members_are_told_of_reviews_and_viewers_are_not(
    conn: Connection, world: World
) -> None:
    await conn.execute(JOIN, world.acme, world.olga, "viewer")
    bob = await conn.fetchval("SELECT id FROM people WHERE email = 'bob@example.com'")
    await conn.execute(JOIN, world.acme, bob, "member")
    for _ in range(2):
        await tell_customers(
            conn, world.acme, kind="video.in_review", subject="1", text="Look.", at=real_now()
        )
    people = {row["person_id"] for row in await conn.fetch("SELECT person_id FROM notices")}
    assert people == {world.alice, bob}
    assert await conn.fetchval("SELECT count(*) FROM notices") == 2


async def test_an_order_tells_its_customer_and_its_manager(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle = await published(alice)
    await claimed(conn, world, ports, bundle)
    await set_up(conn, world, ports, bundle)
    await alice.post(f"/bundles/{bundle}/account/corrections", {"comment": "Another name, please."})
    for _ in range(2):
        await run_worker(ports)
    assert await told(conn, world.alice) == ["account.in_review"]
    assert await told(conn, world.mona) == ["account.pending_corrections"]
    notice = await conn.fetchrow("SELECT * FROM notices WHERE person_id = $1", world.mona)
    assert notice is not None
    assert link_of(notice) == f"/desk/{world.acme}/{bundle}"


async def test_a_change_of_a_profile_is_told_to_its_manager_and_its_end_to_the_customer(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    made = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)
    wanted = await conn.fetchrow(EDITS, world.mona)
    async with working(conn, world) as tx:
        await reject_edit_request(
            tx=tx,
            actor=world.as_mona,
            request_id=UUID(made.data["id"]),
            reason="The name is taken.",
        )
    await run_worker(ports)
    ended = await conn.fetchrow(EDITS, world.alice)
    assert wanted is not None
    assert (wanted["kind"], link_of(wanted)) == ("edit_request", "/desk/edits")
    assert ended is not None
    assert ended["kind"] == "edit_request.rejected"
    assert link_of(ended) == f"/console/{world.acme}/accounts/{account_id}"


async def test_a_manager_is_told_once_that_a_claim_ends_soon(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await claimed(conn, world, ports, await published_with_videos(alice, conn, world, videos=1))
    loop = ClaimsNearTheirEnd(ports.database)
    assert await loop.run_once() == 0
    await conn.execute(DUE_SOON)
    loop = ClaimsNearTheirEnd(ports.database)
    assert [await loop.run_once() for _ in range(3)] == [1, 0, 0]
    assert await told(conn, world.mona) == ["claim_deadline"]
    # With more time, and then again little, it is another end.
    await conn.execute("UPDATE claims SET due_at = now() + interval '10 hours'")
    assert await ClaimsNearTheirEnd(ports.database).run_once() == 1


async def test_a_list_of_many_has_pages(guest: Guest, conn: Connection, world: World) -> None:
    for number in range(53):
        await tell_owners(
            conn, world.acme, kind="credits.low", subject=str(number), text="Low.", at=real_now()
        )
    await guest.sign_in("alice")
    first, second = await guest.get("/notices"), await guest.get("/notices?page=2")
    assert (first.text.count("Low."), second.text.count("Low.")) == (50, 3)
    assert 'href="/notices?page=2"' in first.html
    assert (await guest.get("/notices?page=zwei")).text.count("Low.") == 50
