"""Pages that ask for no key and no session, filled in by anybody."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import aiohttp

from tests.hostile.texts import HOSTILE_TEXTS, MARKUP

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODIES = [
    *(text.encode("utf-8", "surrogatepass") for text in HOSTILE_TEXTS),
    b"\xff\xfe\x00",
    b"\xed\xa0\x80",
    b"[" * 50_000,
    b'{"a":' * 20_000,
    b'{"data": {}, "n": ' + b"9" * 5000 + b"}",
]


async def test_the_page_that_verifies_signatures_judges_anything(server: str) -> None:
    told = {}
    async with aiohttp.ClientSession() as http:
        for body in BODIES:
            for field in ("signature", "body", "secret", "at"):
                others = "&signature=t=1,v1=" + "0" * 64 if field != "signature" else ""
                sent = f"{field}={quote_from_bytes(body)}{others}"
                async with http.post(
                    f"{server}/docs/webhooks/verify", data=sent, headers=FORM
                ) as answer:
                    html = await answer.text()
                    if answer.status != 200 or "<img src=x" in html:
                        told[field, body[:20]] = answer.status
    assert told == {}


async def test_no_query_breaks_a_public_page(server: str) -> None:
    told = {}
    async with aiohttp.ClientSession() as http:
        for path in ("/docs", "/docs/search", "/sign-in", "/password", "/invitation", "/media/x"):
            for text in (*HOSTILE_TEXTS[:20], "%00", "\ud800".encode("utf-8", "replace").decode()):
                async with http.get(
                    f"{server}{path}",
                    params={"q": text, "next": text, "link": text, "since": text},
                    allow_redirects=False,
                ) as answer:
                    html = await answer.text()
                    if answer.status >= 500 or MARKUP in html:
                        told[path, text[:20]] = answer.status
    assert told == {}
