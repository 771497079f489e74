"""A tool's arguments become the parts of a request; what is wrong with them the API says itself.

An argument that the tool does not have is sent where the API looks for such things, which refuses
it as ``UNKNOWN_FIELD`` or ``UNKNOWN_PARAMETER``: a misspelt ``dry_run`` must never be a live call.
``null`` is sent in a body, where it may clear a field, and means "not given" elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.mcp.signature import Signature

_PARAMETER = re.compile(r"\{(\w+)\}")
# Anything else could lead to another operation once the path is put together and decoded.
_PATH_VALUE = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE = re.compile(r"[ -~]*")


@dataclass(slots=True)
class Parts:
    """A request before it is sent: ``path`` is below the base path, ``fields`` are the body's."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def dry_run(self) -> bool:
        """Whether the call may be a dry run; the API refuses what is neither yes nor no."""
        return self.headers.get("X-TokPortal-Dry-Run", "false").lower() not in ("false", "0")

    def json_body(self, *, always: bool) -> bytes | None:
        """Encode the fields; None if there are none, unless a body must ``always`` be there."""
        # Escaped, so that what UTF-8 cannot carry still reaches the API and gets its answer there.
        return json.dumps(self.fields).encode() if self.fields or always else None


def parts_of(signature: Signature, arguments: Mapping[str, Any]) -> Parts:
    """Sort ``arguments`` into a request.

    Raises:
        ValidationError: a path argument is missing, or a value cannot stand where it belongs.
    """
    parts = Parts(signature.method, signature.path)
    places: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in arguments.items():
        known = signature.arguments.get(name)
        place = known.place if known else _place_of_unknown(signature)
        wire_name = known.wire_name if known else name
        if place == "body":
            parts.fields[wire_name] = value
        elif place == "path":
            places[wire_name] = value
        elif value is None:
            continue
        elif place == "query":
            parts.query += [(wire_name, _text(item)) for item in _items(value)]
        elif _HEADER_VALUE.fullmatch(_text(value)):
            parts.headers[wire_name] = _text(value)
        else:
            problems.append(Problem(name, "must be printable ASCII", value))
    problems += _path_problems(signature, places)
    refuse(problems)
    parts.path = _PARAMETER.sub(lambda match: _text(places[match[1]]), signature.path)
    return parts


def _place_of_unknown(signature: Signature) -> str:
    return "query" if signature.method == "GET" else "body"


def _path_problems(signature: Signature, places: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name in _PARAMETER.findall(signature.path):
        value = places.get(name)
        if value is None:
            problems.append(Problem(name, "is required"))
        elif not _PATH_VALUE.fullmatch(_text(value)):
            problems.append(Problem(name, "must be what the list operation gives", value))
    return problems


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """Write a value as queries, paths and headers have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
