"""What the supervisor starts: ``python -m tokportal_server.entry.child api|worker --parent PID``.

Each kind of process loads what it needs and nothing else: the command line, the generator of the
documents and the demo cost a second and thirty megabytes that no server uses.
"""

from __future__ import annotations

import argparse
import os

import uvloop

from tokportal_server.lib import log
from tokportal_server.lib.process import die_with_parent
from tokportal_server.lib.settings import Settings


def main() -> None:
    """Be one process of the server, on a database that is there and migrated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("api", "worker"))
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    # Before the imports: a parent that dies while they last takes this process along.
    die_with_parent(parent=asked.parent)
    settings = Settings.from_env(os.environ)
    log.configure(settings.log_level, settings.log_format)
    if asked.kind == "api":
        from tokportal_server.entry.granian_server import serve_api  # noqa: PLC0415 - see above

        serve_api(settings, workers=asked.workers)
    else:
        from tokportal_server.entry.worker import run_worker  # noqa: PLC0415 - see above

        uvloop.run(run_worker(settings))


if __name__ == "__main__":
    main()
