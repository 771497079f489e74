"""``manifest.json``: what a backup holds and what it needs. Without it there is no backup."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from tokportal_server.cli.administration import AdministrationError

NAME: Final = "manifest.json"
FORMAT: Final = 1
MEDIA: Final = "media"


class BackupError(AdministrationError):
    """A backup cannot be made, read or restored; the message says why and what to do."""


class File(msgspec.Struct, frozen=True):
    """A file of the backup, by its name in the folder; ``size`` is bytes."""

    name: str
    size: int
    sha256: str


class Media(msgspec.Struct, frozen=True):
    """The objects: how many are in the folder, and why others are not.

    ``copied``: they are in the folder. ``listed``: they are where ``store`` says, and only named.
    ``gone`` were deleted while the backup ran; ``missing`` and ``damaged`` were so before it.
    """

    mode: Literal["copied", "listed"]
    store: str
    objects: int
    size: int
    gone: int = 0
    missing: int = 0
    damaged: int = 0


class KeyNote(msgspec.Struct, frozen=True):
    """A vault key that is needed, by its id, with something that only this key opens."""

    key_id: str
    sealed: bytes


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. It names keys and has none of them."""

    format: int = FORMAT
    made_at: datetime
    server_version: str
    installation: str
    schema_revision: str
    schema_texts: dict[str, str]
    postgresql: int
    database: File
    media_list: File
    media: Media
    rows: dict[str, int]
    vault_keys: list[KeyNote]
    checksum: str = ""

    def sealed(self) -> bytes:
        """Give the bytes of the file, with the checksum over all the rest."""
        whole = msgspec.structs.replace(self, checksum=self._digest())
        return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"

    def is_whole(self) -> bool:
        """Tell whether nothing in it was changed since it was written."""
        return self.checksum == self._digest()

    def _digest(self) -> str:
        bare = msgspec.structs.replace(self, checksum="")
        return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()


class _Format(msgspec.Struct, frozen=True):
    format: int


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        BackupError: there is none, it is damaged, or a newer release wrote it.
    """
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise BackupError(
            f"{folder} holds no whole backup: there is no {NAME}. If a backup was broken off there,"
            " make it again; what it had copied is used."
        ) from None
    except OSError as error:
        raise BackupError(f"{folder / NAME} cannot be read: {error.strerror}.") from error
    try:
        if msgspec.json.decode(text, type=_Format).format > FORMAT:
            raise BackupError(
                f"{folder} was written by a newer release, in a format that this one does not"
                " know. Use that release, or a newer one."
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupError(f"{folder / NAME} is damaged: {error}. Take another backup.") from error
    if not manifest.is_whole():
        raise BackupError(f"{folder / NAME} was changed after it was written. Take another backup.")
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in its place in one step, after everything else is on the disk."""
    part = folder / f"{NAME}.part"
    with private(part) as file:
        file.write(manifest.sealed())
    os.sync()
    part.rename(folder / NAME)
    os.sync()


def private(path: Path) -> BinaryIO:
    """Open a new file that nobody else can read; one that is in its place goes."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
