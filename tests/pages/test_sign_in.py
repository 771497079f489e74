from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cast import World
from tests.pages.guest import PASSWORD, Guest, visiting
from tokportal_server.lib.db import Connection
from tokportal_server.pages.attempts import purge_attempts
from tokportal_server.pages.sessions import IDLE, LONGEST, hashed, purge_sessions

AGE = """
UPDATE person_sessions SET seen_at = seen_at - $1::interval, expires_at = expires_at - $2::interval
"""
NEVER = timedelta()
# As if the last of many attempts were a moment ago.
EMPTY = """
UPDATE buckets SET tokens = -100, updated_at = clock_timestamp() WHERE kind = 'sign_in_address'
"""


async def test_signs_in_and_leads_to_the_own_workspace(guest: Guest, world: World) -> None:
    assert (await guest.sign_in("alice")).to == "/console"
    assert (await guest.get("/console")).to == f"/console/{world.acme}"
    assert "Acme" in (await guest.get(f"/console/{world.acme}")).text


async def test_a_manager_is_led_to_the_queue_and_an_operator_to_their_own_page(
    server: str, guest: Guest
) -> None:
    await guest.sign_in("mona")
    assert (await guest.get("/console")).to == "/desk"
    async with visiting(server) as olga:
        await olga.sign_in("olga")
        assert (await olga.get("/console")).to == "/admin"


async def test_leads_back_to_the_page_that_was_asked_for(guest: Guest, world: World) -> None:
    asked = f"/console/{world.acme}/bundles"
    to = (await guest.get(asked)).to
    page = await guest.get(to)
    assert f'name="next" value="{asked}"' in page.html
    answer = await guest.post(
        "/sign-in", {"email": "alice@example.com", "password": PASSWORD, "next": asked}
    )
    assert answer.to == asked


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example"]
)
async def test_leads_nobody_to_another_server(guest: Guest, elsewhere: str) -> None:
    await guest.get("/sign-in")
    answer = await guest.post(
        "/sign-in", {"email": "alice@example.com", "password": PASSWORD, "next": elsewhere}
    )
    assert answer.to == "/console"


async def test_wrong_password_and_unknown_address_get_the_same_answer(guest: Guest) -> None:
    wrong = await guest.sign_in("alice", "wrong")
    unknown = await guest.sign_in("zoe", "wrong")
    never_set = await guest.sign_in("bob", "")
    assert wrong.status == unknown.status == never_set.status == 401
    assert "do not belong together" in wrong.text
    assert wrong.text == unknown.text == never_set.text


async def test_the_cookie_is_kept_from_scripts_and_the_database_has_only_its_hash(
    guest: Guest, conn: Connection
) -> None:
    set_cookie = (await guest.sign_in("alice")).headers["set-cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    assert "Secure" not in set_cookie
    [row] = await conn.fetch("SELECT * FROM person_sessions")
    assert row["token_hash"] == hashed(guest.cookie())
    assert guest.cookie() not in str(row)


async def test_signing_in_changes_the_token(guest: Guest, conn: Connection) -> None:
    await guest.get("/sign-in")
    before = guest.cookie()
    await guest.sign_in("alice")
    first = guest.cookie()
    assert first != before
    # Another tab signs in again: the session that the browser had is over.
    await guest.post("/sign-in", {"email": "alice@example.com", "password": PASSWORD})
    assert guest.cookie() != first
    assert await conn.fetchval("SELECT count(*) FROM person_sessions") == 1


async def test_guessing_one_password_is_stopped_and_others_still_sign_in(guest: Guest) -> None:
    for _ in range(10):
        assert (await guest.sign_in("alice", "wrong")).status == 401
    stopped = await guest.sign_in("alice")
    assert stopped.status == 429
    assert "too many attempts" in stopped.text
    assert 1 <= int(stopped.headers["retry-after"]) <= 61
    assert (await guest.sign_in("mona")).status == 303


async def test_trying_many_people_from_one_address_is_stopped(
    guest: Guest, conn: Connection
) -> None:
    assert (await guest.sign_in("p1", "x")).status == 401
    assert await conn.execute(EMPTY) == "UPDATE 1"
    stopped = await guest.sign_in("p2", "x")
    assert stopped.status == 429
    # Nobody's own attempts were counted, so the office signs in again when it may.
    assert (await guest.sign_in("alice")).status == 429


async def test_a_right_password_forgives_the_mistyped_ones(guest: Guest) -> None:
    for _ in range(9):
        await guest.sign_in("alice", "wrong")
    assert (await guest.sign_in("alice")).status == 303
    async with visiting(guest.address) as again:
        assert (await again.sign_in("alice", "wrong")).status == 401
        assert (await again.sign_in("alice")).status == 303


async def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(guest: Guest) -> None:
    await guest.sign_in("alice")
    kept = guest.cookie()
    assert (await guest.post("/sign-out")).to == "/sign-in"
    answer = await guest.get("/you", Cookie=f"tokportal_session={kept}")
    assert answer.to.startswith("/sign-in")


@pytest.mark.parametrize(("idle", "old"), [(IDLE, NEVER), (NEVER, LONGEST)])
async def test_a_session_ends_when_unused_and_in_any_case(
    guest: Guest, conn: Connection, idle: timedelta, old: timedelta
) -> None:
    await guest.sign_in("alice")
    await conn.execute(AGE, idle, old)
    assert (await guest.get("/you")).to.startswith("/sign-in")


async def test_using_a_session_keeps_it_from_being_idle(guest: Guest, conn: Connection) -> None:
    await guest.sign_in("alice")
    await conn.execute(AGE, IDLE - timedelta(hours=1), NEVER)
    assert (await guest.get("/you")).status == 200
    fresh = await conn.fetchval("SELECT now() - seen_at < interval '1 minute' FROM person_sessions")
    assert fresh


async def test_lists_the_own_sessions_and_ends_one(
    guest: Guest, conn: Connection, world: World
) -> None:
    await guest.sign_in("alice")
    async with visiting(guest.address) as phone, visiting(guest.address) as mona:
        await phone.sign_in("alice")
        await mona.sign_in("mona")
        other = await conn.fetchval(
            "SELECT id FROM person_sessions WHERE token_hash = $1", hashed(phone.cookie())
        )
        # Somebody else's is not Mona's to end.
        await mona.post(f"/you/sessions/{other}/end")
        page = await guest.get("/you")
        assert page.html.count("/you/sessions/") == 3
        assert (await guest.post(f"/you/sessions/{other}/end")).to == "/you?done=session"
        assert (await phone.get("/you")).status == 303
        assert (await mona.get("/you")).status == 200
    assert world.alice != world.mona


async def test_signs_out_everywhere(guest: Guest) -> None:
    await guest.sign_in("alice")
    async with visiting(guest.address) as phone:
        await phone.sign_in("alice")
        assert (await guest.post("/you/sessions/end")).to == "/sign-in"
        assert (await phone.get("/you")).status == 303


async def test_what_has_ended_is_deleted(guest: Guest, conn: Connection) -> None:
    await guest.sign_in("alice", "wrong")
    await guest.sign_in("mona")
    assert await purge_sessions(conn) == 0
    await conn.execute(AGE, NEVER, LONGEST * 2)
    assert await purge_sessions(conn) == 1
    assert await purge_attempts(conn) == 0
    await conn.execute("UPDATE buckets SET updated_at = updated_at - interval '2 days'")
    assert await purge_attempts(conn) == 2
