"""A small file system in memory, which can be filled up and emptied again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BALLAST = "ballast"
_UMOUNT = ["umount", "--lazy"]


class SmallDisk:
    """A directory with a file system of its own, if we may mount one; else it is never full."""

    def __init__(self, place: Path, *, mounted: bool) -> None:
        self.place = place
        self.mounted = mounted

    def fill(self) -> None:
        """Leave no byte free, for anybody."""
        assert self.mounted
        handle = os.open(self.place / _BALLAST, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            size = 0
            for step in (1 << 24, 1 << 20, 1 << 12):
                while _grown(handle, size, step):
                    size += step
        finally:
            os.close(handle)

    def free(self) -> None:
        """Make the room again."""
        (self.place / _BALLAST).unlink(missing_ok=True)


def _grown(handle: int, size: int, step: int) -> bool:
    try:
        os.posix_fallocate(handle, size, step)
    except OSError:
        return False
    return True


@contextmanager
def small_disk(place: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a file system of so many megabytes on a new directory; as root only."""
    place.mkdir(mode=0o755)
    size = f"size={megabytes}m,mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = (
        os.geteuid() == 0
        and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    )
    try:
        yield SmallDisk(place, mounted=mounted)
    finally:
        if mounted:
            # Lazily: a process that is about to end may still have its directory in there.
            subprocess.run([*_UMOUNT, str(place)], check=True)
