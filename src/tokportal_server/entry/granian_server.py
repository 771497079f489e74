"""The API process: Granian, with as many workers as asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal

from granian import Granian
from granian.constants import Interfaces, Loops

from tokportal_server.entry.api import Api
from tokportal_server.lib import log
from tokportal_server.lib.process import die_with_parent
from tokportal_server.lib.settings import Settings


def create_app() -> Api:
    """Make the application of one worker process, which must not outlive the server's process."""
    server = multiprocessing.parent_process()
    die_with_parent(signal.SIGKILL, parent=server.pid if server is not None else None)
    settings = Settings.from_env(os.environ)
    log.configure(settings.log_level, settings.log_format)
    return Api(settings, signals=(signal.SIGTERM, signal.SIGINT))


def serve_api(settings: Settings, *, workers: int) -> None:
    """Listen until SIGTERM; a worker that dies is replaced."""
    Granian(
        "tokportal_server.entry.granian_server:create_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=workers,
        # Without these an open stream blocks the end, and one killed worker ends the server.
        workers_kill_timeout=max(1, settings.drain_seconds),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        websockets=False,
        log_enabled=False,
    ).serve()
