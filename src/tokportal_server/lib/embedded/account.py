"""Which operating system account runs PostgreSQL, and how a program is run as it.

PostgreSQL refuses to run as root. As root we therefore switch: to the owner of the existing data;
else to the account ``tokportal``, created where ``useradd`` can; else to ``postgres``. Never to
``nobody``, whose files any other program running as ``nobody`` could read.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokportal_server.lib.embedded.error import EmbeddedPostgresError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PREFERRED = "tokportal"
FALLBACK = "postgres"
_CREATE_SECONDS = 10.0


@dataclass(frozen=True)
class Account:
    """An account by its numbers; ``name`` is for messages."""

    name: str
    uid: int
    gid: int

    @property
    def is_ourselves(self) -> bool:
        """Tell whether this process already runs as the account."""
        return self.uid == os.geteuid()

    def process_options(self) -> dict[str, Any]:
        """Give the ``subprocess`` arguments that run a program as this account.

        The environment is fixed: no ``PG*`` variable and no locale of the caller may change what
        the server does.
        """
        options: dict[str, Any] = {
            "cwd": "/",
            "umask": 0o077,
            "stdin": subprocess.DEVNULL,
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        }
        if not self.is_ourselves:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def run(self, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this account, with its output captured.

        ``OSError``: it could not be executed (missing, or not reachable for the account).
        """
        return subprocess.run(  # noqa: S603 - no shell, and the arguments are ours
            arguments, check=False, capture_output=True, text=True, **self.process_options()
        )


def account_for(data_dir: Path) -> Account:
    """Choose the account for a data directory, which need not exist yet.

    ``EmbeddedPostgresError``: root owns the data, or no unprivileged account can be had.
    """
    if os.geteuid() != 0:
        return Account(f"uid {os.geteuid()}", os.geteuid(), os.getegid())
    try:
        status = data_dir.stat()
    except FileNotFoundError:
        return _unprivileged()
    if status.st_uid == 0:
        raise EmbeddedPostgresError(
            f"{data_dir} belongs to root, and PostgreSQL refuses to run as root. "
            "Give it with `chown -R` to the account that shall run it."
        )
    return Account(f"uid {status.st_uid}", status.st_uid, status.st_gid)


def _unprivileged() -> Account:
    account = _existing(PREFERRED) or _created() or _existing(FALLBACK)
    if account is None:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this system has neither an account "
            f"{PREFERRED!r} nor `useradd` to create it. Create it, run as an unprivileged user, "
            "or set TOKPORTAL_DATABASE_URL to a server of your own."
        )
    return account


def _existing(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return None if entry.pw_uid == 0 else Account(name, entry.pw_uid, entry.pw_gid)


def _created() -> Account | None:
    """Create the system account; two starts at once meet at the lock of /etc/passwd."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    deadline = time.monotonic() + _CREATE_SECONDS
    while time.monotonic() < deadline:
        subprocess.run(  # noqa: S603 - no shell, and the arguments are fixed
            [
                *(useradd, "--system", "--user-group", "--no-create-home"),
                *("--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", PREFERRED),
            ],
            check=False,
            capture_output=True,
        )
        account = _existing(PREFERRED)
        if account is not None:
            return account
        time.sleep(0.2)
    return None
