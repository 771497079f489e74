"""The API process: Granian, with as many workers as asked for."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from tokportal_server.entry.api import Api
from tokportal_server.lib import log
from tokportal_server.lib.process import die_with_parent
from tokportal_server.lib.settings import Settings

# Connections that one process holds. Granian's default of 1,024 silent ones kept everybody out.
_MOST_CONNECTIONS: Final = 16_384
# Files, connections to PostgreSQL and pipes beside them.
_MOST_FILES: Final = _MOST_CONNECTIONS + 1024
_WIRE: Final = HTTP1Settings(
    # How long a head may take, and how long a connection that is kept may say nothing.
    header_read_timeout=30_000,
    # As long as a head may be; what is read of a body at once.
    max_buffer_size=128 * 1024,
)


def create_app() -> Api:
    """Make the application of one worker process, which must not outlive the server's process."""
    server = multiprocessing.parent_process()
    die_with_parent(signal.SIGKILL, parent=server.pid if server is not None else None)
    settings = Settings.from_env(os.environ)
    log.configure(settings.log_level, settings.log_format)
    return Api(settings, signals=(signal.SIGTERM, signal.SIGINT))


def serve_api(settings: Settings, *, workers: int) -> None:
    """Listen until SIGTERM; a worker that dies is replaced.

    HTTP/1.1 alone is spoken, as proxies do behind them: where both versions are taken, a connection
    that says nothing is waited for without an end, for which of them it will be.
    """
    _allow_many_files()
    Granian(
        "tokportal_server.entry.granian_server:create_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=workers,
        http=HTTPModes.http1,
        http1_settings=_WIRE,
        backpressure=_MOST_CONNECTIONS,
        # Without these an open stream blocks the end, and one killed worker ends the server.
        workers_kill_timeout=max(1, settings.drain_seconds),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        websockets=False,
        log_enabled=False,
    ).serve()


def _allow_many_files() -> None:
    """Take what the system allows of open files: its default of 1,024 is meant for programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
