"""What a dry run answers about a thing that only another dry run imagined (contract section 4).

Nothing can be read of such a thing. The request is validated and priced as far as it says enough,
and the answer has the operation's shape with nothing in it.
"""

from __future__ import annotations

from typing import Any

from msgspec import inspect

IMAGINED_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [{"type": "null"}, {"type": "array", "maxItems": 0}],
    },
    "description": (
        "Only in a dry run whose path or body names an id that another dry run gave: the"
        " operation's fields, each null or an empty list."
    ),
}


class ImaginedError(Exception):
    """A dry run names a thing that another one imagined; the pipeline answers it with a shape."""


def empty_shape(kind: Any) -> Any:
    """Give the shape of a type: of a struct every field, as null or as an empty list."""
    described = inspect.type_info(kind)
    if isinstance(described, inspect.StructType):
        return {
            field.encode_name: [] if isinstance(field.type, inspect.ListType) else None
            for field in described.fields
        }
    return [] if isinstance(described, inspect.ListType) else None
