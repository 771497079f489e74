"""Maintenance: operators stop all writing for a while, and let it go on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from tokportal_server.admin.frame import Preview, perform, show
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.maintenance import FRESH_SECONDS
from tokportal_server.pages.page import Answer, Page, Refusal, Visit
from tokportal_server.workbench.operations import kill_switch
from tokportal_server.workbench.operations.kill_switch import Switch


async def show_maintenance(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show whether it is on, what it does, and the form to begin or end it."""
    facts = {"seconds": int(FRESH_SECONDS)}
    return await show(visit, "admin_maintenance.html", facts, refusal, preview)


async def post_on(visit: Visit) -> Answer:
    """Begin it; begun again, the new reason and time stand."""

    async def begin() -> None:
        await kill_switch.pause(
            conn=visit.conn,
            actor=visit.operator,
            switch=Switch("maintenance", until=_until(visit)),
            reason=visit.field("reason"),
        )
        visit.ports.maintenance.forget()

    then = "/admin/maintenance?done=maintenance_on"
    return await perform(visit, "on", begin, again=show_maintenance, then=then)


async def post_off(visit: Visit) -> Answer:
    """End it."""

    async def end() -> None:
        await kill_switch.resume(
            conn=visit.conn,
            actor=visit.operator,
            switch=Switch("maintenance"),
            reason=visit.field("reason"),
        )
        visit.ports.maintenance.forget()

    then = "/admin/maintenance?done=maintenance_off"
    return await perform(visit, "off", end, again=show_maintenance, then=then)


def _until(visit: Visit) -> datetime | None:
    """Read the time of the form, in UTC as browsers write it; None if there is none.

    Raises:
        ValidationError: it is no time.
    """
    written = visit.field("until")
    try:
        return datetime.fromisoformat(written).replace(tzinfo=UTC) if written else None
    except ValueError:
        refuse([Problem("until", "must be a day and a time, such as 2030-01-31T18:00", written)])
        raise


MAINTENANCE_PAGES: Final = (
    Page("admin_maintenance", "GET", "/admin/maintenance", show_maintenance),
    Page("admin_maintenance_on", "POST", "/admin/maintenance/on", post_on),
    Page("admin_maintenance_off", "POST", "/admin/maintenance/off", post_off),
)
