"""The second step of signing in."""

from __future__ import annotations

import base64
import os
import re
import time
from html import unescape
from uuid import uuid4

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.cast import World
from tests.pages.guest import PASSWORD, Guest, visiting
from tests.pages.test_one_time_links import NEW, link_for
from tokportal_server.cli.person_administration import reset_second_step
from tokportal_server.cli.vault_administration import rotate
from tokportal_server.lib.crypto import Vault, key_id
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.mails import mail_context
from tokportal_server.pages.second_factor import (
    begin_enrolment,
    enrolment_of,
    factor_context,
    purge_second_factors,
)

AUDITED = "SELECT action FROM audit WHERE action LIKE 'person.%factor%' OR action LIKE '%recovery%'"
FORGET_STEP = "UPDATE second_factors SET last_step = last_step - 10"


def code_of(key: str, *, periods: int = 0) -> str:
    """Give the code that an app shows, now or some periods from now."""
    padded = key + "=" * (-len(key) % 8)
    totp = TOTP(base64.b32decode(padded), 6, SHA1(), 30)  # noqa: S303 - as the apps do it
    return totp.generate(int(time.time()) + 30 * periods).decode()


async def set_up(guest: Guest) -> tuple[str, list[str]]:
    """Turn the second step on; give the key and the recovery codes."""
    assert (await guest.post("/you/second-step/begin")).to == "/you/second-step"
    page = await guest.get("/you/second-step")
    assert "<svg" in page.html
    found = re.search(r'data-copy="([A-Z2-7]{32})"', page.html)
    assert found is not None
    shown = await guest.post("/you/second-step", {"code": code_of(found[1])})
    assert shown.status == 200, shown.text
    listed = re.search(r'data-copy="([^"]*)"', unescape(shown.html))
    assert listed is not None
    return found[1], listed[1].split()


async def give_password(guest: Guest) -> None:
    """Do the first step as Alice; the second is asked for."""
    await guest.get("/sign-in")
    sent = {"email": "alice@example.com", "password": PASSWORD}
    assert (await guest.post("/sign-in", sent)).to.startswith("/sign-in/code")
    await guest.get("/sign-in/code")


async def test_signing_in_takes_a_code_once_the_second_step_is_on(
    guest: Guest, conn: Connection
) -> None:
    await guest.sign_in("alice")
    key, codes = await set_up(guest)
    assert len(codes) == 10
    await conn.execute(FORGET_STEP)
    async with visiting(guest.address) as phone:
        await give_password(phone)
        # The password alone opens nothing.
        assert (await phone.get("/you")).to.startswith("/sign-in")
        wrong = await phone.post("/sign-in/code", {"code": "000000"})
        assert (wrong.status, wrong.headers["cache-control"]) == (401, "no-store")
        assert (await phone.post("/sign-in/code", {"code": code_of(key)})).to == "/console"
        assert "Alice" in (await phone.get("/you")).text
    rows = await conn.fetch(AUDITED)
    assert [row["action"] for row in rows] == ["person.second_factor_on"]


async def test_a_code_is_taken_once(guest: Guest) -> None:
    await guest.sign_in("alice")
    key, _ = await set_up(guest)
    # The next code, since the current one has turned the second step on. It is made once: another
    # period may begin between the two.
    code = code_of(key, periods=1)
    async with visiting(guest.address) as owner, visiting(guest.address) as thief:
        for person, status in ((owner, 303), (thief, 401)):
            await give_password(person)
            assert (await person.post("/sign-in/code", {"code": code})).status == status


async def test_a_code_of_another_time_is_refused(guest: Guest, conn: Connection) -> None:
    await guest.sign_in("alice")
    key, _ = await set_up(guest)
    await conn.execute(FORGET_STEP)
    async with visiting(guest.address) as phone:
        await give_password(phone)
        for periods in (-3, 3):
            old = await phone.post("/sign-in/code", {"code": code_of(key, periods=periods)})
            assert old.status == 401


async def test_a_recovery_code_works_once_and_is_audited(guest: Guest, conn: Connection) -> None:
    await guest.sign_in("alice")
    _, codes = await set_up(guest)
    typed = codes[0].upper().replace("-", " ")
    for status in (303, 401):
        async with visiting(guest.address) as phone:
            await give_password(phone)
            assert (await phone.post("/sign-in/code", {"code": typed})).status == status
    assert "Recovery codes left: 9" in (await guest.get("/you")).text
    assert "person.recovery_code" in [row["action"] for row in await conn.fetch(AUDITED)]


