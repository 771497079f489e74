"""The PostgreSQL pool: one connection at a time per request, refused rather than queued for ever.

A handler that took a second connection while holding one could starve the pool (16 handlers, a pool
of 8: none finishes), so connections are passed down and never taken twice.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import msgspec
from asyncpg.connection import LoggedQuery
from prometheus_client import Counter, Histogram

from tokportal_server.lib import tracing
from tokportal_server.lib.errors import ApiError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

WAITS = Histogram(
    "tokportal_database_wait_seconds",
    "Time for a database connection, where none lay idle.",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)
REFUSALS = Counter(
    "tokportal_database_refusals",
    "Times that there was no connection: all were busy, or the database was away.",
    ["reason"],
)

# What a statement raises when the server is away, going away, full, or gave this one up.
UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    # What a statement gets between the server's farewell and the end of the connection.
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # Full: of connections, of memory, or its disk.
    asyncpg.InsufficientResourcesError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    ConnectionError,
)
REVISION = "SELECT version_num FROM alembic_version"
CONNECT_SECONDS = 2.0
# At a start nobody waits for an answer yet: a busy machine gets more time than a request would.
_OPENINGS = 3
# A connection that only a burst needed is not kept: each holds about 16 MiB in PostgreSQL once its
# caches are full. The pool lends the one that was given back last, so the others fall idle.
_IDLE_SECONDS = 30.0
# Connecting can fail in more ways: a closing pool, a socket that is not there.
_CANNOT_CONNECT = (*UNAVAILABLE, asyncpg.InterfaceError, FileNotFoundError)


class ServiceUnavailableError(ApiError):
    """The database is away, every connection is busy, or there is maintenance: nothing was done."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    remedy = (
        "Nobody: send the same request again after `Retry-After`. If it lasts, tell the operator."
    )


def unavailable(reason: str) -> ServiceUnavailableError:
    """Give the 503 that tells the caller when to come back."""
    return ServiceUnavailableError(
        f"The server cannot answer right now ({reason}). Nothing was changed: send the same request"
        " again in a moment.",
        retry_after=2,
    )


class OutcomeUnknownError(ServiceUnavailableError):
    """The database was lost while a change was made final: it was made, or it was not."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    remedy = (
        "You: send the same request again with the same `Idempotency-Key`. If it had none, look"
        " first whether it was done."
    )


def outcome_unknown() -> OutcomeUnknownError:
    """Give the 503 for a commit that nobody confirmed."""
    return OutcomeUnknownError(
        "The database was lost while your change was being made final, so it may have been made or"
        " not. Send the same request again with the same Idempotency-Key: it is done once. If it"
        " had no key, look first whether it was done.",
        details={"outcome": "unknown"},
        retry_after=2,
    )


def existing(row: asyncpg.Record | None) -> asyncpg.Record:
    """Give a row that must be there.

    Raises:
        LookupError: it is not, which a foreign key or a lock should have ruled out.
    """
    if row is None:
        raise LookupError("a row that must exist does not")
    return row


async def prepare_connection(connection: Connection) -> None:
    """Teach a new connection that ``json`` and ``jsonb`` columns are Python values."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )


def _note_statement(query: LoggedQuery) -> None:
    tracing.note_statement(query.query, query.elapsed, query.exception)


async def _prepare_pooled(connection: Connection) -> None:
    await prepare_connection(connection)
    if tracing.is_on():
        connection.add_query_logger(_note_statement)


async def _keep_session_state(_: Connection) -> None:
    # asyncpg would send a round trip of RESETs at every release. Nothing here changes a session's
    # state (locks and settings are the transaction's), so there is nothing to reset.
    return


