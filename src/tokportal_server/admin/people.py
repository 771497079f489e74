"""People: a list, inviting, and one person: what they are, where they work and are signed in."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, get_args
from uuid import UUID

from tokportal_server.admin.audit_log import about
from tokportal_server.admin.frame import (
    A_PAGE,
    Preview,
    asked_page,
    chosen,
    identifier,
    perform,
    show,
    whole_or_none,
)
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.mails import forget_mails, mail_link
from tokportal_server.pages.one_time_links import VALID, Purpose, make_link
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit, nothing_here
from tokportal_server.pages.sessions import end_sessions, list_sessions
from tokportal_server.workbench.operations.add_person import Newcomer, add_person
from tokportal_server.workbench.operations.deactivate_manager import (
    LetGo,
    activate_manager,
    deactivate_manager,
)
from tokportal_server.workbench.operations.erase_person import erase_person
from tokportal_server.workbench.operations.set_manager import Work, set_manager
from tokportal_server.workbench.operations.set_operator import set_operator
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.lookups import workspace_now
from tokportal_server.workspaces.operations.members import MemberRole, put_member
from tokportal_server.workspaces.reference import list_countries, list_platforms

PEOPLE = """
SELECT p.id, p.name, p.email, p.operator, p.password_hash IS NOT NULL AS signs_in,
       m.person_id IS NOT NULL AS manager, m.active, m.countries, m.platforms, m.capacity,
       (SELECT count(*) FROM claims k WHERE k.manager_id = p.id AND k.status = 'live') AS held,
       (SELECT count(*) FROM workspace_members w WHERE w.person_id = p.id) AS workspaces
  FROM people p LEFT JOIN managers m ON m.person_id = p.id
 WHERE m.rehearsal_workspace_id IS NULL AND (p.erased_at IS NULL OR $1::text IS NOT NULL)
   AND ($1::text IS NULL OR p.id::text = lower($1) OR strpos(lower(p.name), lower($1)) > 0
        OR strpos(lower(p.email), lower($1)) > 0)
   AND CASE $2 WHEN 'operator' THEN p.operator WHEN 'manager' THEN m.person_id IS NOT NULL
               ELSE true END
 ORDER BY p.name, p.email LIMIT $3 OFFSET $4
"""
PERSON = """
SELECT p.id, p.name, p.email, p.operator, p.created_at, p.erased_at,
       p.password_hash IS NOT NULL AS signs_in,
       m.person_id IS NOT NULL AS manager, m.active, m.countries, m.platforms, m.capacity
  FROM people p LEFT JOIN managers m ON m.person_id = p.id
 WHERE p.id = $1 AND m.rehearsal_workspace_id IS NULL
"""
MEMBERSHIPS = """
SELECT w.id, w.name, m.role FROM workspace_members m JOIN workspaces w ON w.id = m.workspace_id
 WHERE m.person_id = $1 ORDER BY w.name, w.id
"""
HELD = """
SELECT b.id, b.title, b.external_ref, b.platform, b.country, b.status, k.claimed_at, k.due_at,
       w.name AS workspace, now() + w.clock_offset AS now
  FROM claims k
  JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id
  JOIN workspaces w ON w.id = k.workspace_id
 WHERE k.manager_id = $1 AND k.status = 'live' ORDER BY k.due_at NULLS LAST LIMIT 100
