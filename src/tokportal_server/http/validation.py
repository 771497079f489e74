"""From bytes to a checked value: fast when all is well, complete when it is not.

One strict decode settles the good case. Only when it fails is the document walked field by field,
so that the answer lists every problem at once (contract section 1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol, TypeVar, get_args, get_origin, runtime_checkable
from urllib.parse import unquote_plus

import msgspec
from msgspec.structs import FieldInfo

from tokportal_server.http.errors import (
    MalformedJsonError,
    OptionNotOfferedError,
    UnknownFieldError,
    UnknownParameterError,
    ValidationError,
)
from tokportal_server.http.wording import describe, shown

T = TypeVar("T", bound=msgspec.Struct)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_ECHO = 200
# What a person reads of an answer; a hostile body has a hundred thousand problems, and an answer
# that listed them all would be many times as long as the request.
_MOST_LISTED = 100
_MOST_NAMED = 10
_DEEPEST_NAMED = 20


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of ``details.errors``: which field, what is wrong and how to mend it."""

    field: str
    message: str
    value: Any = msgspec.UNSET


@runtime_checkable
class HasRules(Protocol):
    """A body whose fields depend on each other says how in ``problems``."""

    def problems(self) -> Iterator[Problem]:
        """Yield every broken rule that types and bounds cannot express."""
        ...


def refuse(problems: list[Problem]) -> None:
    """Raise the 400 that lists ``problems``, the first hundred; do nothing if there are none."""
    if not problems:
        return
    first = problems[0]
    more = f" ({len(problems) - 1} more in details.errors)" if len(problems) > 1 else ""
    if len(problems) > _MOST_LISTED:
        more = f" ({len(problems) - 1} more; details.errors lists the first {_MOST_LISTED})"
    listed = problems[:_MOST_LISTED]
    errors = [msgspec.structs.replace(p, value=_echo(p.value)) for p in listed]
    value = errors[0].value
    got = "" if value is msgspec.UNSET or value is None else f"; got {shown(value)}"
    raise ValidationError(
        f"{first.field}: {first.message}{got}{more}",
        details={"errors": msgspec.to_builtins(errors)},
    )


def _echo(value: object) -> object:
    """Give a value back to its sender, if it is short enough to help."""
    if isinstance(value, str):
        # What cannot be encoded cannot be echoed either.
        value = _SURROGATE.sub("\ufffd", value)
        return value if len(value) <= _LONGEST_ECHO else value[:_LONGEST_ECHO] + "…"
    if isinstance(value, int | float | bool) or value is None:
        return value
    return msgspec.UNSET


def unstorable_text(value: object) -> Iterator[Problem]:
    """Yield a problem for each text with U+0000 or a lone surrogate, which PostgreSQL refuses."""
    way: list[str | int] = []
    for _ in islice(_unstorable(value, way), _MOST_LISTED):
        yield Problem(
            _written(way) or "body", "must not contain U+0000 or a lone surrogate; remove it"
        )


def _unstorable(value: object, way: list[str | int]) -> Iterator[None]:
    """Stop at each such text; ``way`` then leads to it.

    The way is written out for a problem alone: at each step of a deep document it would take the
    square of the document's length.
    """
    if isinstance(value, str):
        if "\0" in value or _SURROGATE.search(value):
            yield
    elif isinstance(value, Mapping):
        for key, item in value.items():
            way.append(key)
            yield from _unstorable(key, way)
            yield from _unstorable(item, way)
            way.pop()
    elif isinstance(value, list):
        for index, item in enumerate(value):
            way.append(index)
            yield from _unstorable(item, way)
            way.pop()


def _written(way: Sequence[str | int]) -> str:
    steps = (f"[{s}]" if isinstance(s, int) else f".{_printable(s)}" for s in way[:_DEEPEST_NAMED])
    return "".join(steps).removeprefix(".")


def _printable(name: str) -> str:
    short = name if len(name) <= _LONGEST_ECHO else name[:_LONGEST_ECHO] + "…"
    return _SURROGATE.sub("\ufffd", short).replace("\0", "\\u0000")


