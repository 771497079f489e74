"""The list of a backup's media: one JSON object a line, ordered by key, as many as there are.

It is read and written a line at a time, so that a million of them cost no memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import msgspec

from tokportal_server.cli.backup.manifest import BackupError, File, private
from tokportal_server.lib.storage import check_key

State = Literal["copied", "listed", "gone", "missing", "damaged"]


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """An object that a row names.

    ``size`` and ``sha256`` are what the row says, or what was found if it says nothing: a presigned
    upload that was not used yet. That one may have arrived or not (``optional``).
    """

    key: str
    size: int | None = None
    sha256: str | None = None
    optional: bool = False
    state: State = "listed"


class Writer:
    """Writes a list, and knows its size and checksum at the end."""

    def __init__(self, path: Path) -> None:
        self._file = private(path)
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._encoder = msgspec.json.Encoder()

    def write(self, item: Item) -> None:
        """Add a line."""
        line = self._encoder.encode(item) + b"\n"
        self._sha256.update(line)
        self._size += len(line)
        self._file.write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def written(self, name: str) -> File:
        """Give what was written, under the name that it has."""
        return File(name, self._size, self._sha256.hexdigest())


def read(path: Path) -> Iterator[Item]:
    """Give the lines of a list.

    Raises:
        BackupError: a line is none of ours.
    """
    decoder = msgspec.json.Decoder(Item)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                item = decoder.decode(line)
                check_key(item.key)
            except (msgspec.DecodeError, ValueError) as error:
                raise BackupError(
                    f"Line {number} of {path} is damaged. Take another backup."
                ) from error
            yield item
