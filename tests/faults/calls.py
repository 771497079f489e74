"""Calls of a customer who does not give up: the same call again, at any server, until answered."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from tests.faults.promises import Answer, Promises
from tests.uploads.forms import form

# Nobody waits longer for one answer; a frozen server gives none.
_PATIENCE: Final = 20.0
# What the server says when it asks for the same call again.
_AGAIN: Final = frozenset({"SERVICE_UNAVAILABLE", "IDEMPOTENCY_IN_PROGRESS", "CLOCK_MOVING"})
_PAUSE: Final = 0.2


class GaveUpError(Exception):
    """A call was not answered before the end of everything."""


class RefusedError(Exception):
    """A call was refused that ought to succeed; it is written down as broken."""


@dataclass(frozen=True)
class Call:
    """A request that can be sent again as it is; ``file`` makes it a form with that file."""

    method: str
    path: str
    key: str | None = None
    json: Any = None
    file: bytes | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Caller:
    """Makes the calls of one customer and writes down what is answered."""

    def __init__(
        self, addresses: Sequence[str], api_key: str, promises: Promises, chance: random.Random
    ) -> None:
        self._addresses = addresses
        self._chance = chance
        self.promises = promises
        self.give_up_at = float("inf")
        self._session = aiohttp.ClientSession(
            headers={"X-API-Key": api_key}, timeout=aiohttp.ClientTimeout(total=_PATIENCE)
        )

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def once(self, call: Call) -> Answer | None:
        """Send a call to any server; None if there was no answer."""
        body: bytes | None = None
        headers: dict[str, str] = {}
        if call.file is not None:
            body, headers = form(call.file, dict(call.fields))
        if call.key is not None:
            headers["Idempotency-Key"] = call.key
        address = self._chance.choice(self._addresses)
        try:
            async with self._session.request(
                call.method, f"{address}{call.path}", json=call.json, data=body, headers=headers
            ) as reply:
                answer = Answer(
                    reply.status, await reply.read(), "Idempotent-Replayed" in reply.headers
                )
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.promises.tally["no answer"] += 1
            return None
        self.promises.tally[f"{answer.status}"] += 1
        return answer

    async def until_answered(self, call: Call, wanted: Collection[int] = (200, 201)) -> Answer:
        """Send a call again until it is answered for good.

        Any other status than those wanted is written down as broken; one that says that the server
        failed is asked again all the same.

        Raises:
            RefusedError: it was refused.
            GaveUpError: there was no answer before the end of everything.
        """
        while time.monotonic() < self.give_up_at:
            answer = await self.once(call)
            if answer is not None and answer.status in wanted:
                self.promises.keep(call.key, str(call), answer)
                return answer
            if answer is not None and answer.code not in _AGAIN:
                self.promises.broken.append(f"{call} was answered {answer.status} {answer.code}")
                self.promises.tally[f"unexpected {answer.status} {answer.code}"] += 1
                if answer.status < 500:
                    raise RefusedError(str(call))
            await asyncio.sleep(_PAUSE * (1 + self._chance.random()))
        raise GaveUpError(str(call))
