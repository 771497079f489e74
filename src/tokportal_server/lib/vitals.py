"""Vital signs of a process, read every few seconds: memory, time, files, its pool, its loop.

Where several processes answer at one port they share their metrics by files in the folder that
``PROMETHEUS_MULTIPROC_DIR`` names; :func:`shared_folder` makes it. That variable has to be set when
``prometheus_client`` is imported, so whoever starts the processes sets it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
from prometheus_client import Counter, Gauge

from tokportal_server.lib.db import Database

SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
_EVERY_SECONDS: Final = 5.0
_PIECES: Final = 10

MEMORY = Gauge(
    "tokportal_process_memory_bytes",
    "Resident memory of each process.",
    ["part"],
    multiprocess_mode="liveall",
)
FILES = Gauge(
    "tokportal_process_open_files",
    "Open files and sockets of each process.",
    ["part"],
    multiprocess_mode="liveall",
)
CPU = Counter("tokportal_process_cpu_seconds", "Processor time used.", ["part"])
LAG = Gauge(
    "tokportal_process_loop_lag_seconds",
    "How much later than asked for the event loop woke up, the worst of the processes.",
    ["part"],
    multiprocess_mode="livemax",
)
POOL = Gauge(
    "tokportal_database_pool_connections",
    "Database connections of the pools, by what they do: used, idle, or not opened yet.",
    ["part", "state"],
    multiprocess_mode="livesum",
)
WAITING = Gauge(
    "tokportal_database_pool_waiting",
    "Requests and loops that wait for a database connection.",
    ["part"],
    multiprocess_mode="livesum",
)


def are_shared() -> bool:
    """Tell whether this process's metrics are added to those of others."""
    return SHARED in os.environ


def shared_folder(home: Path) -> Path:
    """Make an empty folder for the metrics of the processes that this one starts.

    Folders of processes that are gone are deleted.
    """
    root = home / "metrics"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for other in root.iterdir():
        if not (other.name.isdecimal() and psutil.pid_exists(int(other.name))):
            shutil.rmtree(other, ignore_errors=True)
    folder = root / str(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def forget_the_dead() -> None:
    """Drop what processes that are gone said of themselves; what they counted stays counted."""
    for path in Path(os.environ[SHARED]).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            path.unlink(missing_ok=True)


@asynccontextmanager
async def vital_signs(part: str, database: Database) -> AsyncIterator[None]:
    """Read this process's vital signs while the context lasts; ``part`` is which it is."""
    reading = asyncio.create_task(_keep_reading(part, database))
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _keep_reading(part: str, database: Database) -> None:
    process = psutil.Process()
    used = 0.0
    while True:
        with process.oneshot():
            MEMORY.labels(part).set(process.memory_info().rss)
            FILES.labels(part).set(process.num_fds())
            times = process.cpu_times()
        total = times.user + times.system
        CPU.labels(part).inc(max(0.0, total - used))
        used = total
        for state, count in database.connections().items():
            POOL.labels(part, state).set(count)
        WAITING.labels(part).set(database.waiting)
        LAG.labels(part).set(await _worst_lag())


async def _worst_lag() -> float:
    """Sleep in short pieces until the next reading; give by how many seconds one was too long."""
    loop, worst = asyncio.get_running_loop(), 0.0
    for _ in range(_PIECES):
        due = loop.time() + _EVERY_SECONDS / _PIECES
        await asyncio.sleep(_EVERY_SECONDS / _PIECES)
        worst = max(worst, loop.time() - due)
    return worst
