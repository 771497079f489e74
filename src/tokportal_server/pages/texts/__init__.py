"""Every text of the pages, by key: a translation is another such table.

``{name}`` marks what is filled in, and ``{name:video|videos}`` a word that goes by a number: the
first for one, the second for any other. Messages of refusals are the operations' own. One module
holds the texts of one kind of page; a key is in one of them only, which a test holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokportal_server.pages.texts import (
    analytics,
    connect,
    console,
    desk,
    frame,
    names,
    operator_names,
    operators,
    people,
    privacy,
    staff,
    workspace,
)

TABLES: Final = (
    frame.TEXTS,
    people.TEXTS,
    names.TEXTS,
    desk.TEXTS,
    console.TEXTS,
    workspace.TEXTS,
    connect.TEXTS,
    analytics.TEXTS,
    operators.TEXTS,
    operator_names.TEXTS,
    staff.TEXTS,
    privacy.TEXTS,
)
TEXTS: Final[Mapping[str, str]] = {key: told for table in TABLES for key, told in table.items()}


def text(key: str, **values: object) -> str:
    """Give a text, filled in.

    Raises:
        KeyError: there is no such text, or a value that it needs is missing.
    """
    return TEXTS[key].format(
        **{name: _Counted(value) if type(value) is int else value for name, value in values.items()}
    )


class _Counted(int):
    """A number by which a text chooses a word."""

    def __format__(self, spec: str) -> str:
        one, either, more = spec.partition("|")
        if not either:
            return super().__format__(spec)
        return one if self == 1 else more


def text_or(key: str, otherwise: str) -> str:
    """Give the name of something from the data, or the word itself if it has none here."""
    return TEXTS.get(key, otherwise)
