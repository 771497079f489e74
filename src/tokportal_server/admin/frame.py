"""What all operators' pages share: the state of the kill switch, forms, previews, lists."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Redirect, Refusal, Shown, Visit, nothing_here

PAUSES = """
SELECT k.scope, k.subject_id, k.reason, k.set_at, p.name AS set_by,
       COALESCE(w.name, a.username) AS subject
  FROM kill_switches k
  LEFT JOIN people p ON p.id = k.set_by
  LEFT JOIN workspaces w ON k.scope = 'workspace' AND w.id = k.subject_id
  LEFT JOIN LATERAL (SELECT username FROM saved_accounts WHERE id = k.subject_id LIMIT 1) a
    ON k.scope = 'account'
 WHERE k.scope <> 'maintenance'
 ORDER BY k.scope = 'all' DESC, k.set_at DESC LIMIT 50
"""
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
A_PAGE: Final = 50
_LARGEST: Final = 10
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Preview:
    """What a form would do, shown with the form as it was sent, for somebody to say yes to.

    ``sentences`` say it; ``lines`` are amounts by what they are for. A form's fields read it as
    they read a refusal, in which nothing is wrong.
    """

    form: str
    values: Mapping[str, str]
    sentences: Sequence[str]
    lines: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


Again = Callable[[Visit, Refusal | None, Preview | None], Awaitable[Answer]]


async def show(
    visit: Visit,
    template: str,
    facts: Mapping[str, Any],
    refusal: Refusal | None = None,
    preview: Preview | None = None,
) -> Shown:
    """Fill a page in; what is paused stands on each of them."""
    pauses = await pauses_now(visit.conn)
    every = {"pauses": pauses, "refusal": refusal, "preview": preview, **facts}
    return Shown(template, every)


async def pauses_now(conn: Connection) -> list[Row]:
    """Give what is switched off, everything first."""
    rows: list[Any] = await conn.fetch(PAUSES)
    return rows


async def perform(
    visit: Visit,
    form: str,
    act: Callable[[], Awaitable[object]],
    *,
    again: Again,
    then: str,
) -> Answer:
    """Do something and go on to ``then``, or show the page ``again`` with what was refused.

    Raises:
        PageNotFoundError: what it is about is not there.
    """
    try:
        await act()
    except ApiError as error:
        return await refused(visit, form, error, again)
    return Redirect(then)


async def refused(visit: Visit, form: str, error: ApiError, again: Again) -> Answer:
    """Show a page again with a refusal.

    Raises:
        PageNotFoundError: what the form is about is not there.
    """
    if error.status == _NOT_FOUND and form not in _LOOKING_UP:
        raise nothing_here() from None
    return await again(visit, Refusal.of(form, error, visit), None)


# Forms in which people name something: what is not found there is a wrong entry, not a wrong page.
_LOOKING_UP: Final = frozenset({"adjust", "create", "refund", "slot"})


def wants_preview(visit: Visit) -> bool:
    """Say whether the form asks what would happen."""
    return visit.field("step") != "do"


def whole(visit: Visit, name: str) -> int:
    """Read a whole number of a form.

    Raises:
        ValidationError: it is none.
    """
    found = whole_or_none(visit, name)
    if found is None:
        refuse([Problem(name, "must be a whole number")])
    return found or 0


def whole_or_none(visit: Visit, name: str) -> int | None:
    """Read a whole number of a form, None if nothing is written there.

    Raises:
        ValidationError: it is none.
    """
    written = visit.field(name)
    if not written:
        return None
    digits = written.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < _LARGEST):
        refuse([Problem(name, "must be a whole number", written)])
    return int(written)


def decimal_or_none(visit: Visit, name: str) -> float | None:
    """Read a number of a form, None if nothing is written there.

    Raises:
        ValidationError: it is none.
    """
    written = visit.field(name)
    if not written:
        return None
    if not _DECIMAL.fullmatch(written):
        refuse([Problem(name, "must be a number, such as 2 or 0.5", written)])
    return float(written)


def identifier(visit: Visit, name: str) -> UUID | None:
    """Read an id of a form, None if nothing is written there.

    Raises:
        ValidationError: it is none.
    """
    written = visit.field(name)
    try:
        return UUID(written) if written else None
    except ValueError:
        refuse([Problem(name, "must be an id", written)])
        raise


def asked_id(visit: Visit, name: str) -> UUID | None:
    """Read an id of the address; what is none asks for nothing."""
    try:
        return UUID(visit.query.get(name, ""))
    except ValueError:
        return None


def asked_number(visit: Visit, name: str) -> int | None:
    """Read a number of the address; what is none asks for nothing."""
    written = visit.query.get(name, "")
    fits = written.isascii() and written.isdigit() and len(written) < 2 * _LARGEST - 1
    return int(written) if fits else None


def asked_page(visit: Visit) -> int:
    """Give which page of a list is asked for, from 1."""
    return min(max(asked_number(visit, "page") or 1, 1), 10**_LARGEST)


def asked_day(visit: Visit, name: str, *, end: bool = False) -> datetime | None:
    """Give the beginning of a day of the address in UTC, or its ``end``; None if none is named."""
    try:
        day = date.fromisoformat(visit.query.get(name, ""))
        begins = datetime.combine(day, time.min, UTC)
        return begins + timedelta(days=1) if end else begins
    except (ValueError, OverflowError):
        return None


def chosen(visit: Visit, name: str) -> list[str]:
    """Give which boxes of a group are ticked; the box of ``code`` is called ``<name>.<code>``."""
    return [one.partition(".")[2] for one in visit.form if one.startswith(f"{name}.")]
