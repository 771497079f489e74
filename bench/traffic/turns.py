"""Calls of a load run: made, timed, judged, and tallied."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from traffic.cast import Cast, Customer
from traffic.tally import Group, Tally

# As long as an answer may take before it is an error.
_PATIENCE: Final = aiohttp.ClientTimeout(total=60)
_ATTEMPTS: Final = 5


class StrangeAnswerError(Exception):
    """A call gave something else than what was meant to come; it has been tallied."""


class Turn:
    """One arrival, and the calls that it makes.

    The first call is timed from when it was due, so that it counts as late if the calls before it,
    or whoever makes them, held it up.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        cast: Cast,
        tally: Tally,
        zero: float,
        due: float,
        number: int,
    ) -> None:
        self._session = session
        self._tally = tally
        self._zero = zero
        self._due: float | None = due
        self.cast = cast
        # Of this arrival among all, so that what it sends is its own.
        self.number = number

    async def api(
        self,
        group: Group,
        kind: str,
        who: Customer,
        method: str,
        path: str,
        *,
        meant: tuple[int, ...] = (200,),
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> tuple[int, Any]:
        """Call the API; give status and document.

        Raises:
            StrangeAnswerError: another status came than one that was meant, or none.
        """
        given = {"X-API-Key": who.key if key is None else key, **(headers or {})}
        place = path if path.startswith("/api/") else f"/api/ext{path}"
        status, text = await self._make(
            self._session, group, kind, method, place, meant=meant, headers=given, **body
        )
        return status, json.loads(text)

    async def page(self, kind: str, email: str, path: str) -> str:
        """Open a page as somebody who is signed in.

        Raises:
            StrangeAnswerError: as above.
        """
        browser = self.cast.browsers[email]
        _, text = await self._make(browser, "page", kind, "GET", path, meant=(200,))
        if "</html>" not in text:
            self._tally.fail(kind, 0.0, f"no whole page: {text[-100:]}")
        return text

    async def submit(self, kind: str, email: str, path: str, fields: dict[str, str]) -> None:
        """Send a page's form as somebody who is signed in; what is done leads to another page.

        Raises:
            StrangeAnswerError: as above; a refusal is the form again.
        """
        browser = self.cast.browsers[email]
        await self._make(browser, "page", kind, "POST", path, meant=(303,), data=fields)

    async def _make(
        self,
        session: aiohttp.ClientSession,
        group: Group,
        kind: str,
        method: str,
        path: str,
        *,
        meant: tuple[int, ...],
        **more: Any,
    ) -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        began, self._due = loop.time() if self._due is None else self._due, None
        since = began - self._zero
        try:
            status, text = await self._ask(session, method, path, **more)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._tally.fail(kind, since, f"{method} {path}: {error!r}")
            raise StrangeAnswerError(kind) from error
        if status not in meant:
            self._tally.fail(kind, since, f"{method} {path}: {status} {text}")
            raise StrangeAnswerError(kind)
        self._tally.take(group, kind, since, loop.time() - began)
        if group == "refusal":
            self._tally.refused[kind] += 1
        return status, text

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, **more: Any
    ) -> tuple[int, str]:
        """Ask, and ask again where the answer says that it may be in a moment, as clients do."""
        for _ in range(_ATTEMPTS):
            # A form with a file is made anew for each attempt: it is spent by being sent.
            form = {"data": more["data"]()} if callable(more.get("data")) else {}
            async with session.request(
                method, path, timeout=_PATIENCE, allow_redirects=False, **(more | form)
            ) as answer:
                text, again = await answer.text(), answer.headers.get("Retry-After")
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or again is None:
                break
            self._tally.put_off += 1
            await asyncio.sleep(float(again))
        return answer.status, text
