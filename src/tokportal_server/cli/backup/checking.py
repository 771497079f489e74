"""Reading a backup to its last byte, without restoring it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokportal_server.cli.backup import media_list
from tokportal_server.cli.backup.copying import Report
from tokportal_server.cli.backup.folder import described
from tokportal_server.cli.backup.manifest import MEDIA, BackupError, File, Manifest


def problems(folder: Path, manifest: Manifest, report: Report) -> Iterator[str]:
    """Give a sentence for each file that is not what the manifest says. Blocks.

    ``report`` is told the bytes of each file that was read.
    """
    for file in (manifest.database, manifest.media_list):
        yield from _problem(folder / file.name, file)
        report(file.size)
    if manifest.media.mode == "copied":
        yield from _media_problems(folder, manifest, report)


def bytes_to_read(manifest: Manifest) -> int:
    """Give how many bytes :func:`problems` reads."""
    media = manifest.media.size if manifest.media.mode == "copied" else 0
    return manifest.database.size + manifest.media_list.size + media


def _media_problems(folder: Path, manifest: Manifest, report: Report) -> Iterator[str]:
    try:
        for item in media_list.read(folder / manifest.media_list.name):
            if item.state == "copied":
                wanted = File(item.key, item.size or 0, item.sha256 or "")
                yield from _problem(folder / MEDIA / item.key, wanted)
                report(wanted.size)
    except BackupError as error:
        yield str(error)
    except FileNotFoundError:
        return  # told already


def _problem(path: Path, wanted: File) -> Iterator[str]:
    try:
        found = described(path)
    except FileNotFoundError:
        yield f"{path} is missing."
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}."
    else:
        if (found.size, found.sha256) != (wanted.size, wanted.sha256):
            yield f"{path} is damaged: it is not what was written."