"""
ROLES: Final[tuple[MemberRole, ...]] = get_args(MemberRole)
_KINDS: Final = ("customer", "manager", "operator")


async def show_people(
    visit: Visit, refusal: Refusal | None = None, link: dict[str, Any] | None = None
) -> Answer:
    """Show the people by name, or what a search found; ``link`` is what was just made, once."""
    sought = visit.query.get("q", "").strip()[:200]
    kind = visit.query.get("kind", "")
    number = asked_page(visit)
    rows = await visit.conn.fetch(PEOPLE, sought or None, kind, A_PAGE + 1, (number - 1) * A_PAGE)
    facts = {
        "q": sought,
        "kind": kind,
        "people": rows[:A_PAGE],
        "page": number,
        "more": len(rows) > A_PAGE,
        "countries": await list_countries(visit.conn),
        "platforms": await list_platforms(visit.conn),
        "roles": ROLES,
        "link": link,
        "workspace_id": visit.query.get("workspace", ""),
    }
    return await show(visit, "admin_people.html", facts, refusal)


async def post_invite(visit: Visit) -> Answer:
    """Make a person and the link by which they choose a password; it is shown this once."""
    kind = visit.field("kind")
    try:
        if kind not in _KINDS:
            refuse([Problem("kind", f"must be one of {', '.join(_KINDS)}", kind)])
        async with visit.conn.transaction():
            made = await add_person(
                conn=visit.conn, actor=visit.operator, newcomer=_newcomer(visit, kind)
            )
            if kind == "customer":
                await _join(visit, made)
            address = await make_link(
                visit.conn,
                made,
                "invitation",
                origin=visit.ports.settings.origin(),
                actor=visit.operator,
            )
            link = await _shown_once(
                visit, "invitation", address, visit.field("email"), visit.field("name")
            )
    except ApiError as error:
        return await show_people(visit, Refusal.of("invite", error, visit))
    return await show_people(visit, None, link)


async def _shown_once(
    visit: Visit, purpose: Purpose, address: str, email: str, name: str
) -> dict[str, Any]:
    """Have a link mailed if there is a mail server; give what the page shows of it."""
    mailed = await mail_link(visit.conn, visit.ports, purpose, to=email, link=address, about=name)
    until = real_now() + VALID[purpose]
    return {"address": address, "for": email, "until": until, "mailed": mailed}


def _newcomer(visit: Visit, kind: str) -> Newcomer:
    countries = chosen(visit, "countries") if kind == "manager" else []
    if kind == "manager" and not countries:
        refuse([Problem("countries", "name at least one for a manager")])
    return Newcomer(
        email=visit.field("email"),
        name=visit.field("name"),
        operator=kind == "operator",
        countries=countries,
        platforms=chosen(visit, "platforms"),
    )


async def _join(visit: Visit, person_id: UUID) -> None:
    workspace_id, role = identifier(visit, "workspace_id"), visit.field("role")
    if workspace_id is None:
        return
    await workspace_now(visit.conn, workspace_id)
    known = next((one for one in ROLES if one == role), None)
    if known is None:
        refuse([Problem("role", f"must be one of {', '.join(ROLES)}", role)])
        return
    await put_member(
        visit.conn,
        workspace_id=workspace_id,
        person_id=person_id,
        role=known,
        actor=visit.operator,
    )


async def show_person(
    visit: Visit,
    refusal: Refusal | None = None,
    preview: Preview | None = None,
    *,
    link: dict[str, Any] | None = None,
    let_go: LetGo | None = None,
) -> Answer:
    """Show one person.

    Raises:
        PageNotFoundError: there is no such person, or they are a simulation.
    """
    person_id = visit.id("who")
    one = await visit.conn.fetchrow(PERSON, person_id)
    if one is None:
        raise nothing_here()
    facts = {
        "one": one,
        "memberships": await visit.conn.fetch(MEMBERSHIPS, person_id),
        "held": await visit.conn.fetch(HELD, person_id),
        "sessions": await list_sessions(visit.conn, person_id),
        "audited": await about(visit.conn, INSTALLATION, person_id),
        "countries": await list_countries(visit.conn),
        "platforms": await list_platforms(visit.conn),
        "link": link,
        "let_go": let_go,
    }
    return await show(visit, "admin_person.html", facts, refusal, preview)


async def post_manager(visit: Visit) -> Answer:
    """Set where somebody works, and how much at once."""

    async def change() -> None:
        work = Work(
            countries=chosen(visit, "countries"),
            platforms=chosen(visit, "platforms"),
            capacity=whole_or_none(visit, "capacity"),
        )
        await set_manager(
            conn=visit.conn, actor=visit.operator, person_id=visit.id("who"), work=work
        )

    return await perform(visit, "manager", change, again=show_person, then=_done(visit, "manager"))


async def post_deactivate(visit: Visit) -> Answer:
    """Take a manager out of work, and say what was offered to others."""
    try:
        let_go = await deactivate_manager(
            conn=visit.conn,
            actor=visit.operator,
            person_id=visit.id("who"),
            reason=visit.field("reason"),
            rules=OrderRules.of(visit.ports.settings),
        )
    except ApiError as error:
        return await show_person(visit, Refusal.of("active", error, visit))
    return await show_person(visit, let_go=let_go)


async def post_activate(visit: Visit) -> Answer:
    """Let a manager work again."""

    async def change() -> None:
        await activate_manager(
            conn=visit.conn,
            actor=visit.operator,
            person_id=visit.id("who"),
            reason=visit.field("reason"),
        )

    return await perform(visit, "active", change, again=show_person, then=_done(visit, "manager"))


async def post_operator(visit: Visit) -> Answer:
    """Make somebody an operator, or take that away."""

    async def change() -> None:
        await set_operator(
            conn=visit.conn,
            actor=visit.operator,
            person_id=visit.id("who"),
            operator=visit.field("operator") == "true",
            reason=visit.field("reason"),
        )

    return await perform(visit, "operator", change, again=show_person, then=_done(visit, "role"))


async def post_reset(visit: Visit) -> Answer:
    """Make a link by which somebody chooses a password; it is shown this once."""
    person_id = visit.id("who")
    one = await visit.conn.fetchrow(PERSON, person_id)
    if one is None:
        raise nothing_here()
    purpose: Purpose = "password_reset" if one["signs_in"] else "invitation"
    address = await make_link(
        visit.conn,
        person_id,
        purpose,
        origin=visit.ports.settings.origin(),
        actor=visit.operator,
    )
    link = await _shown_once(visit, purpose, address, one["email"], one["name"])
    return await show_person(visit, link=link)


async def post_erase(visit: Visit) -> Answer:
    """Erase a person for good."""

    async def erase() -> None:
        await erase_person(
            visit.conn,
            OrderRules.of(visit.ports.settings),
            partial(forget_mails, visit.ports.vault),
            actor=visit.operator,
            person_id=visit.id("who"),
            email=visit.field("email"),
            reason=visit.field("reason"),
        )

    return await perform(visit, "erase", erase, again=show_person, then=_done(visit, "erased"))


async def post_end_sessions(visit: Visit) -> Answer:
    """Sign somebody out everywhere."""
    person_id = visit.id("who")
    if await visit.conn.fetchrow(PERSON, person_id) is None:
        raise nothing_here()
    async with visit.conn.transaction():
        await end_sessions(visit.conn, person_id)
        await write_audit(
            visit.conn,
            workspace_id=INSTALLATION,
            action="person.end_sessions",
            subject=("person", person_id),
            actor=visit.operator,
        )
    return Redirect(_done(visit, "sessions"))


def _done(visit: Visit, what: str) -> str:
    return f"/admin/people/{visit.id('who')}?done={what}"


_ONE = "/admin/people/{who}"
PERSON_PAGES: Final = (
    Page("admin_people", "GET", "/admin/people", show_people),
    Page("admin_invite", "POST", "/admin/people", post_invite),
    Page("admin_person", "GET", _ONE, show_person),
    Page("admin_manager", "POST", f"{_ONE}/manager", post_manager),
    Page("admin_deactivate", "POST", f"{_ONE}/deactivate", post_deactivate),
    Page("admin_activate", "POST", f"{_ONE}/activate", post_activate),
    Page("admin_operator", "POST", f"{_ONE}/operator", post_operator),
    Page("admin_reset", "POST", f"{_ONE}/reset", post_reset),
    Page("admin_erase_person", "POST", f"{_ONE}/erase", post_erase),
    Page("admin_end_sessions", "POST", f"{_ONE}/sessions/end", post_end_sessions),
)
