"""Every form of every page: sent by others, and filled in by somebody who means harm."""

from __future__ import annotations

from urllib.parse import urlencode

import aiohttp
import pytest

from tests.cast import World
from tests.client import Client
from tests.console.scenery import set_the_scene
from tests.console.test_every_page import pages_of
from tests.hostile.forms import Form, found_in
from tests.hostile.texts import HOSTILE_TEXTS
from tests.pages.guest import Guest, visiting
from tests.pages.test_policy import address
from tokportal_server.entry.pages import ALL_PAGES
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.policy import POLICY

FORMS = [page for page in ALL_PAGES if page.method == "POST"]
WHO = {"operator": "olga", "manager": "mona"}
ELSEWHERE: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example"},
    "a frame of nobody's": {"Origin": "null"},
    "a site beside ours": {"Sec-Fetch-Site": "same-site"},
    "across sites": {"Sec-Fetch-Site": "cross-site"},
    "an origin that is none": {"Origin": "http://["},
    "our name as a part": {"Origin": "https://{host}.evil.example"},
    "our name as a user": {"Origin": "https://{host}@evil.example"},
}


def who_may(name: str) -> str:
    """Give somebody of the cast who may send a form."""
    return next((WHO[role] for role in POLICY[name] if role in WHO), "alice")


async def test_no_form_is_taken_from_elsewhere_or_without_its_token(
    guest: Guest, conn: Connection, world: World
) -> None:
    told: dict[tuple[str, str], object] = {}
    people = {who: visiting(guest.address) for who in ("alice", "mona", "olga")}
    for who, coming in people.items():
        async with coming as person:
            await person.sign_in(who)
            before = await fingerprint(conn)
            for page in FORMS:
                if who_may(page.name) == who:
                    told |= await _sent_wrongly(person, page.name, address(page, world.acme))
            assert await fingerprint(conn) == before, who
    assert told == {}
    assert len(FORMS) > 80


async def _sent_wrongly(person: Guest, name: str, where: str) -> dict[tuple[str, str], object]:
    """Send a form in all wrong ways; give those that were not refused as such."""
    told: dict[tuple[str, str], object] = {}
    host = person.address.removeprefix("http://")
    for way, headers in ELSEWHERE.items():
        sent = {key: value.format(host=host) for key, value in headers.items()}
        seen = await person.post(where, headers=sent)
        if seen.code not in {"FORM_NOT_OURS", "UNSUPPORTED_CONTENT_TYPE"}:
            told[name, way] = (seen.status, seen.code)
    for token in ("", "0" * 64):
        seen = await person.post(where, token=token)
        if seen.code not in {"FORM_NOT_OURS", "UNSUPPORTED_CONTENT_TYPE"}:
            told[name, f"token {token!r}"] = (seen.status, seen.code)
    return told


async def fingerprint(conn: Connection) -> dict[str, int]:
    """Count what could have been written, but for logs and what signing in leaves behind."""
    left_out = {"person_sessions", "buckets", "api_requests", "audit", "second_factor_steps"}
    tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    counts = {}
    for row in tables:
        name = row["tablename"]
        if name not in left_out and not name.startswith("api_requests"):
            counts[name] = await conn.fetchval(f"SELECT count(*) FROM {name}")
    return counts


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data", ""])
async def test_a_form_is_taken_as_a_form_alone(guest: Guest, kind: str) -> None:
    """What a page of another site can send without asking first is no form of ours."""
    await guest.sign_in("alice")
    cookie = {"Cookie": f"tokportal_session={guest.cookie()}", "Content-Type": kind}
    async with aiohttp.ClientSession() as http:
        body = b'{"form_token": "x"}'
        async with http.post(guest.address + "/sign-out", data=body, headers=cookie) as answer:
            assert answer.status == 415
    assert (await guest.get("/you")).status == 200


async def forms_of(guest: Guest, who: str) -> dict[tuple[str, str], Form]:
    """Give every form that somebody's pages have, by method and address."""
    found, _ = await pages_of(guest, who)
    forms: dict[tuple[str, str], Form] = {}
    for addresses in found.values():
        for at in addresses:
            for form in found_in((await guest.get(at)).html, at).forms:
                forms.setdefault((form.method, form.action.partition("?")[0]), form)
    return forms


# What ends the session, or stops everybody's writing, comes in other tests.
ENDING = ("/sign-out", "/you/sessions", "/password", "/sign-in", "/admin/maintenance")
# So that a form of twenty fields is not refused for its length alone.
LONGEST = 2_500


@pytest.mark.parametrize("who", ["alice", "mona", "olga"])
async def test_nothing_that_is_written_into_a_form_breaks_it(
    alice: Client, conn: Connection, world: World, ports: Ports, who: str
) -> None:
    await set_the_scene(alice, conn, world, ports)
    told = {}
    async with visiting(alice.address) as guest:
        forms = await forms_of(guest, who)
        for (method, where), form in forms.items():
            if where.startswith(ENDING):
                continue
            for text in (one[:LONGEST] for one in HOSTILE_TEXTS):
                broken = await _filled_in(guest, method, where, form, text)
                if broken:
                    told[method, where, text[:30]] = broken
    assert told == {}
    assert len(forms) > 5


async def _filled_in(guest: Guest, method: str, where: str, form: Form, text: str) -> object | None:
    """Put a text into every field of a form and send it; give what came, if that is no answer."""
    fields = {name: text for name in form.fields if name != "form_token"}
    if method == "GET":
        seen = await guest.get(f"{where}?{urlencode(fields, errors='surrogatepass')}")
    elif form.is_multipart:
        fields.pop("file", None)
        seen = await guest.send_file(where, text.encode("utf-8", "surrogatepass"), fields)
    else:
        seen = await guest.post(where, fields)
    escaped = "<img src=x" not in seen.html and "<script>alert" not in seen.html
    # A form that was forged, or a session that ended, would only seem to be refused well.
    reached = seen.code != "FORM_NOT_OURS" and not (
        seen.status == 303 and seen.to.startswith("/sign-in")
    )
    return None if seen.status < 500 and escaped and reached else (seen.status, seen.text[:200])
