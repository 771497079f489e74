"""Archives written to a file of this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from tokportal_server.cli.administration import AdministrationError

_OWNER_ONLY = 0o600


async def write_archive(chunks: AsyncIterator[bytes], target: Path) -> int:
    """Write an archive that only its owner may read; it has its name when it is whole.

    Gives its size in bytes.

    Raises:
        AdministrationError: there is such a file already, or it cannot be written.
    """
    if await asyncio.to_thread(target.exists):
        raise AdministrationError(f"{target} is there already; name a new file.")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        with _new_file(part) as to:
            async for piece in chunks:
                await asyncio.to_thread(to.write, piece)
            await asyncio.to_thread(_sync, to)
        part.rename(target)
    except OSError as error:
        raise AdministrationError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return (await asyncio.to_thread(target.stat)).st_size


def _new_file(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    return os.fdopen(descriptor, "wb")


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
