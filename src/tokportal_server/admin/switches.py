"""The kill switch: stop publishing and claims for everything, a workspace or an account."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tokportal_server.admin.frame import Preview, identifier, perform, show
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.pages.page import Answer, Page, Refusal, Visit
from tokportal_server.workbench.operations import kill_switch
from tokportal_server.workbench.operations.kill_switch import Scope, Switch

_SCOPES: Final[tuple[Scope, ...]] = ("all", "workspace", "account")


async def show_switches(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show what is stopped, and the forms to stop something and let it go on."""
    facts = {
        "scopes": _SCOPES,
        "scope": visit.query.get("scope", ""),
        "subject": visit.query.get("subject", ""),
    }
    return await show(visit, "admin_switches.html", facts, refusal, preview)


async def post_pause(visit: Visit) -> Answer:
    """Stop publishing and claims."""

    async def stop() -> None:
        await kill_switch.pause(
            conn=visit.conn,
            actor=visit.operator,
            switch=_switch(visit),
            reason=visit.field("reason"),
        )

    return await perform(
        visit, "pause", stop, again=show_switches, then="/admin/switches?done=paused"
    )


async def post_resume(visit: Visit) -> Answer:
    """Let publishing and claims go on."""

    async def go_on() -> None:
        await kill_switch.resume(
            conn=visit.conn,
            actor=visit.operator,
            switch=_switch(visit),
            reason=visit.field("reason"),
        )

    subject = visit.field("subject_id") or "all"
    return await perform(
        visit,
        f"resume-{subject}",
        go_on,
        again=show_switches,
        then="/admin/switches?done=resumed",
    )


def _switch(visit: Visit) -> Switch:
    written = visit.field("scope")
    scope = next((one for one in _SCOPES if one == written), None)
    if scope is None:
        refuse([Problem("scope", f"must be one of {', '.join(_SCOPES)}", written)])
        raise AssertionError
    subject: UUID | None = identifier(visit, "subject_id")
    if scope == "all":
        return Switch("all")
    if subject is None:
        refuse([Problem("subject_id", f"give the id of the {scope}")])
    return Switch(scope, subject)


SWITCH_PAGES: Final = (
    Page("admin_switches", "GET", "/admin/switches", show_switches),
    Page("admin_pause", "POST", "/admin/switches/pause", post_pause),
    Page("admin_resume", "POST", "/admin/switches/resume", post_resume),
)
