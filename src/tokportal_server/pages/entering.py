"""Pages of coming and going: signing in, its second step, choosing a password, signing out."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.navigation import places_of
from tokportal_server.pages.one_time_links import (
    SHORTEST,
    choose_password,
    find_link,
    mail_reset_link,
)
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Shown, Visit
from tokportal_server.pages.second_factor import check_code, end_steps, person_between_steps
from tokportal_server.pages.sessions import Person, begin_session, end_session
from tokportal_server.pages.sign_in import check_password, count_attempt, enter


async def home(visit: Visit) -> Answer:
    """Lead to where somebody's own work is."""
    return Redirect(home_of(visit.person))


def home_of(person: Person) -> str:
    """Give the address of a person's first page."""
    if person.workspaces:
        return f"/console/{person.workspaces[0].id}"
    places = places_of(person)
    return places[0].root if places else "/you"


async def sign_in_form(visit: Visit) -> Answer:
    """Ask who it is; whoever is signed in already is led on."""
    if visit.visitor is not None:
        return Redirect(_own(visit.query.get("next", "")) or home_of(visit.visitor))
    return _sign_in_page(visit)


async def post_sign_in(visit: Visit) -> Answer:
    """Sign in, in a new session; the one that the browser had ends."""
    try:
        person_id = await check_password(
            visit.conn,
            email=visit.field("email"),
            password=visit.form.get("password", ""),
            address=visit.address,
        )
    except ApiError as error:
        return _sign_in_page(visit, Refusal.of("sign_in", error, visit))
    return await _let_in(visit, person_id, _own(visit.form.get("next", "")) or "/console")


async def _let_in(visit: Visit, person_id: UUID, following: str) -> Redirect:
    """Lead on to a page, by way of the second step if the person has one."""
    entry = await enter(visit.conn, person_id, user_agent=visit.user_agent, address=visit.address)
    await _end_own(visit)
    if entry.code_wanted:
        return Redirect(f"/sign-in/code?{urlencode({'next': following})}", token=entry.token)
    return Redirect(following, token=entry.token)


async def _end_own(visit: Visit) -> None:
    if visit.visitor is not None:
        await end_session(visit.conn, visit.visitor.id, visit.visitor.session_id)


def _sign_in_page(visit: Visit, refusal: Refusal | None = None) -> Shown:
    facts = {
        "next": _following(visit),
        "email": visit.form.get("email", ""),
        "mail": visit.ports.settings.smtp_host is not None,
        "refusal": refusal,
    }
    return Shown("sign_in.html", facts)


def _following(visit: Visit) -> str:
    return _own(visit.form.get("next", "") or visit.query.get("next", ""))


def _own(address: str) -> str:
    """Give an address if it is a path of ours, nothing otherwise: nobody is led elsewhere."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else ""


async def code_form(visit: Visit) -> Answer:
    """Ask for the second step's code; whoever has not given the password begins with that."""
    if await person_between_steps(visit.conn, visit.secret) is None:
        return Redirect("/sign-in")
    return Shown("code.html", {"next": _following(visit), "refusal": None})


async def post_code(visit: Visit) -> Answer:
    """Finish signing in with a code."""
    person_id = await person_between_steps(visit.conn, visit.secret)
    if person_id is None:
        return Redirect("/sign-in")
    actor = Actor("customer", person_id, visit.address)
    try:
        await check_code(
            visit.conn,
            visit.ports.vault,
            person_id=person_id,
            code=visit.field("code"),
            actor=actor,
        )
    except ApiError as error:
        refusal = Refusal.of("code", error, visit)
        return Shown("code.html", {"next": _following(visit), "refusal": refusal})
    await end_steps(visit.conn, person_id)
    token = await begin_session(
        visit.conn, person_id, user_agent=visit.user_agent, address=visit.address
    )
    return Redirect(_following(visit) or "/console", token=token)


async def sign_out(visit: Visit) -> Answer:
    """End this session."""
    await _end_own(visit)
    return Redirect("/sign-in", token="")


async def password_form(visit: Visit) -> Answer:
    """Ask whom a one-time link is for to choose a password; looking uses nothing up."""
    return await _password_page(visit, visit.query.get("link", ""))


async def post_password(visit: Visit) -> Answer:
    """Set the password, and sign in with a new session."""
    link, password = visit.form.get("link", ""), visit.form.get("password", "")
    try:
        person_id = await choose_password(visit.conn, link, password)
    except ApiError as error:
        return await _password_page(visit, link, Refusal.of("password", error, visit))
    return await _let_in(visit, person_id, "/you?done=password")


async def _password_page(visit: Visit, link: str, refusal: Refusal | None = None) -> Shown:
    invited = await find_link(visit.conn, link)
    facts = {"link": link, "invited": invited, "shortest": SHORTEST, "refusal": refusal}
    return Shown("password.html", facts)


async def lost_form(visit: Visit) -> Answer:
    """Ask for the address to which a link for a new password goes."""
    return _lost_page(visit)


async def post_lost(visit: Visit) -> Answer:
    """Mail a link to the person who has an address; the answer is the same if nobody has it."""
    email = visit.field("email")
    try:
        await count_attempt(visit.conn, "reset_address", visit.address)
        await count_attempt(visit.conn, "reset_email", email.lower())
    except ApiError as error:
        return _lost_page(visit, Refusal.of("lost", error, visit))
    await mail_reset_link(visit.conn, visit.ports, email=email)
    return _lost_page(visit, sent=True)


def _lost_page(visit: Visit, refusal: Refusal | None = None, *, sent: bool = False) -> Shown:
    mail = visit.ports.settings.smtp_host is not None
    facts = {"mail": mail, "sent": sent and mail, "refusal": refusal}
    return Shown("lost.html", facts)


ENTERING_PAGES: Final = (
    Page("home", "GET", "/console", home),
    Page("sign_in_form", "GET", "/sign-in", sign_in_form),
    Page("sign_in", "POST", "/sign-in", post_sign_in),
    Page("code_form", "GET", "/sign-in/code", code_form),
    Page("code", "POST", "/sign-in/code", post_code),
    Page("sign_out", "POST", "/sign-out", sign_out),
    Page("password_form", "GET", "/password", password_form),
    Page("password", "POST", "/password", post_password),
    Page("lost_form", "GET", "/password/lost", lost_form),
    Page("lost", "POST", "/password/lost", post_lost),
)
