"""Bring a database to the newest revision, or say which one it has."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from tokportal_server.migrations.texts import names, text_of


@dataclass(frozen=True, slots=True)
class Step:
    """A revision that a database lacks: its name, and what its text says of itself."""

    name: str
    about: str


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(__package__)))
    # Alembic's configuration format gives % a meaning of its own.
    config.set_main_option("sqlalchemy.url", dsn.replace("%", "%%"))
    return config


def _is_news(record: logging.LogRecord) -> bool:
    """Let Alembic say which revisions it runs, and not, at every command, that it could."""
    return record.levelno > logging.INFO or record.getMessage().startswith("Running")


def migrate(dsn: str) -> None:
    """Run every revision that ``dsn`` (``postgresql://…``) does not have yet. Blocks.

    Raises:
        SchemaError: what the database has was made by other texts than this release's.
    """
    logging.getLogger("alembic.runtime.migration").addFilter(_is_news)
    command.upgrade(_config(dsn), "head")


def is_behind(revision: str | None) -> bool:
    """Tell whether a database of this revision lacks one of this release; newer ones lack none."""
    return revision is None or revision in revisions()[:-1]


def revisions() -> list[str]:
    """Give the revisions of this release, the oldest first."""
    scripts = ScriptDirectory.from_config(_config("")).walk_revisions()
    return [script.revision for script in scripts][::-1]


def newest_revision() -> str:
    """Give the revision that this release needs."""
    return ScriptDirectory.from_config(_config("postgresql://")).get_current_head() or ""


def pending(revision: str | None) -> list[Step]:
    """Give what :func:`migrate` would run on a database of this revision, in order."""
    return [
        Step(name, _first_sentence(text_of(name)))
        for name in names()
        if is_behind(revision) and name[:4] > (revision or "")
    ]


def _first_sentence(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    sentence, dot, _ = " ".join(lines).partition(". ")
    return sentence + dot.strip()
