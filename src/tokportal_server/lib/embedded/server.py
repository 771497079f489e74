"""Start, adopt and stop the embedded server.

``start`` works in numbered steps, under a lock that makes a second start wait:

1. Choose the account, prepare the directories, find binaries that the account can run.
2. Create the cluster, or check that the binaries fit it.
3. Adopt the server if one of ours runs and answers; end what does not answer, and strays of a
   postmaster that was killed.
4. Otherwise launch a postmaster and wait until it answers.
5. Make sure that the database ``tokportal`` exists.

PostgreSQL is meant to outlive a killed supervisor: the next start adopts it.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from tokportal_server.lib.embedded import binaries, cluster, directories, postmaster
from tokportal_server.lib.embedded.account import account_for
from tokportal_server.lib.embedded.connection import Answer, Endpoint
from tokportal_server.lib.embedded.directories import Layout
from tokportal_server.lib.embedded.error import EmbeddedPostgresError
from tokportal_server.lib.embedded.postmaster import PidFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    import psutil

    from tokportal_server.lib.embedded.account import Account

DATABASE = "tokportal"
# What a server without data is made with.
NEWEST = max(binaries.majors())
# Part of the socket's name, and no more as long as listen_addresses is empty.
PORT = 5432

DEFAULT_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A week of logs that overwrite themselves.
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    # The DETAIL of a violated constraint quotes the row, which may hold what must not be logged.
    "log_error_verbosity": "terse",
}
# Settings that place the server; changing one would hide it from the next start.
_OURS = frozenset(
    {
        *("cluster_name", "config_file", "data_directory", "hba_file", "ident_file"),
        *("port", "unix_socket_directories", "unix_socket_group", "unix_socket_permissions"),
    }
)
_STOP_SIGNALS = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_READY_SECONDS = 120.0
_SILENT_SECONDS = 10.0
_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server. Leaving a ``with`` block stops it; dropping the object does not.

    It may be somebody else's too: processes that share one use ``shared``.
    """

    data_dir: Path
    socket_dir: Path
    port: int
    major: int
    password: str = field(repr=False)

    def dsn(self, database: str = DATABASE) -> str:
        """Give the connection string, password included: for connecting, not for logs."""
        return self._endpoint.dsn(database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, empty or as a copy of ``template``.

        ``EmbeddedPostgresError``: the name is taken, or the template is missing or in use.
        """
        self._endpoint.create_database(name, template)

    def stop(self, *, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server and wait until its last process is gone; stopped already is fine.

        ``smart`` waits for the clients, ``fast`` rolls their work back, ``immediate`` leaves the
        recovery to the next start. What does not obey within a minute is killed, except with
        ``smart``.

        ``EmbeddedPostgresError``: ``smart``, and clients stayed connected for a minute.
        """
        layout = Layout(self.data_dir.parent)
        account = account_for(self.data_dir)
        with start_lock(layout):
            running = _running(layout, account)
            if running is not None:
                postmaster.send(running, _STOP_SIGNALS[mode])
                gone = postmaster.wait_until_gone(self.data_dir, account, _STOP_SECONDS)
                if mode == "smart" and not gone:
                    raise EmbeddedPostgresError(
                        f"Clients are still connected to the server of {self.data_dir}. Close "
                        "them, or stop it with mode 'fast'."
                    )
            postmaster.end(self.data_dir, account)
            postmaster.remove_socket(self.socket_dir, self.port)
            directories.forget_socket_directory(layout, account)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_running(self) -> bool:
        """Tell whether its postmaster lives; not whether it answers."""
        return _running(Layout(self.data_dir.parent), account_for(self.data_dir)) is not None

    @property
    def _endpoint(self) -> Endpoint:
        return Endpoint(self.socket_dir, self.port, self.password)


def start(
    home: Path, *, major: int = NEWEST, settings: Mapping[str, str] | None = None
) -> EmbeddedPostgres:
    """Start the server of ``home``, or adopt it as it is if it runs.

    ``settings`` are PostgreSQL's own (``{"fsync": "off"}``) and override ``DEFAULT_SETTINGS``;
    an adopted server keeps those it was started with.

    ``EmbeddedPostgresError``: it cannot run here; the message says why and the way out.
    """
    settings = {**DEFAULT_SETTINGS, **(settings or {})}
    if refused := _OURS & settings.keys():
        raise EmbeddedPostgresError(f"These settings cannot be changed: {sorted(refused)}.")
    layout = prepare(home)
    with explained(layout.root):
        return start_in(layout, account_for(layout.data), major, settings)


def prepare(home: Path) -> Layout:
    """Make the directories of ``home`` that are missing.

    ``EmbeddedPostgresError``: they cannot be made, or what is there is unsafe.
    """
    home = Path(os.path.realpath(home.expanduser()))
    if not str(home).isprintable():
        raise EmbeddedPostgresError(f"TOKPORTAL_HOME {str(home)!r} has an unprintable character.")
    with explained(home):
        return directories.prepare(home, account_for(home / "postgres" / "data"))


def abandon(layout: Layout) -> None:
    """End what a start that was broken off has left running; the next one recovers the data."""
    postmaster.end(layout.data, account_for(layout.data))


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn an ``OSError`` into a refusal that names the place and the way out."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL cannot run in {place}: {error}. Free or unlock that place, "
            "or set TOKPORTAL_HOME to another directory."
        ) from error


