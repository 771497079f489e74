"""What the strict decoder found wrong with a field, in words that a caller can act on.

The decoder speaks of types and regular expressions (``Expected `int` >= 1``); whoever sends JSON
from Node or a spreadsheet should read what to send instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "array": "a list",
    "object": "an object",
    "date": "a day such as 2026-11-27",
    "datetime": "a time such as 2026-11-27T10:00:00Z",
    "uuid": "an id, which is a UUID",
}
_PARTS = {"str": "character", "array": "item", "object": "entry"}
_BOUNDS = {">=": "{} or more", "<=": "{} or less", ">": "more than {}", "<": "less than {}"}
_LONGEST_SHOWN = 60
_STEP = re.compile(r"\[(\d+)\]|\.(\w+)")


def _length(found: re.Match[str]) -> str:
    kind, comparison, number = found.groups()
    part = _PARTS.get(kind, "part") + ("" if number == "1" else "s")
    return f"must have {'at least' if comparison == '>=' else 'at most'} {number} {part}"


def _bound(found: re.Match[str]) -> str:
    return f"must be {_BOUNDS[found[1]].format(found[2])}"


def _kind(found: re.Match[str]) -> str:
    return f"must be {_KINDS.get(found[1], found[1])}"


_SAYINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"Expected `(\w+)[^`]*` of length (>=|<=) (\d+)"), _length),
    (re.compile(r"Expected `[^`]*` (>=|<=|>|<) (\S+)"), _bound),
    (re.compile(r"Expected `[^`]*` matching regex '(.*)'"), lambda m: f"must match {m[1]}"),
    (re.compile(r"Expected `(\w+)[^`]*`, got .*"), _kind),
    (re.compile(r"Invalid RFC3339 encoded (\w+)"), _kind),
    (re.compile(r"Invalid (UUID)"), lambda _: f"must be {_KINDS['uuid']}"),
    (re.compile(r"Object missing required field `(.*)`"), lambda m: f"lacks {m[1]}"),
    (re.compile(r"Object contains unknown field `(.*)`"), lambda m: f"has no field {m[1]}"),
)


def describe(annotation: Any, value: object, message: str) -> tuple[str, str, object]:
    """Put a decoder's ``message`` about a field into words.

    Gives the path below the field (empty, or like ``[2]``), the sentence, and the value there.
    """
    reason, _, path = message.partition(" - at `$")
    path = path.rstrip("`")
    of_lists = bool(re.match(r"Expected `array", reason))
    if (choices := _choices(annotation)) and not of_lists:
        return path, f"must be one of {', '.join(map(str, choices))}", _at(value, path)
    if "matching regex" in reason and (accepted := next(_accepted(annotation), None)):
        return path, f"must be {accepted}", _at(value, path)
    sentence = _say(reason)
    if reason.startswith("Object contains unknown field") and (known := _fields(annotation)):
        sentence += f"; there are {', '.join(known)}"
    return path, sentence, _at(value, path)


def _say(reason: str) -> str:
    for pattern, sentence in _SAYINGS:
        if found := pattern.fullmatch(reason):
            return sentence(found)
    return reason[:1].lower() + reason[1:] if reason else "is not valid"


def _at(value: Any, path: str) -> object:
    """Give what stands at ``path``; what cannot be found there is not shown."""
    for index, name in _STEP.findall(path):
        try:
            value = value[int(index)] if index else value[name]
        except (LookupError, TypeError):
            return msgspec.UNSET
    return value


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    for part in get_args(annotation):
        if found := _choices(part):
            return found
    return ()


def _fields(annotation: Any) -> tuple[str, ...]:
    """Give the fields of the one kind of object that the annotation is about."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return tuple(field.encode_name for field in msgspec.structs.fields(annotation))
    return next(filter(None, map(_fields, get_args(annotation))), ())


def _accepted(annotation: Any) -> Iterator[str]:
    """Yield what the annotation says in words of the texts that its pattern lets pass."""
    for part in get_args(annotation):
        if isinstance(part, msgspec.Meta) and part.extra and "accepts" in part.extra:
            yield part.extra["accepts"]
        yield from _accepted(part)


def shown(value: object) -> str:
    """Give a value as it stands in a message, which a long one would drown."""
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")
    return msgspec.json.encode(value).decode()
