"""The directories of the embedded server: made by us, private, and never more than that.

Below the home: ``postgres/`` (ours; the server's account may only pass through it) with
``data/`` and ``run/`` (the account's own, 0700), ``password``, the locks and ``startup.log``.
What already exists is checked and never changed: a parent that the account cannot pass is a
refusal, because opening it would be the operator's decision.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokportal_server.lib.embedded.error import EmbeddedPostgresError

if TYPE_CHECKING:
    from tokportal_server.lib.embedded.account import Account

# The shortest limit among the systems we run on (sockaddr_un.sun_path is 104 bytes on macOS).
SOCKET_PATH_LIMIT = 104
# A comma separates hosts in a connection string and directories in unix_socket_directories.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Layout:
    """The paths below ``<home>/postgres``."""

    root: Path

    @property
    def data(self) -> Path:
        """The cluster itself (PGDATA)."""
        return self.root / "data"

    @property
    def password(self) -> Path:
        """The generated password of the server's superuser."""
        return self.root / "password"

    @property
    def start_lock(self) -> Path:
        """Held while one of us starts or stops the server."""
        return self.root / "start.lock"

    @property
    def server_lock(self) -> Path:
        """Held by every process of the running server, from its first to its last."""
        return self.root / "server.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by the processes that use the server; the last of them stops it."""
        return self.root / "users.lock"

    @property
    def startup_log(self) -> Path:
        """What the server said before its own log began (``data/log``)."""
        return self.root / "startup.log"

    @property
    def socket_record(self) -> Path:
        """Names the socket directory where that is not ``run``."""
        return self.root / "socket_directory"


def prepare(home: Path, account: Account) -> Layout:
    """Make what is missing of ``home`` and ``home/postgres``; refuse what is unsafe.

    ``EmbeddedPostgresError``: a directory is not ours, is open to others, or cannot be passed by
    the server's account.
    ``OSError``: a directory cannot be made.
    """
    for directory in reversed([home, *home.parents]):
        if not directory.exists():
            _make(directory, account)
    layout = Layout(home / "postgres")
    _make(layout.root, account)
    status = layout.root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EmbeddedPostgresError(
            f"{layout.root} is not a directory of uid {os.geteuid()}. Run as its owner, "
            "or set TOKPORTAL_HOME to a directory of your own."
        )
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise EmbeddedPostgresError(
            f"{layout.root} can be written by others. Take that away with `chmod go-w`."
        )
    _refuse_unreachable(layout.root, account)
    return layout


def _make(directory: Path, account: Account) -> None:
    """Make one directory if it is missing; another account's group may pass, not list."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return
    if not account.is_ourselves:
        # Through a descriptor: what stands at the path may have changed since.
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(handle, -1, account.gid)
            os.fchmod(handle, 0o710)
        finally:
            os.close(handle)


def _refuse_unreachable(directory: Path, account: Account) -> None:
    """Ask the system itself, as the account: mode bits alone would not tell about ACLs."""
    if account.is_ourselves or _passable(directory, account):
        return
    closed = next(
        parent
        for parent in reversed([directory, *directory.parents])
        if not _passable(parent, account)
    )
    raise EmbeddedPostgresError(
        f"PostgreSQL runs as account {account.name!r}, which cannot pass through {closed} "
        f"to its data in {directory}. Set TOKPORTAL_HOME to a directory below one that every "
        "account may pass (such as /var/lib/tokportal), or run as an unprivileged user. "
        "Permissions of existing directories are never changed."
    )


def _passable(directory: Path, account: Account) -> bool:
    return account.run(["test", "-x", directory]).returncode == 0


def socket_directory(layout: Layout, account: Account, port: int) -> Path:
    """Give the private directory of the socket, made if need be.

    ``run`` where the socket's path fits in a socket address; else a short directory of our own
    under /run or /tmp, recorded so that the next start finds it again.

    ``EmbeddedPostgresError``: the directory at that place is not private to the account.
    """
    usual = layout.root / "run"
    if _fits(usual, port):
        with contextlib.suppress(FileExistsError):
            usual.mkdir(mode=0o700)
            os.chown(usual, account.uid, account.gid)
        if not is_private(usual, account):
            raise EmbeddedPostgresError(
                f"{usual} must be a directory of account {account.name!r} with mode 0700, and "
                "is not. Stop the server and remove it; the next start makes it anew."
            )
        return usual
    recorded = recorded_socket_directory(layout)
    if recorded is not None and is_private(recorded, account) and _fits(recorded, port):
        return recorded
    return _short_directory(layout, account)


def is_private(directory: Path, account: Account) -> bool:
    """Tell whether it is a real directory of the account that nobody else can enter."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == account.uid
        and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
    )


def recorded_socket_directory(layout: Layout) -> Path | None:
    """Give the short socket directory that an earlier start made, if one did."""
    try:
        return Path(layout.socket_record.read_text())
    except FileNotFoundError:
        return None


def forget_socket_directory(layout: Layout, account: Account) -> None:
    """Remove the short socket directory of a stopped server, and its record."""
    recorded = recorded_socket_directory(layout)
    if recorded is None:
        return
    if is_private(recorded, account):
        with contextlib.suppress(OSError):  # not empty: then it isn't only ours to remove
            recorded.rmdir()
    layout.socket_record.unlink()


def _fits(directory: Path, port: int) -> bool:
    length = len(os.fsencode(directory / f".s.PGSQL.{port}"))
    return length < SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(str(directory)) is not None


def _short_directory(layout: Layout, account: Account) -> Path:
    bases = ("/run", "/tmp") if os.geteuid() == 0 else ("/tmp",)  # noqa: S108 - see _is_safe_base
    for base in (Path(name).resolve() for name in bases):
        if _is_safe_base(base):
            # mkdtemp refuses an existing name and gives mode 0700.
            directory = Path(tempfile.mkdtemp(prefix="tokportal-", dir=base))
            os.chown(directory, account.uid, account.gid)
            layout.socket_record.write_text(str(directory))
            return directory
    raise EmbeddedPostgresError(
        f"{layout.root} is too long for a socket address ({SOCKET_PATH_LIMIT} bytes), and no "
        f"safe short directory was found in {', '.join(bases)}. Set TOKPORTAL_HOME to a "
        "shorter path."
    )


def _is_safe_base(base: Path) -> bool:
    """Only where no stranger can replace our directory: root's, sticky if others write there."""
    try:
        status = base.stat()
    except OSError:
        return False
    replaceable = status.st_mode & _WRITABLE_BY_OTHERS and not status.st_mode & stat.S_ISVTX
    return status.st_uid == 0 and not replaceable and os.access(base, os.W_OK | os.X_OK)
