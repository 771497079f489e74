"""Dead letters: what was tried as often as it is tried, and run again when its cause is mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tokportal_server.admin.frame import Preview, chosen, show
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.jobs.held import HeldJob, list_held
from tokportal_server.pages.mails import SEALED_MAIL_JOB
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit
from tokportal_server.pages.texts import text
from tokportal_server.webhooks.given_up import list_given_up, send_again
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.operations.settle_job import settle_job
from tokportal_server.workspaces.notices import NOTICE_MAIL_JOB

_KINDS: Final = ("job", "mail", "delivery")
_MAIL: Final = frozenset({NOTICE_MAIL_JOB, SEALED_MAIL_JOB})
# Together fewer than a form may have fields.
_MOST: Final = 40
_LONGEST_ID: Final = 18


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the letters that were sent again; ``refused`` says why some were not."""

    done: int
    refused: Sequence[str]


async def show_dead_letters(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show held jobs, mails that could not be sent and deliveries that were given up."""
    return await _shown(visit, refusal, preview, None)


async def _shown(
    visit: Visit, refusal: Refusal | None, preview: Preview | None, outcome: _Outcome | None
) -> Answer:
    asked = visit.query.get("kind", "")
    kind = asked if asked in _KINDS else ""
    held = await list_held(visit.conn, 5 * _MOST) if kind != "delivery" else []
    facts: dict[str, Any] = {
        "kind": kind,
        "held": [one for one in held if not kind or _kind_of(one) == kind][:_MOST],
        "mail": _MAIL,
        "given_up": await list_given_up(visit.conn, _MOST) if kind in ("", "delivery") else [],
        "most": _MOST,
        "outcome": outcome,
    }
    return await show(visit, "admin_dead_letters.html", facts, refusal, preview)


def _kind_of(job: HeldJob) -> str:
    return "mail" if job.name in _MAIL else "job"


async def post_again(visit: Visit) -> Answer:
    """Run one again, or all that are ticked; what cannot be is told, the others are not held up."""
    only = visit.field("only")
    letters = [only] if only else chosen(visit, "pick")
    try:
        check_reason(visit.field("reason"))
        if not letters:
            refuse([Problem("pick", text("dead.nothing_picked"))])
    except ApiError as error:
        return await show_dead_letters(visit, Refusal.of("again", error, visit))
    refused: list[str] = []
    for letter in letters:
        try:
            await _run_again(visit, letter)
        except ApiError as error:
            refused.append(f"{letter.partition('.')[0]}: {error.message}")
    if not refused:
        return Redirect("/admin/dead-letters?done=again")
    return await _shown(visit, None, None, _Outcome(len(letters) - len(refused), refused))


async def _run_again(visit: Visit, letter: str) -> None:
    """Run one letter again: ``job.<id>``, or ``delivery.<workspace>.<endpoint>.<delivery>``."""
    kind, *parts = letter.split(".")
    reason = visit.field("reason")
    if kind == "job" and len(parts) == 1 and parts[0].isdecimal() and len(parts[0]) <= _LONGEST_ID:
        await settle_job(
            conn=visit.conn,
            actor=visit.operator,
            job_id=int(parts[0]),
            decision="run_again",
            reason=reason,
        )
        return
    workspace_id, endpoint_id, delivery_id = _ids(parts if kind == "delivery" else [])
    await send_again(
        visit.conn,
        actor=visit.operator,
        workspace_id=workspace_id,
        endpoint_id=endpoint_id,
        delivery_id=delivery_id,
        reason=reason,
    )


def _ids(parts: Sequence[str]) -> tuple[UUID, UUID, UUID]:
    try:
        one, two, three = (UUID(part) for part in parts)
    except ValueError:
        refuse([Problem("pick", "names nothing of this page", ".".join(parts))])
        raise
    return one, two, three


DEAD_LETTER_PAGES: Final = (
    Page("admin_dead_letters", "GET", "/admin/dead-letters", show_dead_letters),
    Page("admin_run_again", "POST", "/admin/dead-letters", post_again),
)
