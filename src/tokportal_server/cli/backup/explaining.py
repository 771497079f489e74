"""What databases and buckets say when they fail, as one sentence without a row in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from obstore.exceptions import BaseError

from tokportal_server.cli.backup.manifest import BackupError
from tokportal_server.lib.storage import StorageUnavailableError


@contextmanager
def explained(so_far: str) -> Iterator[None]:
    """Turn the failures of others into a refusal; ``so_far`` says what has become of the work.

    Raises:
        BackupError: the database or the media store failed.
    """
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        raise BackupError(f"The database failed: {_first_line(error)}. {so_far}") from error
    except StorageUnavailableError as error:
        reason = _first_line(error.__cause__ or error)
        raise BackupError(f"The media store takes nothing: {reason}. {so_far}") from error
    except BaseError as error:
        raise BackupError(f"The media store failed: {_first_line(error)}. {so_far}") from error


def _first_line(error: BaseException) -> str:
    """Give the message without the details after it, which may quote a row."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".")
