"""A worker that only fetches media, with a short lease: `python -m tests.hazards.fetch_worker`.

Its settings come from the environment, as those of the real one. It prints `ready`, and stops on
SIGTERM when what it runs is finished.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from functools import partial

from tests.lib.processes import work_until_asked
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.jobs import MediaFetcher
from tokportal_server.uploads.media import FETCH_MEDIA
from tokportal_server.videos.media_arrival import on_media_settled

LEASE = timedelta(seconds=2)
GRACE_SECONDS = 30.0


async def work() -> None:
    settings = Settings.from_env(os.environ)
    async with open_ports(settings, direct=True) as ports:
        settled = partial(on_media_settled, rules=OrderRules.of(settings))
        runner = JobRunner(
            ports.database,
            {FETCH_MEDIA: MediaFetcher(ports, settled).run},
            backoff=timedelta(milliseconds=200),
            lease=LEASE,
        )
        await work_until_asked(runner, GRACE_SECONDS)


if __name__ == "__main__":
    asyncio.run(work())
