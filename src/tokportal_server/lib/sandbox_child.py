"""The first code of a sandboxed child: set the limits, then become the wanted module.

Run as a file by ``tokportal_server.lib.sandbox``: the limits must stand before the module, its
packages or any decoder is loaded, and setting them here instead of in a ``preexec_fn`` keeps the
parent's fork safe beside its threads.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import signal
import sys

OUT_OF_MEMORY = 77
"""Exit status that says the limit on memory was met."""


def _limit(limits: dict[str, float]) -> None:
    cpu = int(limits["cpu_seconds"])
    memory = int(limits["memory_bytes"])
    file_size = int(limits["max_file_bytes"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    # The soft limit's SIGXCPU names the reason; the hard one ends a child that ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # If the parent was killed nobody else ends a child that waits; one second lets the parent,
    # where it lives, be the first.
    signal.setitimer(signal.ITIMER_REAL, limits["wall_seconds"] + 1)


def main() -> None:
    """Read the limits (JSON, first argument) and run the module (second) with the others."""
    limits = json.loads(sys.argv[1])
    root = limits.pop("root")
    module = sys.argv[2]
    sys.path.append(root)
    del sys.argv[0:2]
    _limit(limits)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        sys.stdout.flush()
    except MemoryError:
        # Without unwinding: there may be no memory left for a traceback.
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