def is_lost(connection: Connection) -> bool:
    """Say whether a lent connection has ended."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken it back before its borrower returned it, which it does at its end.
        return True


class Database:
    """A pool of connections. Use :meth:`open`, and :meth:`close` at the end."""

    def __init__(
        self,
        pool: Pool,
        *,
        acquire_seconds: float = CONNECT_SECONDS,
        connect: Callable[[], Awaitable[Connection]] = asyncpg.connect,
    ) -> None:
        self._pool = pool
        self._acquire_seconds = acquire_seconds
        self._connect = connect
        self._lending = _Lending()

    @classmethod
    async def open(cls, dsn: str, *, size: int, pooler: str = "none") -> Database:
        """Connect to ``dsn``. ``pooler="transaction"`` is for PgBouncer in transaction mode."""
        # A connection that must be made first has no more time than one that must be waited for.
        options: dict[str, Any] = {"timeout": CONNECT_SECONDS}
        if pooler == "transaction":
            options["statement_cache_size"] = 0
        else:
            options["server_settings"] = {
                "application_name": "tokportal-server",
                "statement_timeout": "30000",
                "idle_in_transaction_session_timeout": "60000",
                "timezone": "UTC",
            }
        make_pool = partial(
            asyncpg.create_pool,
            dsn,
            min_size=min(2, size),
            max_size=size,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            init=_prepare_pooled,
            reset=_keep_session_state,
            **options,
        )
        for opening in range(1, _OPENINGS + 1):
            try:
                pool = await make_pool()
                break
            except TimeoutError:
                if opening == _OPENINGS:
                    raise
        return cls(pool, connect=partial(asyncpg.connect, dsn, **options))

    async def connect_aside(self) -> Connection:
        """Open a connection outside the pool, for a thread with an event loop of its own.

        The caller closes it. Whatever connecting fails with is raised as it is.
        """
        return await self._connect()

    async def close(self) -> None:
        """Close every connection, waiting for those in use."""
        await self._pool.close()

    def connection(self) -> _Lent:
        """Lend one connection: ``async with database.connection() as conn``.

        Raises:
            ServiceUnavailableError: none was free within two seconds, the server is away, or the
                connection was lost.
        """
        return _Lent(self._pool, self._acquire_seconds, self._lending)

    @property
    def waiting(self) -> int:
        """How many wait for a connection right now."""
        return self._lending.waiting

    def connections(self) -> dict[str, int]:
        """Give how many connections are used, idle, and not opened yet."""
        opened, idle = self._pool.get_size(), self._pool.get_idle_size()
        unopened = self._pool.get_max_size() - opened
        return {"used": opened - idle, "idle": idle, "unopened": unopened}


@dataclass(slots=True)
class _Lending:
    """How many wait for a connection of one pool."""

    waiting: int = 0


class _Lent:
    """One connection, from the pool and back; a class, because every request passes here."""

    __slots__ = ("_connection", "_lending", "_patience", "_pool")

    def __init__(self, pool: Pool, patience: float, lending: _Lending) -> None:
        self._pool = pool
        self._patience = patience
        self._lending = lending
        self._connection: PoolConnectionProxy[asyncpg.Record]

    async def __aenter__(self) -> Connection:
        try:
            # One that is idle comes at once, without the timer and the task of a wait.
            if self._pool.get_idle_size():
                self._connection = await self._pool.acquire()
            else:
                self._connection = await self._wait()
        except TimeoutError:
            REFUSALS.labels("busy").inc()
            raise unavailable("every database connection is busy") from None
        except _CANNOT_CONNECT:
            REFUSALS.labels("away").inc()
            raise unavailable("the database does not answer") from None
        return self._connection

    async def _wait(self) -> PoolConnectionProxy[asyncpg.Record]:
        began = time.perf_counter()
        self._lending.waiting += 1
        try:
            return await self._pool.acquire(timeout=self._patience)
        finally:
            self._lending.waiting -= 1
            WAITS.observe(time.perf_counter() - began)

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            # Also what a misuse of asyncpg raises, and that is a mistake of ours.
            if isinstance(error, asyncpg.InterfaceError) and is_lost(self._connection):
                raise unavailable("the database does not answer") from error
        finally:
            await self._pool.release(self._connection)
