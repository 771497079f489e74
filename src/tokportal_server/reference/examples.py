"""Example requests, one an operation, read from ``contract/examples.json``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tokportal_server.lib.resources import contract_file

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that succeeds once its placeholders stand for things of the caller.

    A placeholder is a whole value, ``"{bundle_id}"``. ``fields`` and ``file`` (a name in the
    current directory) make a form, ``body`` is JSON.
    """

    path: dict[str, str | int] = {}
    query: dict[str, str | int] = {}
    body: dict[str, Any] | None = None
    fields: dict[str, str] = {}
    file: str | None = None


class Examples(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: what each placeholder stands for, and the example of each operation."""

    placeholders: dict[str, str]
    operations: dict[str, Example]


class ExampleError(Exception):
    """``contract/examples.json`` and the operations do not fit; the message says where."""


def load_examples() -> Examples:
    """Read the file; ``msgspec.ValidationError`` if it has another shape."""
    return msgspec.json.decode(contract_file("examples.json").read_bytes(), type=Examples)


def placeholder_of(value: object) -> str | None:
    """Give the name of the placeholder that a value is, if it is one."""
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match.group(1) if match else None


def variable(placeholder: str) -> str:
    """Give the environment variable that samples read a placeholder from."""
    return placeholder.upper()


def placeholders_in(example: Example) -> list[str]:
    """Give the placeholders of an example, each once, in the order in which they are used."""
    parts: list[object] = [example.path, example.query, example.fields, example.body]
    return list(dict.fromkeys(name for part in parts for name in _names(part)))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
    elif name := placeholder_of(value):
        yield name
