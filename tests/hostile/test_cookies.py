"""The cookie of a session: what a browser keeps of it, and what others can slip in."""

from __future__ import annotations

import aiohttp
import msgspec
import pytest

from tests.cast import World
from tests.conftest import serving
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings
from tokportal_server.pages.forms import cookies_of, form_token

PREFIXED = "__Host-tokportal"


async def test_over_https_the_cookie_belongs_to_this_host_alone(
    settings: Settings, world: World, conn: Connection
) -> None:
    await give_passwords(conn, world.alice)
    secure = msgspec.structs.replace(settings, public_url="https://tok.example")
    async with (
        serving(secure) as address,
        aiohttp.ClientSession() as http,
        http.get(f"{address}/sign-in") as answer,
    ):
        name, _, rest = answer.headers["Set-Cookie"].partition("=")
    parts = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == PREFIXED
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)


@pytest.mark.parametrize(
    "before", [b"\xa0", b"\x85", b"\x1c", b"\x0b", b"\x0c", b"\xc2\xa0", b"\xe2\x80\x80", b"\0"]
)
def test_a_name_that_only_looks_like_ours_is_another_cookie(before: bytes) -> None:
    """A site beside ours may set any name that does not begin with the prefix."""
    slipped_in = before + PREFIXED.encode() + b"=theirs"
    assert PREFIXED not in cookies_of({b"cookie": slipped_in})
    assert (
        cookies_of({b"cookie": b"a=b; " + slipped_in + b"; __Host-tokportal=ours"})[PREFIXED]
        == "ours"
    )


@pytest.mark.parametrize(
    "header",
    [
        b"__host-tokportal=theirs",
        b"__Host-tokportal =theirs",
        b'"__Host-tokportal"=theirs',
        b"$Version=1; __Host-tokportal2=theirs",
        b"x=__Host-tokportal=theirs",
        b"=__Host-tokportal=theirs",
        b'a="; __Host-tokportal=theirs"'.replace(b";", b"%3B"),
        b";;;;",
        b"",
        b"\xff\xfe\xfd",
    ],
)
def test_nothing_but_the_exact_name_is_our_cookie(header: bytes) -> None:
    assert PREFIXED not in cookies_of({b"cookie": header})


def test_of_two_cookies_with_our_name_the_first_counts() -> None:
    """Browsers send the one with the longer path first; with the prefix there is only one."""
    assert cookies_of({b"cookie": b"a=1; a=2"}) == {"a": "1"}


async def test_a_session_that_somebody_else_chose_is_not_signed_in(
    guest: Guest, conn: Connection
) -> None:
    """Fixation: the attacker's value stands in the victim's browser before they sign in."""
    chosen = "chosen-by-somebody-else"
    fields = {"email": "alice@example.com", "password": "correct horse battery"}
    cookie = {"Cookie": f"tokportal_session={chosen}"}
    async with aiohttp.ClientSession() as http:
        form = fields | {"form_token": form_token(chosen)}
        async with http.post(
            f"{guest.address}/sign-in", data=form, headers=cookie, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            given = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        assert given != chosen
        async with http.get(
            f"{guest.address}/you", headers=cookie, allow_redirects=False
        ) as answer:
            assert answer.status == 303
    assert await conn.fetchval("SELECT count(*) FROM person_sessions") == 1


async def test_a_head_full_of_cookies_breaks_nothing(guest: Guest) -> None:
    await guest.sign_in("alice")
    own = f"tokportal_session={guest.cookie()}"
    for filling in ("; ".join(f"c{n}={'x' * 50}" for n in range(300)), "y=" + "x" * 30_000):
        async with aiohttp.ClientSession() as http:
            for header in (f"{filling}; {own}", f"{own}; {filling}"):
                async with http.get(
                    f"{guest.address}/you", headers={"Cookie": header}, allow_redirects=False
                ) as answer:
                    assert answer.status in {200, 431}
    assert (await guest.get("/you")).status == 200


@pytest.mark.parametrize("secret", ["\xa0", "a" * 20_000, "%00", "'; --", "\u00e9", ""])
async def test_a_cookie_of_any_content_is_nobody(guest: Guest, secret: str) -> None:
    async with aiohttp.ClientSession() as http:
        headers = {"Cookie": f"tokportal_session={secret}"}
        async with http.get(
            f"{guest.address}/you", headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status in {303, 431}


async def test_signing_out_takes_the_cookie_back(guest: Guest) -> None:
    await guest.sign_in("alice")
    left = (await guest.post("/sign-out")).headers["set-cookie"]
    assert "tokportal_session=;" in left
    assert "Max-Age=0" in left
    async with visiting(guest.address) as somebody:
        assert (await somebody.get("/you")).status == 303
