"""Erasing a person: nothing says any more who they were, and what they worked stands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.console.scenery import set_the_scene
from tests.orders.walk import claimed, published
from tests.pages.guest import PASSWORD, visiting
from tests.privacy.planting import found
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.mails import forget_mails, mail_link
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.erase_person import (
    Erased,
    ManagerUnpaidError,
    erase_person,
)
from tokportal_server.workspaces.errors import LastOwnerError, PersonNotFoundError
from tokportal_server.workspaces.operations.invitations import invite_member

MARKER = "xXmonaXx"
CALL = "UPDATE people SET name = $2, email = $3 WHERE id = $1"
JOIN = "INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, $3)"
# What the pages, the books and the log may have about a person, in their words or about them.
ABOUT = """
UPDATE managers SET display_name = '{marker}' WHERE person_id = '{person}';
UPDATE person_sessions SET user_agent = '{marker}' WHERE person_id = '{person}';
UPDATE notices SET text = '{marker}' WHERE person_id = '{person}';
INSERT INTO person_links (token_hash, person_id, purpose, expires_at)
VALUES (sha256('{marker}'), '{person}', 'invitation', now() + interval '1 day');
INSERT INTO second_factors (person_id, secret_sealed) VALUES ('{person}', '{marker}');
INSERT INTO notice_choices (person_id, topic, on_page, by_mail)
VALUES ('{person}', '{marker}', true, true);
INSERT INTO audit (workspace_id, action, subject_kind, subject_id, actor_kind, reason, details)
VALUES (gen_random_uuid(), 'person.role', 'person', '{person}', 'operator', '{marker}',
        jsonb_build_object('name', '{marker}'));
INSERT INTO audit (workspace_id, action, subject_kind, actor_kind, actor_id, address)
VALUES (gen_random_uuid(), 'bundle.cancel', 'bundle', 'operator', '{person}', '{marker}');
INSERT INTO earnings (workspace_id, manager_id, month, type, subject, amount, currency, reason, at,
                      id)
VALUES (gen_random_uuid(), '{person}', '2026-01-01', 'adjustment', 'x', 5, 'EUR', '{marker}', now(),
        gen_random_uuid());
INSERT INTO earning_statements (manager_id, month, status, note, answer)
VALUES ('{person}', '2026-01-01', 'settled', '{marker}', '{marker}');
INSERT INTO pgqueuer (status, priority, entrypoint, payload)
SELECT 'failed', 0, 'notice_mail', convert_to(
       jsonb_build_object('person_id', '{person}', 'subject', '{marker}')::text, 'UTF8');
"""


async def erase(
    conn: Connection, world: World, ports: Ports, email: str, person: object = None
) -> Erased:
    return await erase_person(
        conn,
        OrderRules.of(ports.settings),
        partial(forget_mails, ports.vault),
        actor=world.as_olga,
        person_id=world.mona if person is None else person,  # type: ignore[arg-type]
        email=email,
        reason="They asked for it.",
    )


async def test_nothing_tells_who_a_manager_was_and_their_work_stands(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    mail = msgspec.structs.replace(ports.settings, smtp_host="127.0.0.1", mail_from="a@example.com")
    email = f"{MARKER}@example.com"
    await set_the_scene(alice, conn, world, ports)
    await conn.execute(CALL, world.mona, f"Mona {MARKER}", email)
    async with visiting(alice.address) as guest:
        assert (await guest.sign_in(MARKER)).status == 303
        await conn.execute(ABOUT.format(person=world.mona, marker=MARKER))
        await _invite(conn, world, email)
        mailing = replace(ports, settings=mail)
        await mail_link(conn, mailing, "password_reset", to=email, link="https://x", about="Mona")
        held = await conn.fetchval("SELECT count(*) FROM claims WHERE status = 'live'")
        assert held > 0

        done = await erase(conn, world, ports, email.upper())

        assert done.orders_offered_again == held
        assert done.name == f"Erased person {world.mona.hex[:4]}"
        assert (await guest.get("/desk")).status == 303
        assert (await guest.sign_in(MARKER, PASSWORD)).status == 401
    assert await found(conn, MARKER) == {}
    assert await conn.fetchval("SELECT count(*) FROM sealed_mails") == 0
    assert await conn.fetchval("SELECT count(*) FROM claims WHERE manager_id = $1", world.mona) > 0
    name = await conn.fetchval("SELECT display_name FROM managers WHERE person_id = $1", world.mona)
    assert name == done.name
    assert [one.check.name for one in await examine(conn) if one.contradictions] == []
    with pytest.raises(PersonNotFoundError):
        await erase(conn, world, ports, email)


async def _invite(conn: Connection, world: World, email: str) -> None:
    await invite_member(
        conn,
        workspace_id=world.acme,
        email=email,
        role="viewer",
        actor=Actor("customer", world.alice),
        origin="http://x",
    )


async def test_the_only_owner_of_a_workspace_is_refused_and_stays_who_they_are(
    conn: Connection, world: World, ports: Ports
) -> None:
    with pytest.raises(LastOwnerError):
        await erase(conn, world, ports, "alice@example.com", world.alice)
    assert await conn.fetchval("SELECT name FROM people WHERE id = $1", world.alice) == "Alice"
    await conn.execute(JOIN, world.acme, world.bob, "owner")
    await erase(conn, world, ports, "alice@example.com", world.alice)
    members = await conn.fetch(
        "SELECT person_id FROM workspace_members WHERE workspace_id = $1", world.acme
    )
    assert [row["person_id"] for row in members] == [world.bob]


async def test_a_key_in_their_name_goes_on_working_for_the_workspace(
    bob: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await erase(conn, world, ports, "bob@example.com", world.bob)
    assert (await bob.get("/me")).status == 200


async def test_a_manager_who_is_owed_money_is_refused_and_goes_on_working(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await claimed(conn, world, ports, await published(alice, videos=0))
    await conn.execute(
        "INSERT INTO earnings (workspace_id, manager_id, month, type, subject, amount, currency,"
        " reason, at, id) VALUES (gen_random_uuid(), $1, '2026-01-01', 'adjustment', 'x', 5, 'EUR',"
        " 'x', now(), gen_random_uuid())",
        world.mona,
    )
    with pytest.raises(ManagerUnpaidError) as refused:
        await erase(conn, world, ports, "mona@example.com")
    assert refused.value.details == {"months": ["2026-01"]}
    assert await conn.fetchval("SELECT status FROM claims") == "live"


@pytest.mark.parametrize(("who", "email"), [("mona", "bob@example.com"), ("olga", "")])
async def test_a_wrong_address_and_an_operator_are_refused(
    conn: Connection, world: World, ports: Ports, who: str, email: str
) -> None:
    with pytest.raises(ValidationError):
        await erase(conn, world, ports, email or f"{who}@example.com", getattr(world, who))
    assert await conn.fetchval("SELECT count(*) FROM erasures") == 0


async def test_facts_are_changeable_inside_that_transaction_alone(
    conn: Connection, world: World, ports: Ports
) -> None:
    await erase(conn, world, ports, "bob@example.com", world.bob)
    with pytest.raises(Exception, match="append-only"):
        await conn.execute("UPDATE audit SET reason = 'another'")
