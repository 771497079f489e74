"""Filters of a list as its page's address has them, and links that keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from tokportal_server.http.errors import ValidationError
from tokportal_server.http.validation import decode_query
from tokportal_server.pages.page import Visit
from tokportal_server.pages.texts import text_or

Q = TypeVar("Q", bound=msgspec.Struct)


def query_of(visit: Visit, kind: type[Q]) -> tuple[Q, dict[str, str]]:
    """Read the filters of an operation's list from the address; give also what was understood.

    People edit addresses and follow old links: what is no filter, or no value of it, is left out
    rather than refused, and the page shows the list without it.
    """
    known = {info.encode_name for info in msgspec.structs.fields(kind)}
    given = {name: value.strip() for name, value in visit.query.items() if name in known}
    given = {name: value for name, value in given.items() if value}
    while True:
        try:
            return decode_query(kind, urlencode(given).encode()), given
        except ValidationError as error:
            wrong = {str(one["field"]).partition("[")[0] for one in error.details["errors"]}
            left = {name: value for name, value in given.items() if name not in wrong}
            # A rule between fields that names none of them: then nothing of it is kept.
            given = left if len(left) < len(given) else {}


def blank(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Give the fields of a form about ``kind``, all empty."""
    return {info.encode_name: "" for info in msgspec.structs.fields(kind)}


def options(kind: str, words: Iterable[str]) -> list[tuple[str, str]]:
    """Give words from the data with the names that people see, for a choice in a form."""
    return [(word, text_or(f"{kind}.{word}", word)) for word in words]


def link(address: str, filters: Mapping[str, str], **more: object) -> str:
    """Give an address with filters; those that are empty are left out, ``more`` replaces."""
    values = {**filters, **{name: str(value) for name, value in more.items()}}
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{address}?{query}" if query else address
