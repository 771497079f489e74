"""The previous release's tests on the schema of this one, as during a rolling upgrade.

Usage: ``python -m tools.compat [--from REV] [TEST …]``.

1. The files of ``REV`` are unpacked into a folder of their own; the checkout is not touched.
   Without ``--from`` it is the newest tag that names a version; where there is none, nothing is
   done.
2. A PostgreSQL is started, and this checkout's migrations make the schema.
3. The tests of ``REV`` (``tests/http`` unless others are named) run with the code of ``REV`` on
   databases with that schema, in this environment. The exit code is theirs.

Tests of the schema itself, or of what a newer release has added, do not belong among them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from tokportal_server.lib import embedded
from tokportal_server.migrations.run import migrate

ROOT: Final = Path(__file__).resolve().parents[1]
SELECTION: Final = ("tests/http",)
# As tests/conftest.py of every release finds them.
ADDRESS: Final = "TEST_POSTGRES_DSN"
TEMPLATE = "tokportal_template"
_VERSION: Final = re.compile(r"v?\d+\.\d+\.\d+")
_FAST: Final = {"fsync": "off", "synchronous_commit": "off", "max_connections": "200"}
_LEFT_OUT: Final = "not proof and not fuzz"

Migrate = Callable[[str], None]


class NoSuchRevisionError(Exception):
    """The history at hand does not have the revision; a shallow clone has few."""


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - our own arguments
        ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git there is
        check=False,
        capture_output=True,
    )


def last_release(root: Path) -> str | None:
    """Give the newest tag that names a version; None without one, or without a history."""
    told = _git(root, "tag", "--list", "--sort=-version:refname")
    tags = told.stdout.decode().split() if told.returncode == 0 else []
    return next((tag for tag in tags if _VERSION.fullmatch(tag)), None)


def unpack(root: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a folder.

    Raises:
        NoSuchRevisionError: this history does not have it.
    """
    packed = _git(root, "archive", "--format=tar", revision)
    if packed.returncode != 0:
        raise NoSuchRevisionError(packed.stderr.decode().strip())
    subprocess.run(  # noqa: S603 - our own arguments
        ["tar", "-x", "-C", str(folder)],  # noqa: S607 - whichever tar there is
        input=packed.stdout,
        check=True,
    )


@contextmanager
def _server() -> Iterator[str]:
    """Run a PostgreSQL that forgets everything; give the address of its first database."""
    with tempfile.TemporaryDirectory(prefix="tokportal-compat-") as name:
        home = Path(name)
        # PostgreSQL may run as a user of its own, who has to pass through here.
        home.chmod(0o755)
        postgres = embedded.start(home, settings=_FAST)
        try:
            yield postgres.dsn("postgres")
        finally:
            postgres.stop(mode="immediate")


async def _make_template(address: str) -> str:
    conn = await asyncpg.connect(address)
    try:
        await conn.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        await conn.execute(f"CREATE DATABASE {TEMPLATE}")
    finally:
        await conn.close()
    return address.replace("/postgres?", f"/{TEMPLATE}?")


def run_on_new_schema(
    old: Path, address: str, selection: Sequence[str], *, migrations: Migrate = migrate
) -> int:
    """Run tests of the files in ``old`` on a schema that ``migrations`` makes; give their code."""
    template = asyncio.run(_make_template(address))
    migrations(template)
    ended = subprocess.run(  # noqa: S603 - our own arguments
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            _LEFT_OUT,
            *selection,
        ],
        cwd=old,
        env={**os.environ, "PYTHONPATH": f"{old / 'src'}:{old}", ADDRESS: address},
        check=False,
    )
    return ended.returncode


def main(arguments: Sequence[str]) -> int:
    """Run as told; 0 also where there is no earlier release."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="revision", help="a tag, branch or commit")
    parser.add_argument("tests", nargs="*", default=list(SELECTION))
    asked = parser.parse_args(arguments)
    revision = asked.revision or last_release(ROOT)
    if revision is None:
        print("There is no earlier release: no tag of this history names a version.")
        return 0
    with tempfile.TemporaryDirectory(prefix="tokportal-old-") as folder:
        try:
            unpack(ROOT, revision, Path(folder))
        except NoSuchRevisionError as error:
            print(f"{revision} is not in this history: {error}", file=sys.stderr)
            return 2
        print(f"The tests of {revision} on the schema of this checkout:")
        with _server() as address:
            return run_on_new_schema(Path(folder), address, asked.tests)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
