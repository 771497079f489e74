"""How far this process's memory rose, as the kernel counted it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self


class PeakMemory:
    """Measures, inside the ``with``, the highest resident memory above that at its start.

    ``growth`` is in bytes. The kernel keeps the peak, so nothing between two samples is missed.
    """

    def __init__(self) -> None:
        self.growth = 0
        self._before = 0

    def __enter__(self) -> Self:
        # Writing 5 sets the recorded peak back to the present size (proc(5), clear_refs).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = _status("VmRSS")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.growth = _status("VmHWM") - self._before


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
