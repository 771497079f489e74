"""One's own page: what one is here, where one is signed in, the second step."""

from __future__ import annotations

from typing import Final

import segno
from markupsafe import Markup

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Shown, Stream, Visit
from tokportal_server.pages.second_factor import (
    begin_enrolment,
    confirm_enrolment,
    enrolment_of,
    remove_own_factor,
    second_factor_of,
)
from tokportal_server.pages.sessions import end_session, end_sessions, list_sessions
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.person_archive import person_archive

_PIXELS_A_MODULE = 4


async def you(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show a person what they are here, and where they are signed in."""
    facts = {
        "sessions": await list_sessions(visit.conn, visit.person.id),
        "factor": await second_factor_of(visit.conn, visit.person.id),
        "refusal": refusal,
    }
    return Shown("you.html", facts)


async def post_end_session(visit: Visit) -> Answer:
    """End one of one's own sessions."""
    session_id = visit.id("session")
    await end_session(visit.conn, visit.person.id, session_id)
    if session_id == visit.person.session_id:
        return Redirect("/sign-in", token="")
    return Redirect("/you?done=session")


async def post_end_sessions(visit: Visit) -> Answer:
    """Sign out everywhere, here too."""
    await end_sessions(visit.conn, visit.person.id)
    return Redirect("/sign-in", token="")


async def factor_form(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the picture for the authenticator app, while the second step is being set up."""
    person = visit.person
    enrolment = await enrolment_of(
        visit.conn, visit.ports.vault, person_id=person.id, email=person.email
    )
    if enrolment is None:
        return Redirect("/you")
    picture = segno.make(enrolment.address, micro=False).svg_inline(
        scale=_PIXELS_A_MODULE, dark="#000", light="#fff", omitsize=True, svgclass=None
    )
    # Made by us of an address that we wrote; it has neither styles nor scripts.
    facts = {"key": enrolment.key, "picture": Markup(picture), "refusal": refusal}  # noqa: S704
    return Shown("factor.html", facts)


async def begin_factor(visit: Visit) -> Answer:
    """Begin to set the second step up, with a new secret."""
    await begin_enrolment(visit.conn, visit.ports.vault, person_id=visit.person.id)
    return Redirect("/you/second-step")


async def confirm_factor(visit: Visit) -> Answer:
    """Turn the second step on, and show the recovery codes this once."""
    try:
        codes = await confirm_enrolment(
            visit.conn,
            visit.ports.vault,
            person_id=visit.person.id,
            code=visit.field("code"),
            actor=_self(visit),
        )
    except ApiError as error:
        return await factor_form(visit, Refusal.of("factor", error, visit))
    return Shown("recovery_codes.html", {"codes": codes})


async def stop_factor(visit: Visit) -> Answer:
    """Turn the second step off, for whoever knows the password."""
    try:
        await remove_own_factor(
            visit.conn,
            person_id=visit.person.id,
            password=visit.form.get("password", ""),
            actor=_self(visit),
        )
    except ApiError as error:
        return await you(visit, Refusal.of("factor", error, visit))
    return Redirect("/you?done=factor_off")


async def own_data(visit: Visit) -> Answer:
    """Give what is stored about the person who asks, as one ZIP."""
    person_id = visit.person.id
    await write_audit(
        visit.conn,
        workspace_id=INSTALLATION,
        action="person.export",
        subject=("person", person_id),
        actor=_self(visit),
    )
    chunks = person_archive(visit.ports.database, person_id)
    return Stream(chunks, "application/zip", f"my-data-{real_now():%Y-%m-%d}.zip")


def _self(visit: Visit) -> Actor:
    """The person as the audit log knows whoever acts on themselves."""
    return Actor("customer", visit.person.id, visit.address)


YOUR_PAGES: Final = (
    Page("you", "GET", "/you", you),
    Page("end_session", "POST", "/you/sessions/{session}/end", post_end_session),
    Page("end_sessions", "POST", "/you/sessions/end", post_end_sessions),
    Page("own_data", "GET", "/you/data", own_data),
    Page("factor_form", "GET", "/you/second-step", factor_form),
    Page("begin_factor", "POST", "/you/second-step/begin", begin_factor),
    Page("confirm_factor", "POST", "/you/second-step", confirm_factor),
    Page("stop_factor", "POST", "/you/second-step/stop", stop_factor),
)
