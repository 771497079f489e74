"""What processes hold in memory, as the kernel counts it. Sizes are MiB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil

_LINE = re.compile(r"^(Rss|Pss|Pss_Anon|Pss_Shmem):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """``resident`` counts shared pages wholly; ``proportional`` by how many share them.

    ``shared`` is the part of ``proportional`` that is made to be shared, such as PostgreSQL's
    buffers; ``anonymous`` what the process has filled itself.
    """

    resident: float
    proportional: float
    anonymous: float
    shared: float

    @property
    def own(self) -> float:
        """What the process has without what is made to be shared."""
        return self.proportional - self.shared


def memory_of(pid: int) -> Memory:
    """Read a process's memory (proc(5), smaps_rollup).

    Raises:
        OSError: the process has gone, or is somebody else's.
    """
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {name: int(kib) / 1024 for name, kib in _LINE.findall(text)}
    return Memory(found["Rss"], found["Pss"], found["Pss_Anon"], found["Pss_Shmem"])


def family_mib(process: psutil.Process) -> float:
    """Give the proportional set size of a process and all that it has started."""
    family = [process, *process.children(recursive=True)]
    return sum(memory_of(member.pid).proportional for member in family)
