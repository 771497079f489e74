"""Reading a frozen structure from environment variables, with every problem told at once.

A field ``pool_size`` of the structure is the variable ``<PREFIX>POOL_SIZE``. Its type and its
``msgspec.Meta`` say what is accepted and what it means, so that the parser, the error messages
and the table of the docs cannot disagree. Lists are separated by commas.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import inspect

SECRET: dict[str, bool] = {"secret": True}
"""``extra`` of a field whose value is never shown: not in ``repr``, not in an error."""


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: its full name, and the field that it fills."""

    name: str
    field: str
    type: Any
    required: bool
    default: Any
    description: str
    secret: bool
    accepts: str


def variables(cls: type[msgspec.Struct], prefix: str) -> dict[str, Variable]:
    """Give the variables of a structure by name, in the order of its fields."""
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(cls):
        name = prefix + field.name.upper()
        metas = [arg for arg in get_args(hints[field.name]) if isinstance(arg, msgspec.Meta)]
        found[name] = Variable(
            name=name,
            field=field.name,
            type=hints[field.name],
            required=field.required,
            default=None if field.required else field.default,
            description="".join(meta.description or "" for meta in metas),
            secret=any((meta.extra or {}).get("secret") for meta in metas),
            accepts=_accepts(inspect.type_info(hints[field.name])),
        )
    return found


def read(
    known: Mapping[str, Variable],
    environ: Mapping[str, str],
    *,
    prefix: str,
    ignored: Collection[str],
) -> tuple[dict[str, Any], list[str]]:
    """Give the values that are set, by field, and a sentence for each problem.

    Names with ``prefix`` that are neither known nor ``ignored`` are problems too: a misspelled
    setting would otherwise be a setting that silently does nothing.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name in sorted(name for name in environ if name.startswith(prefix)):
        if name in ignored:
            continue
        if name not in known:
            problems.append(_unknown(name, known, prefix))
            continue
        try:
            values[known[name].field] = _parse(known[name], environ[name])
        except ValueError:
            problems.append(malformed(known[name], environ[name]))
    return values, problems


def malformed(variable: Variable, value: str) -> str:
    """Say that a value is not accepted, without repeating a secret."""
    # A URL with an @ carries a name or a password, whatever setting it was meant for.
    shown = "(not shown)" if variable.secret or "@" in value else repr(value)
    return f"{variable.name}={shown} is not accepted: give {variable.accepts}."


def _unknown(name: str, known: Collection[str], prefix: str) -> str:
    # Compared without the prefix, which would make every name look alike.
    ends = [other.removeprefix(prefix) for other in known]
    near = difflib.get_close_matches(name.removeprefix(prefix), ends, n=1)
    way_out = f"did you mean {prefix}{near[0]}?" if near else "remove it."
    return f"{name} is no setting of this server: {way_out}"


def _parse(variable: Variable, text: str) -> Any:
    """Give the typed value; ``ValueError`` if it is not accepted (msgspec's error is one)."""
    if not text.strip():
        # A compose file with an unset variable gives an empty one; a default there would hide it.
        raise ValueError(variable.name)
    raw: Any = text
    if isinstance(_plain(inspect.type_info(variable.type)), inspect.VarTupleType):
        raw = [part.strip() for part in text.split(",")]
    value = msgspec.convert(raw, variable.type, strict=False, dec_hook=_to_path)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(variable.name)
    return value


def _to_path(wanted: type, raw: Any) -> Path:
    if wanted is not Path:
        raise NotImplementedError(wanted)
    try:
        return Path(raw).expanduser().absolute()
    except RuntimeError as no_such_user:  # pathlib's answer to ~somebody
        raise ValueError(str(no_such_user)) from None


def _plain(info: inspect.Type) -> inspect.Type:
    """Give the type below its metadata, and of ``X | None`` the ``X``."""
    if isinstance(info, inspect.Metadata):
        return _plain(info.type)
    if isinstance(info, inspect.UnionType):
        return _plain(_without_none(info))
    return info


def _without_none(union: inspect.UnionType) -> inspect.Type:
    return next(t for t in union.types if not isinstance(t, inspect.NoneType))


def _accepts(info: inspect.Type) -> str:
    """Say in words what a type accepts: those of its metadata, or those of its constraints."""
    if isinstance(info, inspect.Metadata):
        return str((info.extra or {}).get("accepts") or _accepts(info.type))
    if isinstance(info, inspect.UnionType):
        return _accepts(_without_none(info))
    words: dict[type[inspect.Type], Callable[[Any], str]] = {
        inspect.BoolType: lambda _: "true or false",
        inspect.IntType: lambda number: f"a whole number{_bounds(number)}",
        inspect.FloatType: lambda number: f"a number{_bounds(number)}",
        inspect.LiteralType: lambda literal: "one of " + ", ".join(sorted(literal.values)),
        inspect.VarTupleType: lambda many: f"{_accepts(many.item_type)}; several with commas",
        inspect.CustomType: lambda _: "a path",
    }
    return words.get(type(info), lambda _: "a text")(info)


def _bounds(number: inspect.IntType | inspect.FloatType) -> str:
    low = f" from {number.ge}" if number.ge is not None else ""
    low = f" above {number.gt}" if number.gt is not None else low
    high = f" up to {number.le}" if number.le is not None else ""
    return low + high
