"""``tokportal-server backup`` and ``restore``: the whole installation in a folder, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclopts import App
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tokportal_server.cli.backup.checking import bytes_to_read, problems
from tokportal_server.cli.backup.folder import reading
from tokportal_server.cli.backup.keys import refuse_keys_beside, write_keys
from tokportal_server.cli.backup.manifest import Manifest, read_manifest
from tokportal_server.cli.backup.restoring import Wanted, examine_backup, restore_backup
from tokportal_server.cli.backup.taking import Asked, Taken, Telling, take_backup
from tokportal_server.entry import stack
from tokportal_server.entry.installation import answer, console, settings
from tokportal_server.entry.operator_options import Flag

backup = App(name="backup", help="Take a backup, or check one.")
_SHOWN = 20


@backup.default
def take(
    target: Path,
    *,
    media: bool = True,
    with_bucket: Flag = False,
    keys: Path | None = None,
    programs: Path | None = None,
) -> int:
    """Back up database and media into a folder, while the server runs; exit 1 if media are missing.

    What the folder holds already is not copied again. The vault key is never in it.

    Parameters
    ----------
    target
        Folder: empty, or with an earlier backup of this installation, which is replaced.
    media
        Copy the media; otherwise they are only listed, with their checksums.
    with_bucket
        Copy the media of a bucket too; without it those of a bucket are listed, since a bucket
        has versions and replicas of its own.
    keys
        File in another place that the vault keys are written to.
    programs
        Folder with pg_dump of the database's version, instead of the one that comes along.
    """
    read = settings()
    is_bucket = read.storage_url.startswith("s3:")
    if keys is not None:
        refuse_keys_beside(keys, target)
        console.print(f"Vault keys {', '.join(write_keys(read, keys))} are in {keys}.")
    with stack.database_as_it_is(read) as dsn, _progress() as telling:
        asked = Asked(
            settings=read,
            dsn=dsn,
            folder=target,
            with_media=media and (with_bucket or not is_bucket),
            programs=programs,
        )
        taken = asyncio.run(take_backup(asked, telling))
    return _told(taken, target)


def _told(taken: Taken, target: Path) -> int:
    manifest, media = taken.manifest, taken.manifest.media
    how = "copied" if media.mode == "copied" else f"listed, in {media.store}"
    rows = sum(manifest.rows.values())
    answer(f"{target}: {rows} rows and {media.objects} media ({_mb(media.size)}) {how}.")
    if media.mode == "listed" and media.objects:
        console.print(
            "The media are not in the backup: keep versions or a replica of the bucket, or copy"
            " them with --with-bucket.",
            highlight=False,
        )
    if media.gone:
        console.print(f"{media.gone} media were deleted meanwhile.", highlight=False)
    if manifest.vault_keys:
        ids = ", ".join(note.key_id for note in manifest.vault_keys)
        console.print(f"Restoring needs vault key {ids}, which is not in it.", highlight=False)
    if taken.lost:
        count = media.missing + media.damaged
        console.print(f"[red]{count} media are not in it:[/red] {'; '.join(taken.lost)}")
    return 1 if taken.lost else 0


@backup.command
def verify(folder: Path) -> int:
    """Read a backup to its last byte, and compare it with its checksums; exit 1 if it is damaged.

    Parameters
    ----------
    folder
        Folder of the backup.
    """
    with reading(folder), _progress() as telling:
        manifest = read_manifest(folder)
        telling.begin("checking", bytes_to_read(manifest))
        found = list(problems(folder, manifest, telling.advance))
    for problem in found[:_SHOWN]:
        answer(problem)
    if found:
        answer(f"{len(found)} files cannot be used. Delete them, and take the backup again.")
        return 1
    answer(f"{folder} is whole: {_described(manifest)}.")
    return 0


def restore(
    source: Path,
    *,
    keys: Path | None = None,
    paused: Flag = False,
    programs: Path | None = None,
) -> int:
    """Restore a backup into an empty installation, and prove it; exit 1 if something is missing.

    Parameters
    ----------
    source
        Folder of the backup.
    keys
        File of vault keys, put in their place if the installation has none.
    paused
        Leave maintenance on: nothing is sent and nobody works until it is turned off.
    programs
        Folder with pg_restore of the database's version, instead of the one that comes along.
    """
    read = settings()
    wanted = Wanted(settings=read, folder=source, keys=keys, paused=paused, programs=programs)
    with reading(source), _progress() as telling:
        manifest = examine_backup(wanted, telling)
        with stack.database_as_it_is(read) as dsn:
            wrong = asyncio.run(restore_backup(wanted, manifest, dsn, telling))
    for line in wrong:
        answer(line)
    if wrong:
        answer(f"The database is restored, but {len(wrong)} things are not as they should be.")
        return 1
    answer(f"Restored and proven: {_described(manifest)}.")
    if paused:
        console.print(
            'Maintenance is on until: tokportal-server maintenance off --reason "…"',
            highlight=False,
        )
    return 0


def _described(manifest: Manifest) -> str:
    media = manifest.media
    return (
        f"{sum(manifest.rows.values())} rows and {media.objects} media ({_mb(media.size)}) of"
        f" {manifest.made_at:%Y-%m-%d %H:%M} UTC"
    )


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


@contextmanager
def _progress() -> Iterator[Telling]:
    """Show how far it is, on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:

        def begin(what: str, total: int | None) -> None:
            for task in shown.task_ids:
                shown.stop_task(task)
            shown.add_task(what, total=total)

        def advance(size: int) -> None:
            shown.advance(shown.task_ids[-1], size)

        yield Telling(begin, advance)
