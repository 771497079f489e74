"""Processes of tests: their environment, and workers that say when they are ready.

A worker prints ``ready``, and stops on SIGTERM when what it runs is finished or its grace is over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.house.repository import ROOT
from tokportal_server.lib.jobs.runner import JobRunner


def environment(**ours: str) -> dict[str, str]:
    """Give an environment that has no setting of the server but these."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOKPORTAL_")}
    return clean | ours


@asynccontextmanager
async def worker_process(
    module: str, *arguments: str, env: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module that is a worker until the block ends, from when it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def work_until_asked(runner: JobRunner, grace_seconds: float) -> None:
    """Run jobs in the process of a worker until SIGTERM comes."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    running = asyncio.create_task(runner.run())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asked.wait()
    await runner.stop(grace_seconds)
    await running
