"""What the console's forms have in common: the transaction of an act, and how it is refused."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.errors import BundleNotFoundError, VideoNotFoundError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.errors import StaleEditError
from tokportal_server.pages.page import Answer, Redirect, Refusal, Visit, nothing_here
from tokportal_server.pages.texts import text
from tokportal_server.uploads.source import MediaSource

# What a form does, in the transaction that it is given.
Act = Callable[[UnitOfWork], Awaitable[object]]
Again = Callable[[Visit, Refusal], Awaitable[Answer]]
_ITEM: Final = re.compile(r"(\w+)\[(\d+)\]")
_ABSENT: Final = (BundleNotFoundError, VideoNotFoundError)


def console_address(visit: Visit) -> str:
    """Give the address of the workspace's console."""
    return f"/console/{visit.workspace.id}"


def bundle_address(visit: Visit) -> str:
    """Give the address of the bundle that a page is about."""
    return f"{console_address(visit)}/bundles/{visit.id('bundle')}"


def slot_address(visit: Visit) -> str:
    """Give the address of the slot that a page is about."""
    return f"{bundle_address(visit)}/slots/{visit.number('position')}"


def rules_of(visit: Visit) -> OrderRules:
    """Give how long things may take."""
    return OrderRules.of(visit.ports.settings)


def source_of(visit: Visit) -> MediaSource:
    """Give where the media that a form names may come from."""
    return MediaSource(visit.ports.settings.origin(), visit.ports.outbound_policy)


def is_writer(visit: Visit) -> bool:
    """Say whether the visitor may change anything here."""
    return visit.workspace.role != "viewer"


async def perform(
    visit: Visit, form: str, act: Act, *, again: Again, then: str | Callable[[], str]
) -> Answer:
    """Do something and go on to ``then``, or show the page ``again`` with what was refused.

    Where it goes on may depend on what the act did.

    Raises:
        PageNotFoundError: what it is about is not there.
    """
    try:
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            await act(tx)
    except _ABSENT:
        raise nothing_here() from None
    except ApiError as error:
        return await again(visit, refusal_of(form, error, visit))
    return Redirect(then if isinstance(then, str) else then())


async def rehearse(visit: Visit, act: Act) -> None:
    """Do something as a dry run: whatever it refuses is raised, and nothing stays.

    Raises:
        PageNotFoundError: what it is about is not there.
        ApiError: what the act would be refused with.
    """
    try:
        async with unit_of_work(visit.conn, visit.workspace.id, now=visit.now, dry_run=True) as tx:
            await act(tx)
    except _ABSENT:
        raise nothing_here() from None


def refusal_of(form: str, error: ApiError, visit: Visit) -> Refusal:
    """Read the refusal of an operation: each problem beside the field that it is about.

    What is said of one item of a list stands beside the list, with the number of its line. What is
    about no field of the form stands above it.
    """
    refusal = Refusal.of(form, error, visit)
    if isinstance(error, StaleEditError):
        return refusal
    listed: Sequence[Mapping[str, Any]] = error.details.get("errors", [])
    if not listed and (named := error.details.get("field")) is not None:
        # One sentence that names its field first, as the operations write them.
        said = error.message.removeprefix(f"{named}: ").rstrip(".")
        listed = [{"field": named, "message": text("form.refused", what=said)}]
    fields: dict[str, str] = {}
    others: list[str] = []
    for problem in listed:
        name, message = str(problem["field"]), str(problem["message"])
        if item := _ITEM.fullmatch(name):
            name = item[1]
            message = text("form.line", n=int(item[2]) + 1, what=message)
        if name in visit.form:
            fields.setdefault(name, message)
        else:
            others.append(f"{name} {message}")
    above = refusal.message
    if listed:
        above = " ".join([text("form.mend")] * bool(fields) + [f"{one}." for one in others])
    return Refusal(form, above, error.status, fields, visit.form)
