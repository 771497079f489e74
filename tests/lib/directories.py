"""Directories for programs that run as accounts of their own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def passable_directory() -> Iterator[Path]:
    """Make a directory that every account may pass through, unlike pytest's own."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private directory there
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2_000_000_000
    base = memory if is_roomy else None  # a disk that other tests use makes each initdb wait
    directory = Path(tempfile.mkdtemp(prefix="embedded-", dir=base))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
