"""Schemas of the OpenAPI document as flat lists of fields, and as sample values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tokportal_server.http.openapi import IMAGINED
from tokportal_server.lib.clock import Timestamp

Schema = Mapping[str, Any]

_DEEPEST = 5
# What every timestamp says of itself; the kind says it already.
_OF_TIMESTAMPS = msgspec.json.schema(Timestamp)["description"]
_FORMATS = {"uuid": "UUID", "date": "date", "date-time": "timestamp"}
_SAMPLES = {
    "uuid": "6f1c2a9e-4b7d-4e0a-9c35-d28f5b1a7e64",
    "date": "2026-06-01",
    "date-time": "2026-06-01T09:30:00.000Z",
}
_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minimum", "maximum", ""),
    ("minItems", "maxItems", " items"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: ``name`` is its way from the top (``data.cost.total``, ``data[].id``).

    ``limits`` are half sentences for people: bounds, allowed values, defaults.
    """

    name: str
    kind: str
    required: bool
    description: str
    limits: tuple[str, ...]


class Schemas:
    """Reads schemas; references lead into the document's components."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components

    def fields(self, schema: Schema, prefix: str = "", depth: int = 0) -> Iterator[Field]:
        """Yield every field of an object, each before those inside it."""
        plain, _ = self._plain(schema)
        required = plain.get("required", ())
        for name, inner in plain.get("properties", {}).items():
            yield self.field(prefix + name, inner, required=name in required)
            if depth < _DEEPEST:
                yield from self._inside(prefix + name, inner, depth)

    def field(self, name: str, schema: Schema, *, required: bool) -> Field:
        """Describe one field, without what is inside it."""
        plain, nullable = self._plain(schema)
        return Field(
            name=name,
            kind=self.kind(plain) + (" or null" if nullable else ""),
            required=required,
            description=_description(schema, plain),
            limits=tuple(self._limits(plain, schema)),
        )

    def kind(self, schema: Schema) -> str:
        """Name a type in a reader's words."""
        plain, _ = self._plain(schema)
        if "enum" in plain:
            return "string" if all(isinstance(v, str) for v in plain["enum"]) else "value"
        match plain.get("type"):
            case "array":
                return f"list of {self.kind(plain.get('items', {}))}"
            case "object" if isinstance(plain.get("additionalProperties"), dict):
                return f"map to {self.kind(plain['additionalProperties'])}"
            case "string" if "contentMediaType" in plain:
                return "file"
            case "string":
                return _FORMATS.get(plain.get("format", ""), "string")
            case str(name):
                return name
        return "any"

    def sample(self, schema: Schema) -> Any:
        """Give a value that the schema allows, for showing an answer's shape."""
        plain, _ = self._plain(schema)
        if examples := plain.get("examples"):
            return examples[0]
        if "enum" in plain:
            return plain["enum"][0]
        match plain.get("type"):
            case "object":
                properties = plain.get("properties", {})
                return {name: self.sample(inner) for name, inner in properties.items()}
            case "array":
                return [self.sample(plain.get("items", {}))]
            case "boolean":
                return True
            case "integer" | "number":
                return max(1, plain.get("minimum", 1))
        return _SAMPLES.get(plain.get("format", ""), "…")

    def _inside(self, name: str, schema: Schema, depth: int) -> Iterator[Field]:
        plain, _ = self._plain(schema)
        if plain.get("type") == "array":
            yield from self.fields(plain.get("items", {}), f"{name}[].", depth + 1)
        elif "properties" in plain:
            yield from self.fields(plain, f"{name}.", depth + 1)

    def _plain(self, schema: Schema) -> tuple[Schema, bool]:
        """Follow a reference and leave out null; the flag says whether null was there."""
        if "$ref" in schema:
            return self._plain(self._components[schema["$ref"].rpartition("/")[2]])
        options = schema.get("anyOf", ())
        # A dry run's empty shape is explained once, not at every operation.
        given = [o for o in options if o.get("type") != "null" and o != IMAGINED]
        if len(given) == 1:
            return self._plain(given[0])[0], {"type": "null"} in options
        return schema, False

    def _limits(self, plain: Schema, schema: Schema) -> Iterator[str]:
        values = plain if "enum" in plain else self._plain(plain.get("items", {}))[0]
        if "enum" in values:
            yield "one of " + ", ".join(f"`{value}`" for value in values["enum"])
        for low, high, unit in _RANGES:
            if bounds := _range(plain.get(low), plain.get(high)):
                yield bounds + unit
        if "exclusiveMinimum" in plain:
            yield f"over {plain['exclusiveMinimum']}"
        if plain.get("uniqueItems"):
            yield "each once"
        if "pattern" in plain:
            yield f"matches `{plain['pattern']}`"
        default = schema.get("default")
        if default is not None:
            yield f"default `{str(default).lower() if isinstance(default, bool) else default}`"


def _range(low: float | None, high: float | None) -> str | None:
    if low is None and high is None:
        return None
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _description(schema: Schema, plain: Schema) -> str:
    """Give a field's own words; those of a shared object describe the object, not the field."""
    if "$ref" in schema or plain.get("type") == "object":
        return str(schema.get("description", ""))
    described = str(schema.get("description") or plain.get("description") or "")
    return "" if described == _OF_TIMESTAMPS else described
