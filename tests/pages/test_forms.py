from __future__ import annotations

import pytest

from tests.pages.guest import PASSWORD, Guest, visiting
from tokportal_server.lib.db import Connection


async def test_a_form_without_the_token_of_its_session_changes_nothing(
    guest: Guest, conn: Connection
) -> None:
    await guest.sign_in("alice")
    async with visiting(guest.address) as mona:
        await mona.sign_in("mona")
        foreign = (await mona.get("/you")).token
    for token in ("", "0" * 64, foreign, "ä"):
        refused = await guest.post("/you/sessions/end", token=token)
        assert refused.code == "FORM_NOT_OURS"
    assert (await guest.get("/you")).status == 200
    assert await conn.fetchval("SELECT count(*) FROM person_sessions") == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_that_another_site_sent_is_refused_even_with_the_token(
    guest: Guest, headers: dict[str, str]
) -> None:
    await guest.sign_in("alice")
    assert (await guest.post("/sign-out", headers=headers)).code == "FORM_NOT_OURS"
    assert (await guest.get("/you")).status == 200


async def test_a_form_from_our_own_origin_is_taken(guest: Guest) -> None:
    await guest.sign_in("alice")
    own = {"Origin": guest.address, "Sec-Fetch-Site": "same-origin"}
    assert (await guest.post("/sign-out", headers=own)).to == "/sign-in"


async def test_signing_in_needs_a_form_of_ours_too(guest: Guest) -> None:
    fields = {"email": "alice@example.com", "password": PASSWORD}
    assert (await guest.post("/sign-in", fields, token="")).code == "FORM_NOT_OURS"


async def test_a_token_ends_with_its_session(guest: Guest) -> None:
    await guest.sign_in("alice")
    old = (await guest.get("/you")).token
    await guest.post("/sign-out")
    await guest.sign_in("alice")
    assert (await guest.post("/you/sessions/end", token=old)).code == "FORM_NOT_OURS"


async def test_reading_a_page_never_signs_anybody_out(guest: Guest) -> None:
    await guest.sign_in("alice")
    assert (await guest.get("/sign-out")).status == 404
    assert (await guest.get("/you")).status == 200


@pytest.mark.parametrize("value", ["a\0b", "x" * 70_000])
async def test_a_form_that_cannot_be_stored_is_refused(guest: Guest, value: str) -> None:
    await guest.get("/sign-in")
    seen = await guest.post("/sign-in", {"email": value, "password": "x"})
    assert seen.status in {400, 413}
    assert seen.code in {"VALIDATION_ERROR", "BODY_TOO_LARGE"}


async def test_what_was_typed_comes_back_escaped(guest: Guest) -> None:
    await guest.get("/sign-in")
    nasty = '"><script>alert(1)</script>{{7*7}}'
    seen = await guest.post("/sign-in", {"email": nasty, "password": "x"})
    assert seen.status == 401
    assert "<script>alert" not in seen.html
    assert "{{7*7}}" in seen.html