def _listing(names: Sequence[str]) -> str:
    """Write names into a sentence, as many as it holds."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


@lru_cache(maxsize=256)
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


def refuse_malformed_json(raw: bytes) -> None:
    """Make sure that a body is JSON, whatever it says.

    Raises:
        MalformedJsonError: it is not.
    """
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        _parse(raw)


def decode_body(kind: type[T], raw: bytes) -> T:
    """Read a JSON body as ``kind``.

    Raises:
        MalformedJsonError: it is not JSON.
        UnknownFieldError: nothing is wrong but fields that do not exist.
        ValidationError: fields are missing, wrong, unknown or contradict each other.
    """
    value: T
    try:
        value = _decoder(kind).decode(raw)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _explain(kind, _any_json(raw))
    if b"\\u0000" in raw:
        refuse(list(unstorable_text(msgspec.json.decode(raw))))
    _refuse_broken_rules(value)
    return value


def _refuse_broken_rules(value: object) -> None:
    if isinstance(value, HasRules):
        refuse(list(value.problems()))


def _any_json(raw: bytes) -> Any:
    """Parse leniently, for the sake of a better message than "malformed"."""
    document = _parse(raw)
    refuse(list(unstorable_text(document)))
    return document


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJsonError(
            f"The body is not valid JSON: {error}. Send one JSON object encoded as UTF-8."
        ) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _explain(kind: type[T], document: Any) -> T:
    """Collect every problem of a document that the strict decode refused.

    Options that newer clients know and nobody asked for here are dropped; then the rest may pass.
    """
    if not isinstance(document, dict):
        refuse([Problem("body", "must be a JSON object")])
    if foreign := _foreign_options(kind, document):
        known: T = decode_body(kind, msgspec.json.encode(_without(document, foreign)))
        return known
    problems, unknown = check_fields(kind, document)
    if unknown and not problems:
        raise UnknownFieldError(
            f"Unknown field(s): {_listing(unknown)}. Known: {', '.join(_known(kind))}.",
            details={"fields": unknown[:_MOST_LISTED]},
        )
    problems += [Problem(name, "is not a field of this request; remove it") for name in unknown]
    refuse(problems)
    # Only a document that Python's parser accepts and msgspec does not gets here.
    raise MalformedJsonError("The body is not valid JSON. Send one JSON object encoded as UTF-8.")


def _foreign_options(kind: type[msgspec.Struct], document: Mapping[str, Any]) -> list[str]:
    """Find fields whose names begin as ``kind.not_offered`` says; refuse those that ask for it.

    Raises:
        OptionNotOfferedError: one of them is not neutral (contract section 1).
    """
    prefixes: tuple[str, ...] = getattr(kind, "not_offered", ())
    found = [name for name in document if prefixes and name.startswith(prefixes)]
    if asked := [name for name in found if document[name] not in (None, False, 0, "", [])]:
        raise OptionNotOfferedError(
            f"{_printable(asked[0])}: this server does not offer it. Leave it out.",
            details={"fields": [_printable(name) for name in asked[:_MOST_LISTED]]},
        )
    return found


def _without(document: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    left_out = frozenset(names)
    return {name: value for name, value in document.items() if name not in left_out}


def _known(kind: type[msgspec.Struct]) -> list[str]:
    return [f.encode_name for f in msgspec.structs.fields(kind)]


def check_fields(
    kind: type[msgspec.Struct], document: Mapping[str, Any], *, strict: bool = True
) -> tuple[list[Problem], list[str]]:
    """Give the problems of ``document``'s fields, rules included, and its unknown fields."""
    problems: list[Problem] = []
    good: dict[str, Any] = {}
    broken: set[str] = set()
    for info in msgspec.structs.fields(kind):
        name = info.encode_name
        if name not in document:
            if info.required:
                problems.append(Problem(name, "is required"))
                broken.add(info.name)
            continue
        try:
            good[info.name] = msgspec.convert(document[name], info.type, strict=strict)
        except msgspec.ValidationError as error:
            problems.append(_problem(info, document[name], str(error)))
            broken.add(info.name)
    known = frozenset(_known(kind))
    unknown = [_printable(name) for name in document if name not in known]
    # Who named a field, if wrongly, need not hear that the body as a whole asks for nothing.
    silenced = broken | {"body"} if broken or unknown else broken
    problems += [p for p in _rules(kind, good, broken) if p.field not in silenced]
    return problems, unknown


def _rules(kind: type[msgspec.Struct], good: dict[str, Any], broken: set[str]) -> list[Problem]:
    """Apply the rules between fields to what is left, if all that they need is there."""
    required = {f.name for f in msgspec.structs.fields(kind) if f.required}
    if broken & required or not issubclass(kind, HasRules):
        return []
    return list(kind(**good).problems())


def _problem(info: FieldInfo, value: object, message: str) -> Problem:
    """Say what is wrong with one field in a sentence."""
    path, sentence, found = describe(info.type, value, message)
    return Problem(info.encode_name + path, sentence, found)


def decode_query(kind: type[T], raw: bytes) -> T:
    """Read a query string as ``kind``; list fields are repeated keys.

    Raises:
        UnknownParameterError: a parameter does not exist.
        ValidationError: a value is wrong, or a single-valued parameter is given twice.
    """
    if not raw:
        return kind()
    values = _query_values(raw)
    known = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    if unknown := [_printable(name) for name in values if name not in known]:
        raise UnknownParameterError(
            f"Unknown parameter(s): {_listing(unknown)}. Known: {', '.join(known) or 'none'}.",
            details={"parameters": unknown[:_MOST_LISTED]},
        )
    document: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, given in values.items():
        if _is_list(known[name].type):
            document[name] = given
        elif len(given) > 1:
            problems.append(Problem(name, "must be given once"))
        else:
            document[name] = given[0]
    # What is no text cannot be read as anything else either: the decoder would fail on it.
    unstorable = list(unstorable_text(document))
    broken = [] if unstorable else check_fields(kind, document, strict=False)[0]
    refuse([*problems, *unstorable, *broken])
    query = msgspec.convert(document, kind, strict=False)
    # The word "null" is read as None, which is how our structs write that nothing was given.
    nulls = [name for name in document if getattr(query, known[name].name) is None]
    refuse([Problem(name, "must have a value; leave it out instead", "null") for name in nulls])
    return query


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))


def _query_values(raw: bytes) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for pair in raw.decode("latin-1").split("&"):
        if pair:
            name, _, value = pair.partition("=")
            values.setdefault(_unquote(name), []).append(_unquote(value))
    return values


def _unquote(text: str) -> str:
    # Bytes that are not UTF-8 become lone surrogates, which the one check for texts then refuses.
    return unquote_plus(text, encoding="utf-8", errors="surrogateescape")
