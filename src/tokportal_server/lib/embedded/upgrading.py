"""From one major version to the next: a new cluster beside the old one, then a switch by name.

1. Hold ``users.lock`` alone: nobody uses the server, and newcomers wait.
2. Start the old server, and a new one in ``upgrade/`` with the same account and password.
3. The caller brings everything over and looks at it (``Pair``), and accepts it or not.
4. Stop both. Accepted, the new data takes the place of the old, which stays as ``data-<major>``;
   otherwise the new data goes and nothing has changed.

Killed at any step, the old data is in its place at the next start, or the new with the old beside.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tokportal_server.lib.embedded import cluster, directories, postmaster
from tokportal_server.lib.embedded.account import account_for
from tokportal_server.lib.embedded.directories import Layout
from tokportal_server.lib.embedded.error import EmbeddedPostgresError
from tokportal_server.lib.embedded.server import (
    DEFAULT_SETTINGS,
    NEWEST,
    EmbeddedPostgres,
    explained,
    prepare,
    start_in,
    start_lock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokportal_server.lib.embedded.account import Account

_STAGING = "upgrade"


@dataclass
class Pair:
    """The old server and the new one, both running; ``scratch`` is a folder for what is between.

    ``kept`` is where the old data is, once the block has ended and was accepted.
    """

    old: EmbeddedPostgres
    new: EmbeddedPostgres
    scratch: Path
    accepted: bool = False
    kept: Path | None = field(default=None, init=False)

    def accept(self) -> None:
        """Have the new data take the place of the old."""
        self.accepted = True


def major_of(home: Path) -> int | None:
    """Give the major version that the data of ``home`` was written by, None if there is none."""
    return cluster.major_of(_layout(home))


def old_data(home: Path) -> list[Path]:
    """Give the data directories that earlier upgrades left behind."""
    return cluster.replaced(_layout(home))


def in_use(home: Path) -> bool:
    """Tell whether some process uses the server of ``home`` now."""
    handle = _alone(prepare(home))
    if handle is None:
        return True
    os.close(handle)
    return False


@contextmanager
def upgrading(home: Path) -> Iterator[Pair]:
    """Run the old server of ``home`` and a new, empty one; switch at the end if it was accepted.

    ``EmbeddedPostgresError``: there is nothing to upgrade, it is in use, an earlier upgrade's data
    is in the way, or a server does not run; the old data is as it was.
    """
    layout = prepare(home)
    users = _alone(layout)
    if users is None:
        raise EmbeddedPostgresError(
            f"The server of {layout.data} is in use. Stop tokportal-server, its workers and"
            " commands, then try again."
        )
    try:
        with explained(layout.root):
            major = _checked(layout)
            account = account_for(layout.data)
            _clear(layout, account)
            pair = _started(layout, account, major)
            try:
                yield pair
            finally:
                pair.new.stop()
                pair.old.stop()
            if pair.accepted:
                os.sync()
                with start_lock(layout):
                    pair.kept = cluster.switch(layout, pair.new.data_dir)
            _clear(layout, account)
    finally:
        os.close(users)


def _checked(layout: Layout) -> int:
    major = cluster.major_of(layout)
    if major is None or major >= NEWEST:
        raise EmbeddedPostgresError(f"{layout.data} needs no upgrade: it has version {major}.")
    if (left := layout.root / f"data-{major}").exists():
        raise EmbeddedPostgresError(
            f"{left} is the data of an earlier upgrade. If you don't need it any more, remove it:"
            " tokportal-server upgrade --remove-old"
        )
    return major


def _started(layout: Layout, account: Account, major: int) -> Pair:
    old = start_in(layout, account, major, DEFAULT_SETTINGS)
    try:
        staging = directories.prepare(layout.root / _STAGING, account)
        new = start_in(staging, account, NEWEST, DEFAULT_SETTINGS, old.password)
    except BaseException:
        old.stop()
        raise
    return Pair(old, new, layout.root / _STAGING)


def _clear(layout: Layout, account: Account) -> None:
    """Remove what an upgrade has made that was broken off or refused, its server included."""
    staging = Layout(layout.root / _STAGING / "postgres")
    if staging.data.exists():
        postmaster.end(staging.data, account)
    if staging.root.exists():
        directories.forget_socket_directory(staging, account)
    with suppress(FileNotFoundError):
        shutil.rmtree(layout.root / _STAGING)


def _alone(layout: Layout) -> int | None:
    """Hold the users' lock alone; None if somebody has it. Close the descriptor to let it go."""
    with explained(layout.root):
        handle = os.open(layout.users_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _layout(home: Path) -> Layout:
    return Layout(Path(os.path.realpath(home.expanduser())) / "postgres")
