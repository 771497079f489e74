"""Which texts made a schema: what is recorded in it, compared with what this release has.

A revision's number says which step was taken, not what it did. Whoever ran a step before its text
was changed has another schema under the same number, and would learn of it from some statement
that fails much later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

HAS_TEXTS = "SELECT to_regclass('schema_texts') IS NOT NULL"
TEXTS = "SELECT revision, sha256 FROM schema_texts"
RECORD_TEXT = """
INSERT INTO schema_texts (revision, sha256) VALUES ($1, $2)
ON CONFLICT (revision) DO UPDATE SET sha256 = excluded.sha256
"""
_SHOWN = 4


class SchemaError(Exception):
    """A schema was not made by the texts of this release; the message names those that differ."""

    def __init__(self, differing: list[str]) -> None:
        more = len(differing) - _SHOWN
        names = ", ".join(differing[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        super().__init__(
            f"This database was made by other migrations than this release has: {names}."
            " Nothing was changed in it."
        )


def text_of(name: str) -> str:
    """Give the text of a step, such as ``0001_foundation``."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Give the name under which a text is known: its SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def names() -> list[str]:
    """Give the steps of this release, in order."""
    found = files(__package__).joinpath("sql").iterdir()
    return sorted(path.name.removesuffix(".sql") for path in found if path.name.endswith(".sql"))


def refuse_other_texts(recorded: Mapping[str, str], revision: str) -> None:
    """Make sure that a schema of ``revision`` came about by the texts of this release.

    Steps that only a newer release has are its own business.

    Raises:
        SchemaError: a step has another text, or left no record of it.
    """
    taken = [name for name in names() if name[:4] <= revision]
    differing = [name for name in taken if recorded.get(name) != digest(text_of(name))]
    if differing:
        raise SchemaError(differing)
