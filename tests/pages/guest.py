"""A person at the pages, without a browser: keeps cookies, follows links, sends forms."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from uuid import UUID

import aiohttp

from tokportal_server.lib.crypto import hash_password
from tokportal_server.lib.db import Connection

PASSWORD = "correct horse battery"
SET_PASSWORD = "UPDATE people SET password_hash = $2 WHERE id = $1"
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Seen:
    """A page as it came."""

    status: int
    headers: Mapping[str, str]
    html: str

    @property
    def text(self) -> str:
        """What there is to read, without tags and breaks."""
        return " ".join(unescape(_TAG.sub(" ", self.html)).split())

    @property
    def token(self) -> str:
        """The token of the page's forms."""
        found = _TOKEN.search(self.html)
        return found.group(1) if found else ""

    @property
    def code(self) -> str | None:
        """The code of an error's page."""
        found = re.search(r'data-code="(\w+)"', self.html)
        return found.group(1) if found else None

    @property
    def to(self) -> str:
        """Where a redirect leads."""
        assert self.status == 303, (self.status, self.text)
        return self.headers["location"]


class Guest:
    """Somebody with a browser of their own."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self.address = address
        self._http = http
        self._token = ""

    async def get(self, path: str, **headers: str) -> Seen:
        """Open a page, and remember the token of its forms."""
        return await self._ask("GET", path, headers=headers)

    async def head(self, path: str) -> Seen:
        """Ask for a page's head alone."""
        return await self._ask("HEAD", path)

    async def download(self, path: str) -> tuple[bytes, Mapping[str, str]]:
        """Keep a file; give its bytes and the headers that it came with."""
        async with self._http.get(self.address + path, allow_redirects=False) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read(), answer.headers

    @asynccontextmanager
    async def listening(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Listen to a stream of events, which has begun."""
        async with self._http.get(self.address + path) as answer:
            assert answer.content_type == "text/event-stream", answer.status
            yield answer.content

    async def hear(self, path: str, *, until: str) -> str:
        """Listen to a stream of events until it says something; give all that it said."""
        told = ""
        async with self.listening(path) as stream:
            while until not in told:
                told += (await stream.readany()).decode()
        return told

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """Send a form with the last token seen, or another."""
        form = {"form_token": self._token if token is None else token, **(fields or {})}
        return await self._ask("POST", path, form=form, headers=headers)

    async def send_file(
        self,
        path: str,
        content: bytes,
        fields: Mapping[str, str] | None = None,
        *,
        name: str = "a",
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """Send a form with a file, with the last token seen."""
        form = aiohttp.FormData({"form_token": self._token, **(fields or {})})
        form.add_field("file", io.BytesIO(content), filename=name)
        return await self._ask("POST", path, form=form, headers=headers)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | aiohttp.FormData | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        async with self._http.request(
            method, self.address + path, data=form, headers=headers, allow_redirects=False
        ) as answer:
            # A stream of events ends when one of us leaves; its first words are enough.
            endless = answer.content_type == "text/event-stream"
            body = await (answer.content.readany() if endless else answer.read())
            seen = Seen(answer.status, answer.headers, body.decode(errors="replace"))
        self._token = seen.token or self._token
        return seen

    async def sign_in(self, name: str, password: str = PASSWORD) -> Seen:
        """Sign in as one of the cast; give the answer."""
        await self.get("/sign-in")
        answer = await self.post("/sign-in", {"email": f"{name}@example.com", "password": password})
        if answer.status == 303:
            await self.get("/you")
        return answer

    def cookie(self) -> str:
        """The value of the session's cookie."""
        return next(one.value for one in self._http.cookie_jar if one.key == "tokportal_session")


@asynccontextmanager
async def visiting(address: str) -> AsyncIterator[Guest]:
    """Give somebody who is not signed in."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        yield Guest(address, http)


async def give_passwords(conn: Connection, *people: UUID) -> None:
    """Let people of the cast sign in."""
    hashed = await hash_password(PASSWORD)
    for person in people:
        await conn.execute(SET_PASSWORD, person, hashed)
