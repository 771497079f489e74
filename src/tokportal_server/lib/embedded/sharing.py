"""Several processes on one embedded server: it is kept running, and the last to leave stops it.

1. Take a shared lock of ``users.lock``; it waits while somebody who was the last is stopping.
2. Start or adopt the server, and start it again whenever it ends meanwhile.
3. At the end try to make the lock exclusive. That works for the last user only, who stops the
   server while the lock makes newcomers wait.

The kernel frees the lock of a process that was killed, so a crash never counts as a user.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from tokportal_server.lib.embedded.error import EmbeddedPostgresError
from tokportal_server.lib.embedded.server import (
    NEWEST,
    EmbeddedPostgres,
    abandon,
    explained,
    prepare,
    start,
)

_CHECK_SECONDS = 1.0

log = structlog.get_logger(__name__)


@contextmanager
def shared(home: Path, *, major: int = NEWEST) -> Iterator[EmbeddedPostgres]:
    """Use the server of ``home``, of a major version, together with whoever else does.

    ``EmbeddedPostgresError``: it cannot run here; the message says why and the way out.
    """
    layout = prepare(home)
    with explained(layout.root):
        users = os.open(layout.users_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            postgres = start(home, major=major)
        except (KeyboardInterrupt, SystemExit):
            # Told to stop while PostgreSQL was starting: nobody has its object yet.
            if _is_last(users):
                abandon(layout)
            raise
        try:
            with _kept_running(postgres, home):
                yield postgres
        finally:
            if _is_last(users):
                postgres.stop()
    finally:
        os.close(users)


def _is_last(users: int) -> bool:
    """Tell whether nobody else uses the server; if so, newcomers wait from now on.

    Our own lock is gone either way: of two who leave at once, the second is the last.
    """
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _kept_running(postgres: EmbeddedPostgres, home: Path) -> Iterator[None]:
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(postgres, home, ended), name="postgres-keeper")
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _keep(postgres: EmbeddedPostgres, home: Path, ended: threading.Event) -> None:
    while not ended.wait(_CHECK_SECONDS):
        if postgres.is_running():
            continue
        log.error("postgresql_ended", data_dir=str(postgres.data_dir))
        try:
            start(home, major=postgres.major)
        except EmbeddedPostgresError as error:
            log.error("postgresql_not_restarted", error=str(error))  # noqa: TRY400 - one sentence
        else:
            log.info("postgresql_restarted", data_dir=str(postgres.data_dir))
