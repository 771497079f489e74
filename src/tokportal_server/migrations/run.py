"""Bring a database to the newest revision, or say which one it has."""

from __future__ import annotations

import logging
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(__package__)))
    # Alembic's configuration format gives % a meaning of its own.
    url = dsn.replace("postgresql://", "postgresql+asyncpg://", 1).replace("%", "%%")
    config.set_main_option("sqlalchemy.url", url)
    return config


def _is_news(record: logging.LogRecord) -> bool:
    """Let Alembic say which revisions it runs, and not, at every command, that it could."""
    return record.levelno > logging.INFO or record.getMessage().startswith("Running")


def migrate(dsn: str) -> None:
    """Run every revision that ``dsn`` (``postgresql://…``) does not have yet. Blocks."""
    logging.getLogger("alembic.runtime.migration").addFilter(_is_news)
    command.upgrade(_config(dsn), "head")


def is_behind(revision: str | None) -> bool:
    """Tell whether a database of this revision lacks one of this release; newer ones lack none."""
    known = [
        script.revision for script in ScriptDirectory.from_config(_config("")).walk_revisions()
    ]
    return revision is None or revision in known[1:]


def newest_revision() -> str:
    """Give the revision that this release needs."""
    return ScriptDirectory.from_config(_config("postgresql://")).get_current_head() or ""
