"""What a request says about itself: its host, where it comes from, what a browser may do."""

from __future__ import annotations

import json
import re

import aiohttp
import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.console.scenery import set_the_scene
from tests.console.test_every_page import pages_of
from tests.hostile.wire import Api, said
from tests.http.examples import built, perform
from tests.http.seed import Seed
from tests.pages.guest import Guest, give_passwords, visiting
from tests.pages.postbox import postbox, words
from tests.pages.test_mails import run_jobs
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings

EVIL = "evil.example"
LIES = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Server": EVIL,
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "X-Host": EVIL,
    "Forwarded": f"for=198.51.100.7;host={EVIL};proto=https",
    "X-Real-IP": "198.51.100.7",
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
}


async def test_no_page_repeats_the_host_that_a_request_made_up(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    repeated = []
    async with visiting(alice.address) as guest:
        pages, _ = await pages_of(guest, "alice")
        for at in [one for several in pages.values() for one in several]:
            seen = await guest.get(at, **LIES)
            if EVIL in seen.html or EVIL in str(seen.headers):
                repeated.append(at)
    assert repeated == []


async def test_a_mail_leads_to_the_address_that_the_operator_set(
    settings: Settings, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    async with postbox() as box:
        mailing = msgspec.structs.replace(
            settings,
            public_url="https://tok.example",
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_security="none",
            mail_from="tok@tok.example",
        )
        async with serving(mailing) as address, aiohttp.ClientSession() as http:
            async with http.get(f"{address}/password/lost", headers=LIES) as blank:
                token = re.findall(r'form_token" value="([0-9a-f]+)"', await blank.text())[0]
                # The cookie is for https alone, and so is not sent back by itself.
                secret = blank.headers["Set-Cookie"].partition(";")[0]
            form = {"form_token": token, "email": "alice@example.com"}
            asked = http.post(
                f"{address}/password/lost", data=form, headers=LIES | {"Cookie": secret}
            )
            async with asked as answer:
                assert answer.status == 200
        async with open_ports(mailing) as ports:
            await run_jobs(ports)
        [mail] = box.mails
    assert "https://tok.example/password" in words(mail)
    assert EVIL not in mail.as_string()


async def test_an_answer_of_the_api_names_the_address_that_the_operator_set(
    alice: Client, seed: Seed
) -> None:
    for name, op in built().items():
        if op.method == "GET" or name.startswith("upload"):
            lies = {key: value for key, value in LIES.items() if key != "Host"}
            reply = await perform(alice, op, seed, headers=lies)
            assert EVIL.encode() not in reply.body, name
            assert reply.status != 405, name


async def test_what_a_client_says_of_its_address_counts_for_proxies_of_ours_alone(
    guest: Guest, conn: Connection
) -> None:
    await guest.get("/sign-in")
    fields = {"email": "alice@example.com", "password": "correct horse battery"}
    await guest.post("/sign-in", fields, headers={"X-Forwarded-For": "198.51.100.7"})
    assert await conn.fetchval("SELECT address FROM person_sessions") == "127.0.0.1"


@pytest.mark.parametrize(
    "following",
    [
        f"https://{EVIL}/",
        f"//{EVIL}/",
        f"/\\{EVIL}/",
        f"\\\\{EVIL}",
        f"/\t/{EVIL}",
        f"/%09/{EVIL}",
        f"https:{EVIL}",
        f"javascript:alert('{EVIL}')",
        f"/x\r\nLocation: https://{EVIL}",
        f"/x\nSet-Cookie: a={EVIL}",
        f" //{EVIL}",
        f"///{EVIL}",
        f"/;@{EVIL}",
        f"@{EVIL}",
        f"/.{EVIL}",
        f"\u2215\u2215{EVIL}",
        f"/\u0000/{EVIL}",
    ],
)
async def test_nobody_is_led_to_another_site(guest: Guest, following: str) -> None:
    await guest.get("/sign-in")
    seen = await guest.post(
        "/sign-in",
        {
            "email": "alice@example.com",
            "password": "correct horse battery",
            "next": following,
        },
    )
    if seen.status == 400:
        return
    # As a browser reads it: one slash, no other, begins a path of this server.
    assert re.match(r"/(?![/\\])", seen.to), seen.to
    assert "Location" not in seen.to
    assert "a=" not in str(seen.headers.get("set-cookie"))


async def test_every_page_says_that_it_is_not_to_be_framed_kept_or_guessed_at(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    wrong = []
    for who in ("alice", "mona", "olga"):
        async with visiting(alice.address) as guest:
            pages, _ = await pages_of(guest, who)
            for at in [one for several in pages.values() for one in several]:
                headers = (await guest.get(at)).headers
                policy = headers["content-security-policy"]
                if not (
                    "frame-ancestors 'none'" in policy
                    and "'unsafe" not in policy
                    and "default-src 'none'" in policy
                    and headers["x-frame-options"] == "DENY"
                    and headers["x-content-type-options"] == "nosniff"
                    and headers["cache-control"] == "no-store"
                    and headers["referrer-policy"] == "same-origin"
                ):
                    wrong.append(at)
    assert wrong == []


async def test_no_cache_keeps_an_answer_of_the_api(alice: Client, seed: Seed) -> None:
    """Shared caches know Authorization, but not X-API-Key."""
    kept = {}
    for name, op in built().items():
        reply = await perform(alice, op, seed, headers={"X-TokPortal-Dry-Run": "true"})
        if reply.headers.get("Cache-Control") != "no-store":
            kept[name] = reply.headers.get("Cache-Control")
    assert kept == {}
    refused = await alice.get("/nowhere")
    assert refused.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("origin", [f"https://{EVIL}", "null", "http://localhost", ""])
@pytest.mark.parametrize("path", ["/api/ext/me", "/console", "/sign-in", "/media/x", "/mcp"])
async def test_no_site_is_given_what_a_persons_cookie_opens(
    guest: Guest, origin: str, path: str
) -> None:
    """Any site may call the API with a key; none is shown an answer that needed the cookie."""
    await guest.sign_in("alice")
    for method in ("GET", "OPTIONS"):
        async with aiohttp.ClientSession() as http:
            sent = {"Origin": origin, "Cookie": f"tokportal_session={guest.cookie()}"}
            sent |= {"Access-Control-Request-Method": "POST"}
            async with http.request(
                method, guest.address + path, headers=sent, allow_redirects=False
            ) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == "*"
                assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_two_heads_that_contradict_each_other_are_no_live_call(
    alice: Client, conn: Connection, world: World
) -> None:
    before = await conn.fetchval("SELECT count(*) FROM bundles")
    body = json.dumps({"bundle_type": "account_only", "country": "USA"})
    for values in (("true", "false"), ("false", "true"), ("true", "true")):
        async with aiohttp.ClientSession() as http:
            headers = [("X-TokPortal-Dry-Run", value) for value in values]
            headers += [("X-API-Key", world.alice_key), ("Content-Type", "application/json")]
            async with http.post(
                f"{alice.address}/api/ext/bundles", data=body, headers=headers
            ) as answer:
                assert answer.status == 400
    assert await conn.fetchval("SELECT count(*) FROM bundles") == before


async def test_a_host_that_is_none_breaks_no_form(api: Api) -> None:
    for origin in (b"http://[", b"http://[::1", b"\xff\xfe", b"http://\xbd/", b""):
        sent = (
            b"POST /sign-in HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nContent-Length: 0\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" % origin
        )
        answers = await said(api, sent)
        assert answers[0].status in {400, 403}, origin
