"""Child processes: dying with the parent, and a small supervisor that keeps children running."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

_PR_SET_PDEATHSIG = 1
_FIRST_DELAY_SECONDS = 1.0
_MAX_DELAY_SECONDS = 30.0

log = structlog.get_logger()


def spare_the_collector() -> None:
    """Keep what start-up made out of later garbage collections, and have fewer of those.

    To be called once when everything is loaded: modules and classes live as long as the process,
    and looking through them again and again took a quarter of a busy worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


def die_with_parent(number: signal.Signals = signal.SIGTERM, *, parent: int | None = None) -> None:
    """Have the kernel signal this process when its parent ends, however that ends.

    To be called early in the child. Linux ties the signal to the thread that started the child,
    and forgets it when the child changes its user. ``parent`` is the parent's pid as the parent
    told it; if another process is the parent by now, the signal is sent at once. Elsewhere than
    on Linux this does nothing. ``OSError`` if the kernel refuses.
    """
    if sys.platform != "linux":
        return
    expected = os.getppid() if parent is None else parent
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), nothing, nothing, nothing) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    # The parent may have ended before the call; then no signal would ever come.
    if os.getppid() != expected:
        os.kill(os.getpid(), number)


@contextmanager
def noticing(numbers: Sequence[signal.Signals], act: Callable[[], object]) -> Iterator[None]:
    """Have ``act`` called in the running loop when a signal comes, beside the loop's own handler.

    A loop's handler is told through the file descriptor that Python writes every signal to, so one
    more in Python's own table takes nothing from it. For the main thread.
    """
    loop = asyncio.get_running_loop()

    def notice(*_: object) -> None:
        loop.call_soon_threadsafe(act)

    before = [signal.signal(number, notice) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclass(frozen=True)
class ChildSpec:
    """A program to keep running; without ``env`` it gets ours."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None


class Supervisor:
    """Keeps children running until SIGTERM or SIGINT, then stops them in order.

    A child that ends by itself, with whatever code, is started again after 1, 2, 4 ... at most
    30 seconds; having run that longest delay, it starts over at 1. A stop signal is passed on to
    every child, and what still runs ``grace`` seconds later is killed. Children have sessions of
    their own, so a terminal's Ctrl-C reaches them once, through us; they should call
    ``die_with_parent`` for the case that we are killed.
    """

    def __init__(self, specs: Sequence[ChildSpec], *, grace: float = 30.0) -> None:
        self._specs = specs
        self._grace = grace
        self._stop_signal: signal.Signals | None = None
        self._stopping = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> int:
        """Run until stopped; 0 if every child ended in time, 1 if one had to be killed.

        To be called in the main thread, where Python delivers signals.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [group.create_task(self._keep(spec)) for spec in self._specs]
                await self._stopping.wait()
                _, late = await asyncio.wait(keepers, timeout=self._grace)
                self._signal_children(signal.SIGKILL)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        return 1 if late else 0

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Pass a stop signal on to all children, and start none again."""
        self._stop_signal = number
        self._stopping.set()
        self._signal_children(number)

    async def _keep(self, spec: ChildSpec) -> None:
        delay = _FIRST_DELAY_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            code = await self._run_once(spec)
            if self._stopping.is_set():
                return
            if loop.time() - started >= _MAX_DELAY_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            log.warning("child_ended", child=spec.name, exit_code=code, restart_seconds=delay)
            try:
                await asyncio.wait_for(self._stopping.wait(), delay)
            except TimeoutError:
                delay = min(delay * 2, _MAX_DELAY_SECONDS)

    async def _run_once(self, spec: ChildSpec) -> int:
        process = await asyncio.create_subprocess_exec(
            *spec.argv, env=spec.env, start_new_session=True
        )
        self._running[spec.name] = process
        try:
            if self._stop_signal is not None:  # it came while the child was being started
                process.send_signal(self._stop_signal)
            return await process.wait()
        finally:
            del self._running[spec.name]

    def _signal_children(self, number: signal.Signals) -> None:
        for process in self._running.values():
            if process.returncode is None:
                process.send_signal(number)
