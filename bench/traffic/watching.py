"""What the processes of an installation need meanwhile: memory, processor, restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec
import psutil
from harness.installation import Installation
from harness.memory import memory_of

# Parts of which a run must not lose a process.
LASTING: Final = ("API process", "worker")
POSTGRES: Final = "PostgreSQL"
BUFFERS: Final = "PostgreSQL, shared buffers"
DECODERS: Final = "decoders of media"


class Sample(msgspec.Struct, frozen=True):
    """One moment: ``memory`` is MiB by part, what is made to be shared being apart.

    ``busy`` and ``used`` are percent of all cores since the last sample: of the whole machine, and
    of the installation with the receiver and whoever makes the traffic.
    """

    second: float
    busy: float
    used: float
    memory: dict[str, float]


class Watch:
    """Samples an installation every so many seconds, until it is told to stop."""

    def __init__(self, installation: Installation, every: float) -> None:
        self._installation = installation
        self._every = every
        self.samples: list[Sample] = []
        self.began = time.monotonic()
        self._first: dict[int, str] = {}
        self._labels: dict[int, str] = {}
        self._cpu = (time.monotonic(), 0.0)

    async def run(self, stop: asyncio.Event) -> None:
        """Sample until ``stop`` is set, and once more."""
        psutil.cpu_percent()
        await asyncio.to_thread(self._sample)
        self._first = dict(self._labels)
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)
            await asyncio.to_thread(self._sample)

    def restarted(self) -> list[str]:
        """Name the processes of API and workers that were there first, and are no more."""
        return [
            label
            for pid, label in self._first.items()
            if label.startswith(LASTING) and not psutil.pid_exists(pid)
        ]

    def _sample(self) -> None:
        memory: dict[str, float] = {}
        postgres = self._installation.postgres()
        for pid, process in self._installation.processes().items():
            # A process may end while it is looked at.
            with suppress(psutil.Error, OSError, KeyError):
                own = memory_of(pid)
                label = POSTGRES if pid in postgres else self._label(process)
                memory[label] = memory.get(label, 0.0) + own.own
                if pid in postgres:
                    memory[BUFFERS] = memory.get(BUFFERS, 0.0) + own.shared
        self.samples.append(
            Sample(
                round(time.monotonic() - self.began, 1),
                round(psutil.cpu_percent(), 1),
                round(self._used(postgres.values()), 1),
                {label: round(mib, 2) for label, mib in sorted(memory.items())},
            )
        )

    def _used(self, postgres: Iterable[psutil.Process]) -> float:
        """Give the percent of all cores since the last call; 0 the first time."""
        this = psutil.Process()
        used = 0.0
        for process in {this, *this.children(recursive=True), *postgres}:
            with suppress(psutil.Error):
                # Those of children that have ended are in it; of the living ones each has its own.
                used += sum(process.cpu_times()[:4])
        (then, before), self._cpu = self._cpu, (time.monotonic(), used)
        passed = (self._cpu[0] - then) * (psutil.cpu_count() or 1)
        return 100 * (used - before) / passed if before else 0.0

    def _label(self, process: psutil.Process) -> str:
        if process.pid not in self._labels:
            self._labels[process.pid] = self._numbered(_part(process))
        return self._labels[process.pid]

    def _numbered(self, part: str) -> str:
        if part not in LASTING:
            return part
        return f"{part} {1 + sum(label.startswith(part) for label in self._labels.values())}"


def _part(process: psutil.Process) -> str:
    """Say what a process is, by its command and that of its parent."""
    own, parent = _program(process), process.parent()
    if own == "api":
        return "API process" if parent and _program(parent) == "api" else "API's main process"
    return {"worker": "worker", "serve": "supervisor"}.get(own, DECODERS)


def _program(process: psutil.Process) -> str:
    """Name the command of ours that a process runs, forks of it too; else its command line."""
    words = process.cmdline()
    if "tokportal_server.entry.child" in words:
        return "api" if "api" in words else "worker"
    if "tokportal_server.entry.main" in words:
        return words[words.index("tokportal_server.entry.main") + 1]
    return " ".join(words)
