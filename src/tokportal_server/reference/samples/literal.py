"""JSON values as literals of a language, on lines of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokportal_server.reference.examples import placeholder_of, variable


def quoted(text: str) -> str:
    """Write a text in quotation marks, as JSON and most languages do."""
    return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a language writes values; ``variable`` gives a string read from the environment."""

    variable: Callable[[str], str]
    true: str = "true"
    false: str = "false"
    null: str = "null"
    indent: str = "  "
    trailing_comma: str = ","
    key: Callable[[str], str] = quoted
    text: Callable[[str], str] = quoted


def literal(value: Any, style: Style, level: int = 0) -> str:
    """Write a value; ``level`` is how deep the line that it begins on is indented."""
    if isinstance(value, dict):
        items = [f"{style.key(k)}: {literal(v, style, level + 1)}" for k, v in value.items()]
        return _block("{", items, "}", style, level)
    if isinstance(value, list):
        return "[" + ", ".join(literal(item, style, level) for item in value) + "]"
    if value is None:
        return style.null
    if isinstance(value, bool):
        return style.true if value else style.false
    if isinstance(value, str):
        name = placeholder_of(value)
        return style.variable(variable(name)) if name else style.text(value)
    return str(value)


def _block(opening: str, items: list[str], closing: str, style: Style, level: int) -> str:
    if len(items) < 2 and "\n" not in "".join(items):
        return opening + "".join(items) + closing
    inner, outer = style.indent * (level + 1), style.indent * level
    lines = f",\n{inner}".join(items)
    return f"{opening}\n{inner}{lines}{style.trailing_comma}\n{outer}{closing}"
