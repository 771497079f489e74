"""The folder of a backup: one writer at a time, nobody else's files, nothing left over."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tokportal_server.cli.backup.manifest import (
    MEDIA,
    NAME,
    BackupError,
    File,
    Manifest,
    read_manifest,
)

_LOCK: Final = ".lock"
_OURS = re.compile(r"manifest\.json(?:\.part)?|database-\d+\.dump|media-\d+\.jsonl(?:\.part)?")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Have the folder alone, made if it is missing; give what the disk says as a refusal.

    Raises:
        BackupError: it holds other files, somebody else writes there, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        strange = sorted(path.name for path in folder.iterdir() if not _is_ours(path.name))
        if strange:
            raise BackupError(
                f"{folder} holds other files, such as {strange[0]!r}. Name an empty folder, or one"
                " that holds a backup."
            )
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _lock(lock, folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Keep backups from being written to the folder; it may be on a disk that only can be read.

    Raises:
        BackupError: one is being written there.
    """
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        yield  # a copy without the lock, to which nobody writes
        return
    try:
        _lock(lock, folder, fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


def _is_ours(name: str) -> bool:
    return name in {MEDIA, _LOCK} or _OURS.fullmatch(name) is not None


def _lock(descriptor: int, folder: Path, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BackupError(
            f"Somebody else writes or reads the backup in {folder}. Wait until they are done."
        ) from None


def _unwritable(folder: Path, error: OSError) -> BackupError:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free // 1_000_000
    return BackupError(
        f"{folder} cannot be written: {error.strerror or error} ({free} MB are free there). Make"
        " room, or name another folder. What was copied is used the next time, and a backup that"
        " was there before is whole."
    )


def refuse_another_installation(folder: Path, installation: str) -> None:
    """Never write the backup of one installation over that of another.

    Raises:
        BackupError: the backup in the folder is of another installation.
    """
    if not (folder / NAME).exists():
        return
    found = read_manifest(folder)
    if found.installation != installation:
        raise BackupError(
            f"{folder} holds a backup of another installation, made at {found.made_at:%Y-%m-%d}."
            " Name another folder."
        )


def clear(folder: Path, manifest: Manifest) -> None:
    """Delete dumps and lists that the manifest does not name: of earlier backups, or unfinished."""
    kept = {NAME, manifest.database.name, manifest.media_list.name}
    for path in folder.iterdir():
        if path.is_file() and _OURS.fullmatch(path.name) and path.name not in kept:
            path.unlink()


def described(path: Path) -> File:
    """Read a file of the backup, and give its size and checksum."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return File(path.name, file.tell(), digest.hexdigest())
