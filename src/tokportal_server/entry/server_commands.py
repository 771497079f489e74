"""``serve`` and ``worker``: the server itself."""

from __future__ import annotations

import uvloop

from tokportal_server.entry import stack
from tokportal_server.entry.installation import settings
from tokportal_server.entry.operator_options import Flag


def serve(*, workers: int = 1, with_worker: Flag = False) -> int:
    """Start the database, migrate it, and serve the API until stopped.

    Parameters
    ----------
    workers
        API processes.
    with_worker
        Run a worker beside them; without it start `tokportal-server worker` elsewhere.
    """
    return stack.serve(settings(), workers=workers, with_worker=with_worker)


def worker() -> None:
    """Run a worker: events, webhook deliveries, deadlines, jobs, simulated managers."""
    with stack.borrowed_database(settings()) as ready:
        from tokportal_server.entry.worker import run_worker  # noqa: PLC0415 - not for serve

        uvloop.run(run_worker(ready))