async def test_trying_codes_is_stopped_and_says_for_how_long(guest: Guest) -> None:
    await guest.sign_in("alice")
    key, _ = await set_up(guest)
    async with visiting(guest.address) as thief:
        await give_password(thief)
        for _ in range(6):
            assert (await thief.post("/sign-in/code", {"code": "123456"})).status == 401
        right = await thief.post("/sign-in/code", {"code": code_of(key, periods=1)})
        assert right.status == 429
        assert 1 <= int(right.headers["retry-after"]) <= 301


async def test_a_link_for_a_password_does_not_lead_past_the_second_step(
    guest: Guest, conn: Connection, world: World
) -> None:
    await guest.sign_in("alice")
    await set_up(guest)
    path, token = await link_for(conn, world.alice)
    async with visiting(guest.address) as thief:
        await thief.get(path)
        sent = await thief.post("/password", {"link": token, "password": NEW})
        assert sent.to.startswith("/sign-in/code")
        assert (await thief.get("/you")).to.startswith("/sign-in")


async def test_turning_it_off_takes_the_password(guest: Guest, conn: Connection) -> None:
    await guest.sign_in("alice")
    await set_up(guest)
    refused = await guest.post("/you/second-step/stop", {"password": "wrong"})
    assert refused.status == 401
    assert "not your password" in refused.text
    assert (await guest.post("/you/second-step/stop", {"password": PASSWORD})).status == 303
    assert await conn.fetchval("SELECT count(*) FROM recovery_codes") == 0
    async with visiting(guest.address) as phone:
        assert (await phone.sign_in("alice")).to == "/console"


async def test_nothing_counts_before_a_code_has_confirmed_it(
    guest: Guest, conn: Connection
) -> None:
    await guest.sign_in("alice")
    await guest.post("/you/second-step/begin")
    assert (await guest.post("/you/second-step", {"code": "000000"})).status == 401
    async with visiting(guest.address) as phone:
        assert (await phone.sign_in("alice")).to == "/console"
    await conn.execute("UPDATE second_factors SET created_at = now() - interval '2 days'")
    assert await purge_second_factors(conn) == 1


async def test_one_that_is_on_cannot_be_begun_again(guest: Guest, conn: Connection) -> None:
    await guest.sign_in("alice")
    await set_up(guest)
    before = await conn.fetchval("SELECT secret_sealed FROM second_factors")
    await guest.post("/you/second-step/begin")
    assert await conn.fetchval("SELECT secret_sealed FROM second_factors") == before
    assert (await guest.get("/you/second-step")).to == "/you"


async def test_the_database_has_neither_the_key_nor_the_codes(
    guest: Guest, conn: Connection, world: World, ports: Ports
) -> None:
    await guest.sign_in("alice")
    key, codes = await set_up(guest)
    stored = str(await conn.fetch("SELECT * FROM second_factors, recovery_codes"))
    assert key not in stored
    assert not any(code in stored for code in codes)
    vault: Vault = ports.vault
    sealed = await conn.fetchval("SELECT secret_sealed FROM second_factors")
    opened = vault.open(sealed, context=factor_context(world.alice))
    assert base64.b32encode(opened).decode() == key


async def test_an_operator_turns_it_off_for_a_lost_phone_and_says_why(
    guest: Guest, conn: Connection
) -> None:
    await guest.sign_in("alice")
    await set_up(guest)
    await reset_second_step(conn, "alice@example.com", reason="Phone lost, called back")
    assert (await guest.get("/you")).to.startswith("/sign-in")
    assert (await guest.sign_in("alice")).to == "/console"
    row = await conn.fetchrow("SELECT * FROM audit ORDER BY ordinal DESC LIMIT 1")
    assert row is not None
    told = (row["action"], row["actor_kind"], row["reason"])
    assert told == ("person.second_factor_off", "operator", "Phone lost, called back")


async def test_the_second_step_and_mail_on_its_way_outlive_a_new_vault_key(
    conn: Connection, world: World
) -> None:
    old, new = os.urandom(32), os.urandom(32)
    before = Vault({key_id(old): old}, key_id(old))
    both = Vault({key_id(new): new, key_id(old): old}, key_id(new))
    await begin_enrolment(conn, before, person_id=world.alice)
    mail_id = uuid4()
    sealed = before.seal(b"mail", context=mail_context(mail_id))
    await conn.execute("INSERT INTO sealed_mails VALUES ($1, $2)", mail_id, sealed)
    shown = await enrolment_of(conn, before, person_id=world.alice, email="a@b.example")
    assert await rotate(conn, both) >= 2
    after = Vault({key_id(new): new}, key_id(new))
    again = await enrolment_of(conn, after, person_id=world.alice, email="a@b.example")
    assert again == shown
    kept = await conn.fetchval("SELECT mail_sealed FROM sealed_mails")
    assert after.open(kept, context=mail_context(mail_id)) == b"mail"