def start_in(
    layout: Layout,
    account: Account,
    major: int,
    settings: Mapping[str, str],
    password: str | None = None,
) -> EmbeddedPostgres:
    """Start or adopt the server of a prepared layout; a new one gets the password, if given.

    ``EmbeddedPostgresError`` as for ``start``; ``OSError``: a file cannot be written.
    """
    with start_lock(layout):
        programs = binaries.runnable(major, account, layout.root)
        is_durable = settings.get("fsync") != "off"
        cluster.ensure(layout, programs, account, sync=is_durable, password=password)
        endpoint = _adopted(layout, account)
        if endpoint is None:
            endpoint = _launched(layout, programs, account, settings)
        if not endpoint.has_database(DATABASE):
            endpoint.create_database(DATABASE, None)
    return EmbeddedPostgres(
        data_dir=layout.data,
        socket_dir=endpoint.socket_dir,
        port=endpoint.port,
        major=major,
        password=endpoint.password,
    )


def _adopted(layout: Layout, account: Account) -> Endpoint | None:
    """Take over the running server if it answers; else leave no process of it behind."""
    pid_file = PidFile.read(layout.data)
    running = _running(layout, account)
    if running is not None and pid_file is not None and pid_file.socket_dir is not None:
        endpoint = Endpoint(pid_file.socket_dir, PORT, cluster.read_password(layout))
        is_private = directories.is_private(endpoint.socket_dir, account)
        if is_private and _answers(endpoint, layout, account, _SILENT_SECONDS):
            return endpoint
    postmaster.end(layout.data, account)
    return None


def _launched(
    layout: Layout,
    programs: binaries.Binaries,
    account: Account,
    settings: Mapping[str, str],
) -> Endpoint:
    socket_dir = directories.socket_directory(layout, account, PORT)
    postmaster.remove_socket(socket_dir, PORT)
    ours = {
        "port": str(PORT),
        "cluster_name": postmaster.cluster_name(layout.data),
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
    }
    postmaster.launch(layout, programs, account, {**settings, **ours})
    endpoint = Endpoint(socket_dir, PORT, cluster.read_password(layout))
    if not _answers(endpoint, layout, account, _READY_SECONDS):
        postmaster.end(layout.data, account)
        raise EmbeddedPostgresError(
            f"PostgreSQL did not start on {layout.data}. Mend what its log says, then start "
            f"again:\n{postmaster.log_tail(layout)}"
        )
    return endpoint


def _answers(endpoint: Endpoint, layout: Layout, account: Account, silence: float) -> bool:
    """Wait until the server answers; tell whether it did.

    Not if its processes end, it stays without an answer for ``silence`` seconds, or its socket
    is gone although it is ready.

    ``EmbeddedPostgresError``: it still recovers after two minutes, and goes on doing so.
    """
    started = last_heard = time.monotonic()
    while postmaster.family(layout.data, account):
        answer = endpoint.ask()
        if answer is Answer.READY:
            return True
        now = time.monotonic()
        if answer is Answer.BUSY:
            last_heard = now
        if now - last_heard > silence or _lost_its_socket(endpoint, layout):
            return False
        if now - started > _READY_SECONDS:
            raise EmbeddedPostgresError(
                f"The server of {layout.data} is still recovering after {_READY_SECONDS:.0f} s "
                f"and goes on. Start again later; its log is in {layout.data / 'log'}."
            )
        time.sleep(0.05)
    return False


def _running(layout: Layout, account: Account) -> psutil.Process | None:
    """Give the living postmaster that the pid file names, if it names one of ours."""
    pid_file = PidFile.read(layout.data)
    return None if pid_file is None else postmaster.member(pid_file.pid, layout.data, account)


def _lost_its_socket(endpoint: Endpoint, layout: Layout) -> bool:
    pid_file = PidFile.read(layout.data)
    socket = endpoint.socket_dir / f".s.PGSQL.{endpoint.port}"
    return pid_file is not None and pid_file.ready and not socket.exists()


def start_lock(layout: Layout) -> AbstractContextManager[int]:
    """Keep others from starting, stopping and replacing the server of a layout."""
    return postmaster.locked(
        layout.start_lock,
        postmaster.LOCK_SECONDS,
        f"Another process has been starting or stopping the server of {layout.data} for "
        f"{postmaster.LOCK_SECONDS:.0f} s. End that process, then try again.",
    )
