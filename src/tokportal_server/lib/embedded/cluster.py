"""The data directory: created whole or not at all, and refused when it isn't for our binaries."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tokportal_server.lib.embedded import binaries as wheel
from tokportal_server.lib.embedded.error import EmbeddedPostgresError

if TYPE_CHECKING:
    from tokportal_server.lib.embedded.account import Account
    from tokportal_server.lib.embedded.binaries import Binaries
    from tokportal_server.lib.embedded.directories import Layout

SUPERUSER = "tokportal"
_REPLACED = "data-"
_SWITCHING = "switching-"


def ensure(
    layout: Layout, binaries: Binaries, account: Account, *, sync: bool, password: str | None = None
) -> None:
    """Create the cluster if there is none, else check that these binaries may open it.

    A new one gets ``password``, or one of its own.

    ``EmbeddedPostgresError``: initdb failed (nothing of it is left), or the existing cluster is
    of another major version, or its password is lost.
    """
    for leftover in layout.root.glob("initdb-*"):  # of a start that was killed
        shutil.rmtree(leftover)
    settle_switch(layout)
    if layout.data.exists():
        _check(layout, binaries)
    else:
        _create(layout, binaries, account, password or secrets.token_urlsafe(32), sync=sync)


def major_of(layout: Layout) -> int | None:
    """Give the major version of the data, None if there is none yet; changes nothing."""
    for folder in (layout.data, *layout.root.glob(f"{_SWITCHING}*")):
        with contextlib.suppress(OSError, ValueError):
            return int((folder / "PG_VERSION").read_text())
    return None


def switch(layout: Layout, successor: Path) -> Path:
    """Put another data directory in the place of the data; give where the old one is now.

    Both servers are stopped. Broken off at any moment, the next start has the old data, or the new
    with the old beside it.
    """
    major = major_of(layout)
    layout.data.rename(layout.root / f"{_SWITCHING}{major}")
    successor.rename(layout.data)
    settle_switch(layout)
    return replaced(layout)[-1]


def settle_switch(layout: Layout) -> None:
    """End a switch that was broken off: back if the new data had not come, else to its end."""
    for leftover in layout.root.glob(f"{_SWITCHING}*"):
        kept = layout.root / f"{_REPLACED}{leftover.name.removeprefix(_SWITCHING)}"
        leftover.rename(kept if layout.data.exists() else layout.data)
        _sync_directory(layout.root)


def replaced(layout: Layout) -> list[Path]:
    """Give the data directories that upgrades have left behind."""
    return sorted(layout.root.glob(f"{_REPLACED}[0-9]*"))


def read_password(layout: Layout) -> str:
    """Give the superuser's password."""
    return layout.password.read_text()


def _check(layout: Layout, binaries: Binaries) -> None:
    try:
        found = (layout.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise EmbeddedPostgresError(
            f"{layout.data} has no PG_VERSION, so it is no PostgreSQL data directory. Move it "
            "away, or set TOKPORTAL_HOME to another directory."
        ) from None
    if found.isdigit() and int(found) in wheel.majors() and int(found) < binaries.major:
        raise EmbeddedPostgresError(
            f"{layout.data} was written by PostgreSQL {found}, and this release runs"
            f" {binaries.major}. Bring it over: tokportal-server upgrade"
        )
    if found != str(binaries.major):
        raise EmbeddedPostgresError(
            f"{layout.data} was written by PostgreSQL {found}, and the binaries are PostgreSQL "
            f"{binaries.major}. Start with version {found}, or dump with {found} and restore "
            f"into a new TOKPORTAL_HOME with {binaries.major}."
        )
    if not layout.password.exists():
        raise EmbeddedPostgresError(
            f"{layout.password} is missing, and {layout.data} cannot be opened without it. "
            "Restore it from your backup of TOKPORTAL_HOME."
        )


def _create(
    layout: Layout, binaries: Binaries, account: Account, password: str, *, sync: bool
) -> None:
    """Run initdb in a directory of its own beside the data, then rename."""
    staging = Path(tempfile.mkdtemp(prefix="initdb-", dir=layout.root))
    try:
        password_file = staging / "password"
        _write_private(password_file, password)
        os.chown(password_file, account.uid, account.gid)
        os.chown(staging, account.uid, account.gid)
        _initdb(binaries, account, staging, sync=sync)
        # The password first: a password without data is replaced, data without it is lost.
        fresh_password = layout.root / "password.new"
        fresh_password.unlink(missing_ok=True)
        _write_private(fresh_password, password)
        fresh_password.rename(layout.password)
        (staging / "data").rename(layout.data)
        _sync_directory(layout.root)
    finally:
        shutil.rmtree(staging)


def _initdb(binaries: Binaries, account: Account, staging: Path, *, sync: bool) -> None:
    """Create a cluster that asks for the password everywhere.

    Text sorts by code point (C), so that a new C library never makes an index wrong.
    """
    result = account.run(
        [
            *(binaries.program("initdb"), "--pgdata", staging / "data"),
            *("--username", SUPERUSER, "--pwfile", staging / "password"),
            *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", f"--lc-ctype={_ctype()}"),
            *("--data-checksums", "--no-instructions"),
            *(() if sync else ("--no-sync",)),
        ]
    )
    if result.returncode != 0:
        free = shutil.disk_usage(staging.parent).free // 1_000_000
        reason = result.stderr.strip() or f"it ended with {result.returncode}"
        raise EmbeddedPostgresError(
            f"initdb could not create a cluster in {staging.parent}: {reason}\n"
            f"Nothing was kept. A new cluster takes about 50 MB, and {free} MB are free there; "
            "make room, or set TOKPORTAL_HOME to another file system."
        )


def _ctype() -> str:
    return "C.UTF-8" if sys.platform == "linux" else "C"


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
