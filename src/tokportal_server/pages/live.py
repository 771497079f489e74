"""Pages that update by themselves: one look at the database for all who listen in this process.

1. A page says how many events there were when it was made, and, while it is visible, listens to
   server-sent events of its place.
2. While anybody listens, one task asks every second how many events the listened workspaces have,
   and how many there are in all for those whose work is in many workspaces.
3. Whoever knows another number is told that something has moved, and nothing else: what it is the
   page learns by asking for itself again, under the policy of every page.

A stream ends after some minutes, and the browser begins another, for which the session is looked at
again; and it ends at once when the process shall.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from tokportal_server.lib.db import UNAVAILABLE, Connection, Database, ServiceUnavailableError
from tokportal_server.pages.errors import TooManyStreamsError
from tokportal_server.pages.texts import text

log = structlog.get_logger(__name__)

MOVED = "SELECT workspace_id, last FROM event_sequences WHERE workspace_id = ANY ($1)"
ALL_MOVED = "SELECT COALESCE(sum(last), 0)::bigint FROM event_sequences"

EVERYWHERE: Final = UUID(int=0)
# As many windows as somebody looks at side by side; a window that is hidden does not listen.
MOST_STREAMS: Final = 6
_LOOK_SECONDS: Final = 1.0
# Proxies close what is silent, often after a minute.
_BEAT_SECONDS: Final = 20.0
_STREAM_SECONDS: Final = 300.0


@dataclass(eq=False, slots=True)
class _Listener:
    """An open stream, and the number of events that its page knows of."""

    number: int | None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, number: int) -> None:
        if self.number is not None and self.number != number:
            self.moved.set()
        self.number = number


async def events_so_far(conn: Connection, topic: UUID) -> int:
    """Give how many events a workspace has, or all together for :data:`EVERYWHERE`."""
    return (await _count(conn, {topic})).get(topic, 0)


async def _count(conn: Connection, topics: set[UUID]) -> Mapping[UUID, int]:
    found = {}
    if workspaces := [topic for topic in topics if topic != EVERYWHERE]:
        found = {row["workspace_id"]: row["last"] for row in await conn.fetch(MOVED, workspaces)}
    if EVERYWHERE in topics:
        found[EVERYWHERE] = await conn.fetchval(ALL_MOVED)
    return found


class Live:
    """Who listens in this process, and the task that looks for them."""

    def __init__(
        self,
        database: Database,
        stopping: asyncio.Event,
        *,
        look_seconds: float = _LOOK_SECONDS,
        stream_seconds: float = _STREAM_SECONDS,
    ) -> None:
        self._database = database
        self._stopping = stopping
        self._look_seconds = look_seconds
        self._stream_seconds = stream_seconds
        self._listeners: dict[UUID, set[_Listener]] = {}
        self._of_person: Counter[UUID] = Counter()
        self._looking: asyncio.Task[None] | None = None

    def listen(self, person_id: UUID, topic: UUID, since: int | None) -> AsyncIterator[bytes]:
        """Give the stream of a person's page, which was made after ``since`` events.

        Raises:
            TooManyStreamsError: they have as many as one process keeps for them.
        """
        if self._of_person[person_id] >= MOST_STREAMS:
            raise TooManyStreamsError(text("live.too_many", n=MOST_STREAMS))
        return self._stream(person_id, topic, _Listener(since))

    async def _stream(
        self, person_id: UUID, topic: UUID, listener: _Listener
    ) -> AsyncIterator[bytes]:
        self._of_person[person_id] += 1
        self._listeners.setdefault(topic, set()).add(listener)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._keep_looking())
        try:
            # At once, so that the browser knows that it is heard; it comes back after five seconds.
            yield b"retry: 5000\n\n"
            async for message in _messages(listener.moved, self._stream_seconds):
                if self._stopping.is_set():
                    break
                yield message
        finally:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]
            self._of_person -= Counter({person_id: 1})

    async def _keep_looking(self) -> None:
        while self._listeners and not self._stopping.is_set():
            try:
                async with self._database.connection() as conn:
                    found = await _count(conn, set(self._listeners))
            except (*UNAVAILABLE, ServiceUnavailableError) as error:
                log.warning("live_waits_for_the_database", error=str(error))
                found = {}
            for topic, number in found.items():
                for listener in self._listeners.get(topic, ()):
                    listener.hear(number)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._look_seconds)
        for listener in itertools.chain(*self._listeners.values()):
            listener.moved.set()


async def _messages(moved: asyncio.Event, seconds: float) -> AsyncIterator[bytes]:
    """Give a message whenever something has moved, and a comment when nothing has for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(moved.wait(), min(left, _BEAT_SECONDS))
        if moved.is_set():
            moved.clear()
            yield b"event: moved\ndata:\n\n"
        else:
            yield b": still here\n\n"
