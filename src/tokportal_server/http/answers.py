"""What an operation gives back, and how it becomes bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from tokportal_server.http.paging import Page

DRY_RUN_NOTICE = "Dry run: a live call would answer so; nothing was changed, nothing charged."
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class CreditsMoved:
    """The credit siblings of an answer: whole credits, and what they were for."""

    charged: int
    remaining: int
    breakdown: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. ``data`` becomes the ``data`` member, ``siblings`` stand beside it.

    ``keep`` is how long it may be replayed, if its content lives for less than its operation's.
    Where the operation's ``media`` is not JSON, ``data`` is the whole answer in UTF-8.
    """

    data: Any
    status: int = 200
    credits: CreditsMoved | None = None
    page: Page | None = None
    siblings: Mapping[str, Any] = field(default_factory=dict)
    keep: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as bytes, ready to be sent, stored or replayed."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A success that is made while it is sent: a file of any length, in constant memory.

    ``chunks`` begins when the answer's head has gone out, and must not hold a connection between
    two chunks: the receiver may be slow.
    """

    chunks: Callable[[], AsyncIterator[bytes]]
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def render(answer: Answer, *, media: str = JSON) -> Rendered:
    """Encode an answer of a live call."""
    if answer.status == 204:
        return Rendered(204, b"")
    if media != JSON:
        return Rendered(answer.status, answer.data, f"{media}; charset=utf-8")
    document: dict[str, Any] = {"data": answer.data}
    if answer.page is not None:
        document["pagination"] = answer.page
    if answer.credits is not None:
        document["credits_charged"] = answer.credits.charged
        document["credits_remaining"] = answer.credits.remaining
        if answer.credits.breakdown is not None:
            document["cost_breakdown"] = answer.credits.breakdown
    document.update(answer.siblings)
    return Rendered(answer.status, msgspec.json.encode(document))


def render_dry_run(answer: Answer, *, balance: int, media: str = JSON) -> Rendered:
    """Encode what a call would have answered; ``balance`` is what the workspace can spend now."""
    headers = {"X-TokPortal-Dry-Run": "true"}
    if answer.status == 204:
        return Rendered(204, b"", headers=headers)
    if media != JSON:
        return Rendered(answer.status, answer.data, f"{media}; charset=utf-8", headers)
    moved = answer.credits
    document = {
        "data": answer.data,
        **answer.siblings,
        "credits_charged": 0,
        "credits_would_charge": moved.charged if moved else 0,
        "credits_remaining": balance,
        "cost_breakdown": (moved.breakdown if moved else None) or {},
        "dry_run": True,
        "dry_run_notice": DRY_RUN_NOTICE,
    }
    return Rendered(answer.status, msgspec.json.encode(document), headers=headers)
