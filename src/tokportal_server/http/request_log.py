"""The API request log: what was asked with a workspace's keys, and how each request ended.

Lines are collected in memory and written in batches, outside the requests: an INSERT for each cost
a quarter of the throughput (measured). So a process that is killed takes its last second of lines
with it, and while the database is away the oldest lines are dropped first. Bodies are not kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from tokportal_server.http.admission import Caller
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import UNAVAILABLE, Connection, Database, ServiceUnavailableError
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.partitions import drop_months
from tokportal_server.lib.redaction import redact_text

log = structlog.get_logger(__name__)

REQUESTS_KEPT: Final = timedelta(days=30)
WRITE_LINES = """
INSERT INTO api_requests (workspace_id, request_id, api_key_id, operation, method, path, query,
                          status, error_code, error_message, duration_ms, dry_run, replayed,
                          idempotency_key, client, user_agent, address, recorded_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::integer[], $9::text[], $10::text[], $11::integer[],
                     $12::boolean[], $13::boolean[], $14::text[], $15::text[], $16::text[],
                     $17::text[], $18::timestamptz[])
"""
_EVERY_SECONDS: Final = 1.0
_MOST_WAITING: Final = 20_000
_BATCH: Final = 1000
_LONGEST: Final = 1000


class LoggedRequest(msgspec.Struct, frozen=True, gc=False):
    """One request, without its bodies; ``recorded_at`` is real time, ``replayed`` a stored answer.

    ``error_code`` and ``error_message`` are those of the answer; texts that look like secrets are
    taken out.
    """

    workspace_id: UUID
    request_id: str
    api_key_id: UUID
    operation: str
    method: str
    path: str
    query: str
    status: int
    error_code: str | None
    error_message: str | None
    duration_ms: int
    dry_run: bool
    replayed: bool
    idempotency_key: str | None
    client: str | None
    user_agent: str | None
    address: str | None
    recorded_at: datetime

    @classmethod
    def of(
        cls,
        scope: Mapping[str, Any],
        *,
        request_id: str,
        status: int,
        seconds: float,
        replayed: bool,
    ) -> LoggedRequest | None:
        """Read a request that was answered; None if nobody's key was known for it.

        ``request_id`` is as it may be shown: without what looks like a secret.
        """
        caller: Caller | None = scope.get("tokportal_caller")
        if caller is None:
            return None
        headers: dict[bytes, bytes] = dict(scope["headers"])
        refusal: ApiError | None = scope.get("tokportal_refusal")
        return cls(
            workspace_id=caller.workspace_id,
            request_id=request_id,
            api_key_id=caller.key_id,
            operation=scope["tokportal_operation"],
            method=_text(scope["method"]),
            path=_text(scope["path"]),
            query=_text(scope["query_string"].decode("latin-1")),
            status=status,
            error_code=refusal.code if refusal else None,
            error_message=_text(refusal.message) if refusal else None,
            duration_ms=round(seconds * 1000),
            dry_run=headers.get(b"x-tokportal-dry-run", b"").strip().lower() in (b"true", b"1"),
            replayed=replayed,
            idempotency_key=_header(headers, b"idempotency-key"),
            client=_header(headers, b"x-tokportal-client"),
            user_agent=_header(headers, b"user-agent"),
            address=caller.address,
            recorded_at=real_now(),
        )


_columns: Final = attrgetter(*LoggedRequest.__struct_fields__)


class RequestLog:
    """What this process has still to write; one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[LoggedRequest] = deque(maxlen=_MOST_WAITING)

    def note(self, line: LoggedRequest) -> None:
        """Take a line; nobody waits for it to be written."""
        self._waiting.append(line)

    async def write(self) -> int:
        """Write what waits, in batches; give how many lines those were."""
        written = 0
        while self._waiting:
            async with self._database.connection() as conn:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                try:
                    await conn.execute(WRITE_LINES, *zip(*map(_columns, batch), strict=True))
                except UNAVAILABLE:
                    self._waiting.extendleft(reversed(batch))
                    raise
            written += len(batch)
        return written

    async def keep_writing(self) -> None:
        """Write once a second, for ever; whatever fails, requests are answered as before."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self.write()
            except (*UNAVAILABLE, ServiceUnavailableError) as error:
                log.warning("request_log_waits_for_the_database", error=str(error))
            except Exception:
                log.exception("request_log_lost_lines")


@asynccontextmanager
async def request_log(database: Database) -> AsyncIterator[RequestLog]:
    """Give the log of this process; what waits at the end is written then."""
    kept = RequestLog(database)
    writing = asyncio.create_task(kept.keep_writing())
    try:
        yield kept
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        try:
            await kept.write()
        except (*UNAVAILABLE, ServiceUnavailableError) as error:
            log.warning("request_log_ends_unwritten", error=str(error))


async def purge_requests(conn: Connection) -> int:
    """Drop the months that have had their time; give how many there were."""
    return await drop_months(conn, "api_requests", REQUESTS_KEPT)


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    given = headers.get(name)
    return None if given is None else _text(given.decode("latin-1"))


# Methods, paths and programs come again and again; looking for secrets is most of a line's cost.
@lru_cache(maxsize=1024)
def _text(text: str) -> str:
    """Give a text as PostgreSQL can keep it, not too long, and without what looks like a secret."""
    storable = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return redact_text(storable[:_LONGEST])
