"""Dumping and restoring a PostgreSQL database by its own programs, ``pg_dump`` and ``pg_restore``.

A program reads servers of its own major version and older ones, and writes what servers of its own
version and newer ones read. Of those at hand, the oldest that is not older than the server is used,
so that a dump can go back into a server of the same age.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tokportal_server.lib.embedded import EmbeddedPostgresError, binaries
from tokportal_server.lib.errors import OperatorError

_VERSION = re.compile(r"\) (\d+)")
# What else a program says quotes rows: DETAIL, CONTEXT, the statement that failed.
_COMPLAINT = re.compile(r"^(?:pg_\w+|psql)\S*: (?:error|fatal|detail): .*$", re.MULTILINE)
_SHOWN = 3


class DumpError(OperatorError):
    """A database could not be dumped or restored; the message says why, without any row of it."""


@dataclass(frozen=True)
class Programs:
    """A folder with the programs of a major version."""

    folder: Path
    major: int

    async def dump(self, dsn: str, target: Path, *, snapshot: str | None = None) -> None:
        """Write a database to a file, in the custom format; ``snapshot`` is an exported one.

        Raises:
            DumpError: it cannot be read, or the file cannot be written; a part of it may be there.
        """
        options = ["--format=custom", "--compress=1", f"--file={target}"]
        if snapshot is not None:
            options.append(f"--snapshot={snapshot}")
        await self._run("pg_dump", dsn, options)

    async def restore(
        self, dsn: str, source: Path, *, jobs: int = 0, with_grants: bool = False
    ) -> None:
        """Bring a dump into an empty database, all of it or nothing.

        With ``jobs`` that many work side by side, and a failure leaves what had come so far. The
        owner of everything is who restores it; ``with_grants`` needs the roles to be there.

        Raises:
            DumpError: the dump cannot be read, or the database does not take it.
        """
        how = [f"--jobs={jobs}"] if jobs else ["--single-transaction"]
        options = ["--exit-on-error", "--no-owner", *how]
        if not with_grants:
            options.append("--no-privileges")
        await self._run("pg_restore", dsn, options, str(source))

    async def analyze(self, dsn: str) -> None:
        """Collect what the planner goes by; a dump does not bring it along.

        Raises:
            DumpError: the database cannot be read.
        """
        await self._run("vacuumdb", dsn, ["--analyze-only", "--quiet"])

    async def copy_roles(self, source: str, target: str, scratch: Path) -> None:
        """Make the roles of one server in another; those that are there already stay.

        Raises:
            DumpError: they cannot be read or written.
        """
        await self._run("pg_dumpall", source, ["--roles-only", f"--file={scratch}"])
        await self._run("psql", target, ["--no-psqlrc", "--quiet", f"--file={scratch}"])

    async def _run(self, name: str, dsn: str, options: Sequence[str], *more: str) -> None:
        address, password = without_password(dsn)
        environment = {**os.environ, "LC_ALL": "C"}
        if password:
            environment["PGPASSWORD"] = password
        process = await asyncio.create_subprocess_exec(
            str(self.folder / name),
            f"--dbname={address}",
            *options,
            *more,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise DumpError(self._failure(name, said.decode(errors="replace")))

    def _failure(self, name: str, said: str) -> str:
        complaints = _COMPLAINT.findall(said)[:_SHOWN]
        words = " ".join(complaints) or f"{name} ended without saying why"
        if "SSL" in words or "encryption" in words:
            words += (
                ". The programs that come along do not speak TLS: install those of PostgreSQL"
                " and name their folder with --programs, such as /usr/lib/postgresql/18/bin"
            )
        return f"{words.rstrip('.')}."


async def programs_for(server_major: int, folder: Path | None = None) -> Programs:
    """Give the programs for a server; those in ``folder``, else those that come along.

    Raises:
        DumpError: none are there, or they are older than the server.
    """
    if folder is not None:
        major = await _major(folder / "pg_dump")
        if major >= server_major:
            return Programs(folder, major)
        raise DumpError(
            f"The programs in {folder} are of PostgreSQL {major}, and the server is {server_major}."
            f" Name a folder with those of {server_major} or newer."
        )
    fitting = [major for major in binaries.majors() if major >= server_major]
    if not fitting:
        raise DumpError(
            f"The server is PostgreSQL {server_major}, and the programs that come along are of"
            f" {max(binaries.majors())}. Install those of {server_major} and name their folder"
            f" with --programs, such as /usr/lib/postgresql/{server_major}/bin."
        )
    try:
        found = binaries.locate(min(fitting))
    except EmbeddedPostgresError as error:
        raise DumpError(str(error)) from error
    return Programs(found.prefix / "bin", found.major)


async def _major(program: Path) -> int:
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, "--version"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise DumpError(f"{program} cannot be run: {error.strerror}.") from error
    said, _ = await process.communicate()
    found = _VERSION.search(said.decode(errors="replace"))
    if process.returncode != 0 or found is None:
        raise DumpError(f"{program} does not say its version.")
    return int(found[1])


def without_password(dsn: str) -> tuple[str, str]:
    """Part a connection string from its password, which other users would read in the arguments."""
    parts = urlsplit(dsn)
    query = parse_qsl(parts.query, keep_blank_values=True)
    password = parts.password or dict(query).get("password", "")
    login, at, place = parts.netloc.rpartition("@")
    kept = urlencode([pair for pair in query if pair[0] != "password"], safe="/")
    address = f"{parts.scheme}://{login.partition(':')[0]}{at}{place}{parts.path}"
    return f"{address}?{kept}" if kept else address, unquote(password)
