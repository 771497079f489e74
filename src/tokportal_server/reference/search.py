"""The search index: one entry a page, and one an error code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from tokportal_server.reference.guides import Guide
from tokportal_server.reference.model import OperationEntry, Reference

_WORD = re.compile(r"[a-z0-9_]{2,}")


class SearchEntry(msgspec.Struct, frozen=True):
    """What a search can find: ``words`` is what it is found by, beside its title."""

    title: str
    kind: str
    address: str
    words: str


def search_entries(
    reference: Reference, guides: Mapping[str, Guide], link: Callable[[str], str]
) -> list[SearchEntry]:
    """Give the index, with addresses as ``link`` makes them."""
    operations = [
        SearchEntry(
            entry.id,
            f"{entry.operation.method} {entry.full_path}",
            link(f"operations/{entry.id}"),
            _words(_texts(entry)),
        )
        for entry in reference.entries.values()
    ]
    pages = [
        SearchEntry(guide.title, "Guide", link(f"guides/{name}"), _words([guide.markdown]))
        for name, guide in guides.items()
    ]
    errors = [
        SearchEntry(code, f"Error {r.status}", link("errors") + f"#{code}", _words([r.meaning]))
        for code, r in reference.refusals.items()
    ]
    return operations + pages + errors


def search_script(entries: Iterable[SearchEntry]) -> str:
    """Write the index as a script: a page opened from a disk may load that, but fetch nothing."""
    encoded = json.dumps([msgspec.to_builtins(entry) for entry in entries], ensure_ascii=False)
    return f"globalThis.searchIndex = {encoded};\n"


def _texts(entry: OperationEntry) -> list[str]:
    operation = entry.operation
    fields = [*entry.path_fields, *entry.query_fields, *entry.body_fields, *entry.answer_fields]
    names = [field.name.rpartition(".")[2] for field in fields]
    return [operation.summary, operation.description, operation.tag, operation.path, *names]


def _words(texts: Iterable[str]) -> str:
    return " ".join(sorted({word for text in texts for word in _WORD.findall(text.lower())}))
