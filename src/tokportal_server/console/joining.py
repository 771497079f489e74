"""Where an invitation leads: to an account of one's own, or to joining with the one that there is.

Whoever the address belongs to has to sign in; a link never opens an account that exists.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from tokportal_server.console.acts import refusal_of
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.crypto import hash_password
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.one_time_links import LONGEST, SET_PASSWORD, SHORTEST
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Shown, Visit
from tokportal_server.pages.sessions import begin_session
from tokportal_server.workspaces.operations.invitations import (
    find_invitation,
    join_as_new_person,
    join_by_invitation,
)


async def show_invitation(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Say what the link is for, and ask for what is missing; looking uses nothing up.

    Raises:
        InvitationNotFoundError: it leads nowhere (any more).
    """
    link = visit.form.get("link", "") or visit.query.get("link", "")
    invited = await find_invitation(visit.conn, link)
    back = f"/invitation?{urlencode({'link': link})}"
    facts = {
        "link": link,
        "invited": invited,
        "is_new": invited.person_id is None,
        "is_own": visit.visitor is not None and visit.visitor.id == invited.person_id,
        "sign_in": f"/sign-in?next={quote(back, safe='')}",
        "shortest": SHORTEST,
        "refusal": refusal,
    }
    return Shown("invitation.html", facts)


async def accept(visit: Visit) -> Answer:
    """Join, as who is signed in, or as somebody new who is signed in by it."""
    link = visit.form.get("link", "")
    invited = await find_invitation(visit.conn, link)
    try:
        if invited.person_id is None:
            return await _join_as_new_person(visit, link)
        if visit.visitor is None:
            return await show_invitation(visit)
        workspace_id = await join_by_invitation(
            visit.conn, link, person_id=visit.visitor.id, address=visit.address
        )
    except ApiError as error:
        return await show_invitation(visit, refusal_of("join", error, visit))
    return Redirect(f"/console/{workspace_id}?done=joined")


async def _join_as_new_person(visit: Visit, link: str) -> Answer:
    password = visit.form.get("password", "")
    if not SHORTEST <= len(password) <= LONGEST:
        refuse([Problem("password", f"must be {SHORTEST} to {LONGEST} characters long")])
    # Before the transaction, which would wait for it.
    stored = await hash_password(password)
    async with visit.conn.transaction():
        workspace_id, person_id = await join_as_new_person(
            visit.conn, link, name=visit.field("name"), address=visit.address
        )
        await visit.conn.execute(SET_PASSWORD, person_id, stored)
    token = await begin_session(
        visit.conn, person_id, user_agent=visit.user_agent, address=visit.address
    )
    return Redirect(f"/console/{workspace_id}?done=joined", token=token)


JOIN_PAGES: Final = (
    Page("invitation", "GET", "/invitation", show_invitation),
    Page("join", "POST", "/invitation", accept),
)
