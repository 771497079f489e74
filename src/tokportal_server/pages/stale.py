"""Two people who edit one thing: the second is told, and nothing of either is lost.

A form carries, in a hidden field, a short digest of each value that it was made from. Whoever
handles it compares them with what there is now, in the transaction that writes and after its locks:

    async with visit.writing(workspace_id, visit.now) as tx:
        await lock_bundle(...)
        require_unchanged(visit.form, values_of(await get_profile(tx.conn, ...)))
        await configure_profile(tx=tx, ...)

The refused form is shown again with what the person wrote, with the other's value beside each field
that differs, and with a new version: sending it once more is a decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from tokportal_server.pages.errors import StaleEditError
from tokportal_server.pages.texts import text

VERSION_FIELD: Final = "seen"
_DIGITS = 12


def version_of(values: Mapping[str, object]) -> str:
    """Give the version of a form that is made from these values, by the names of its fields."""
    return " ".join(f"{name}={_digest(as_typed(value))}" for name, value in values.items())


def require_unchanged(form: Mapping[str, str], current: Mapping[str, object]) -> None:
    """Refuse a form that was made from other values than there are now.

    A field that says what there is now is no conflict: a form may be sent twice.

    Raises:
        StaleEditError: ``details.errors`` has each field that differs, with its value now.
    """
    pairs = (part.partition("=") for part in form.get(VERSION_FIELD, "").split())
    seen = {name: digest for name, _, digest in pairs}
    changed = [
        (name, now)
        for name, now in ((name, as_typed(value)) for name, value in current.items())
        if seen.get(name) != _digest(now) and form.get(name, "").strip() != now.strip()
    ]
    if changed:
        raise StaleEditError(
            text("stale.changed"),
            details={
                "errors": [
                    {
                        "field": name,
                        "message": text("stale.now", value=now) if now else text("stale.empty"),
                    }
                    for name, now in changed
                ]
            },
        )


def as_typed(value: object) -> str:
    """Write a value as a form's field has it: lists a line each, yes as ``true``, no as nothing."""
    match value:
        case None | False:
            return ""
        case True:
            return "true"
        case str():
            return value
        case Iterable():
            return "\n".join(str(one) for one in value)
        case _:
            return str(value)


def _digest(typed: str) -> str:
    return hashlib.sha256(typed.strip().encode()).hexdigest()[:_DIGITS]
