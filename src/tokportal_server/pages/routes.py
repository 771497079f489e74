"""The pages that belong to nobody's work: the front, signing in and out, passwords, sessions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.errors import SignInLimitedError, SignInRefusedError
from tokportal_server.pages.one_time_links import SHORTEST, choose_password, find_link
from tokportal_server.pages.page import (
    Answer,
    File,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.pages.sessions import (
    Person,
    begin_session,
    end_session,
    end_sessions,
    list_sessions,
)
from tokportal_server.pages.sign_in import sign_in

_ASSETS: Final = Path(__file__).resolve().parent / "assets"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def front(visit: Visit) -> Answer:
    """Say what this server is, and lead on."""
    return Shown("front.html", {"home": home_of(visit.visitor) if visit.visitor else None})


async def asset(visit: Visit) -> Answer:
    """Give a file that pages load."""
    found = _assets().get(visit.path["name"])
    if found is None:
        raise nothing_here()
    return found


async def home(visit: Visit) -> Answer:
    """Lead to where somebody's own work is."""
    return Redirect(home_of(visit.person))


def home_of(person: Person) -> str:
    """Give the address of a person's first page."""
    if person.workspaces:
        return f"/console/{person.workspaces[0].id}"
    return "/desk" if person.manager else "/you"


async def sign_in_form(visit: Visit) -> Answer:
    """Ask who it is; whoever is signed in already is led on."""
    if visit.visitor is not None:
        return Redirect(_own(visit.query.get("next", "")) or home_of(visit.visitor))
    return _sign_in_page(visit)


async def post_sign_in(visit: Visit) -> Answer:
    """Sign in, in a new session; the one that the browser had ends."""
    try:
        token = await sign_in(
            visit.conn,
            email=visit.field("email"),
            password=visit.form.get("password", ""),
            address=visit.address,
            user_agent=visit.user_agent,
        )
    except (SignInRefusedError, SignInLimitedError) as error:
        return _sign_in_page(visit, Refusal.of("sign_in", error, visit))
    if visit.visitor is not None:
        await end_session(visit.conn, visit.visitor.id, visit.visitor.session_id)
    return Redirect(_own(visit.form.get("next", "")) or "/console", token=token)


def _sign_in_page(visit: Visit, refusal: Refusal | None = None) -> Shown:
    following = _own(visit.form.get("next", "") or visit.query.get("next", ""))
    facts = {"next": following, "email": visit.form.get("email", ""), "refusal": refusal}
    return Shown("sign_in.html", facts, refusal.status if refusal else 200)


def _own(address: str) -> str:
    """Give an address if it is a path of ours, nothing otherwise: nobody is led elsewhere."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else ""


async def sign_out(visit: Visit) -> Answer:
    """End this session."""
    await end_session(visit.conn, visit.person.id, visit.person.session_id)
    return Redirect("/sign-in", token="")


async def you(visit: Visit) -> Answer:
    """Show a person what they are here, and where they are signed in."""
    sessions = await list_sessions(visit.conn, visit.person.id)
    return Shown("you.html", {"sessions": sessions})


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


async def password_form(visit: Visit) -> Answer:
    """Ask whom a one-time link is for to choose a password; looking uses nothing up."""
    return await _password_page(visit, visit.query.get("link", ""))


async def post_password(visit: Visit) -> Answer:
    """Set the password, and sign in with a new session."""
    link, password = visit.form.get("link", ""), visit.form.get("password", "")
    try:
        person_id = await choose_password(visit.conn, link, password)
    except ApiError as error:
        refusal = Refusal.of("password", error, visit)
        return await _password_page(visit, link, refusal)
    token = await begin_session(
        visit.conn, person_id, user_agent=visit.user_agent, address=visit.address
    )
    return Redirect("/you?done=password", token=token)


async def _password_page(visit: Visit, link: str, refusal: Refusal | None = None) -> Shown:
    invited = await find_link(visit.conn, link)
    facts = {"link": link, "invited": invited, "shortest": SHORTEST, "refusal": refusal}
    return Shown("password.html", facts, refusal.status if refusal else 200)


@lru_cache
def _assets() -> dict[str, File]:
    return {
        path.name: File(path.read_bytes(), _TYPES[path.suffix])
        for path in _ASSETS.iterdir()
        if path.suffix in _TYPES
    }


PEOPLE_PAGES: Final = (
    Page("front", "GET", "/", front),
    Page("asset", "GET", "/assets/{name}", asset),
    Page("home", "GET", "/console", home),
    Page("sign_in_form", "GET", "/sign-in", sign_in_form),
    Page("sign_in", "POST", "/sign-in", post_sign_in),
    Page("sign_out", "POST", "/sign-out", sign_out),
    Page("password_form", "GET", "/password", password_form),
    Page("password", "POST", "/password", post_password),
    Page("you", "GET", "/you", you),
    Page("end_session", "POST", "/you/sessions/{session}/end", post_end_session),
    Page("end_sessions", "POST", "/you/sessions/end", post_end_sessions),
)
