"""Short conversations with the server from synchronous code, through its socket only."""

from __future__ import annotations

import asyncio
import enum
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import asyncpg

from tokportal_server.lib.embedded.cluster import SUPERUSER
from tokportal_server.lib.embedded.error import EmbeddedPostgresError

if TYPE_CHECKING:
    from pathlib import Path

MAINTENANCE_DATABASE = "postgres"
_TIMEOUT_SECONDS = 5.0


class Answer(enum.Enum):
    """What the server says to a new connection."""

    READY = enum.auto()
    BUSY = enum.auto()  # starting, recovering or stopping
    NONE = enum.auto()


@dataclass(frozen=True)
class Endpoint:
    """Where and as whom to connect."""

    socket_dir: Path
    port: int
    password: str

    def dsn(self, database: str) -> str:
        """Give a connection string that libpq and asyncpg both read."""
        where = urlencode({"host": self.socket_dir, "port": self.port}, safe="/")
        login = f"{SUPERUSER}:{quote(self.password, safe='')}"
        return f"postgresql://{login}@/{quote(database, safe='')}?{where}"

    def ask(self) -> Answer:
        """Log in and run one statement.

        ``EmbeddedPostgresError``: the server does not take our password.
        """
        try:
            _in_own_loop(self.dsn(MAINTENANCE_DATABASE), "SELECT 1")
        except asyncpg.CannotConnectNowError:
            return Answer.BUSY
        except asyncpg.TooManyConnectionsError:
            return Answer.READY
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
            raise EmbeddedPostgresError(
                f"The server at {self.socket_dir} refuses the password kept beside its data. "
                "Restore the file `password` that belongs to this data directory."
            ) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return Answer.NONE
        return Answer.READY

    def has_database(self, name: str) -> bool:
        """Tell whether the database exists.

        ``EmbeddedPostgresError``: the server cannot be asked now.
        """
        statement = "SELECT 1 FROM pg_database WHERE datname = $1"
        try:
            return _in_own_loop(self.dsn(MAINTENANCE_DATABASE), statement, name) is not None
        except asyncpg.PostgresError as error:
            raise EmbeddedPostgresError(
                f"The server at {self.socket_dir} runs but cannot be asked for its databases: "
                f"{error}. Close some of its connections, then start again."
            ) from error

    def create_database(self, name: str, template: str | None) -> None:
        """Create a database, empty or as a copy of ``template``.

        ``EmbeddedPostgresError``: the name is taken, or the template is missing or in use.
        """
        statement = f"CREATE DATABASE {_identifier(name)}"
        if template is not None:
            statement += f" TEMPLATE {_identifier(template)}"
        try:
            _in_own_loop(self.dsn(MAINTENANCE_DATABASE), statement)
        except asyncpg.PostgresError as error:
            raise EmbeddedPostgresError(
                f"Database {name!r} cannot be created: {error}. Choose another name, or close "
                "the connections to its template."
            ) from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_own_loop(dsn: str, statement: str, *arguments: str) -> object:
    """Run one statement and give its first value.

    In a thread of its own, because the caller's thread may be running an event loop already.
    """

    async def run() -> object:
        connection = await asyncpg.connect(dsn, timeout=_TIMEOUT_SECONDS)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, run()).result()
