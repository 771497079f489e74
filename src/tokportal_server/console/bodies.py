"""A form as the body of the API's operation, so that one validation judges both.

Forms know texts only. What a text stands for is read from the field of the body: a number, a yes or
no, a list with an item on each line. What cannot be read so goes on as the text that it is, and
validation says what it should have been.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

import msgspec

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?")
_SPOKEN: Final = {"true": True, "false": False}


def body_of(kind: type[msgspec.Struct], form: Mapping[str, str], *, clears: bool = False) -> bytes:
    """Write those fields of a form that ``kind`` has as its JSON.

    An empty field is left out; with ``clears`` it is sent as null where the body takes null, which
    is how a change says that something is to be taken away. A field that the form does not have is
    left out in any case.
    """
    document: dict[str, Any] = {}
    for info in msgspec.structs.fields(kind):
        kinds = set(_kinds(info.type))
        value = _value(kinds, form.get(info.encode_name, ""))
        if value is not None or (clears and info.encode_name in form and type(None) in kinds):
            document[info.encode_name] = value
    return msgspec.json.encode(document)


def _value(kinds: set[Any], written: str) -> Any:
    text = written.strip()
    if list in kinds:
        return [line.strip() for line in text.splitlines() if line.strip()] or None
    if bool in kinds:
        return _SPOKEN.get(text)
    if int in kinds and _NUMBER.fullmatch(text):
        return int(text)
    if float in kinds and _DECIMAL.fullmatch(text):
        return float(text)
    return text or None


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the plain types that an annotation admits."""
    origin = get_origin(annotation)
    if origin is None or origin is list:
        yield origin or annotation
        return
    parts = get_args(annotation)
    # The first part of Annotated is the type, those of a Literal are values.
    for part in parts[:1] if hasattr(annotation, "__metadata__") else parts:
        yield from _kinds(part) if isinstance(part, type) or get_args(part) else [type(part)]
