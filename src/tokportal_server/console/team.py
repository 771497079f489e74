"""The people of a workspace: who they are, whom they ask in, who goes."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from tokportal_server.console.acts import console_address, refusal_of
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import options
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.mails import mail_link
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.workspaces.errors import InvitationNotFoundError, MemberNotFoundError
from tokportal_server.workspaces.operations.invitations import (
    invite_member,
    pending_invitations,
    withdraw_invitation,
)
from tokportal_server.workspaces.operations.members import (
    MemberRole,
    list_members,
    put_member,
    remove_member,
)

_ROLES: Final[tuple[str, ...]] = get_args(MemberRole)


class RoleForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The role that somebody is to have."""

    role: MemberRole


class InviteForm(RoleForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to ask in."""

    email: str


async def show_team(visit: Visit, refusal: Refusal | None = None, status: int = 200) -> Answer:
    """Show the members and whoever was invited; the forms are for owners."""
    return Shown("team.html", await _facts(visit, refusal), refusal.status if refusal else status)


async def invite(visit: Visit) -> Answer:
    """Make a link by which somebody joins, and show it this once."""
    try:
        asked = decode_body(InviteForm, body_of(InviteForm, visit.form))
        link = await invite_member(
            visit.conn,
            workspace_id=visit.workspace.id,
            email=asked.email,
            role=asked.role,
            actor=visit.customer,
            origin=visit.ports.settings.origin(),
        )
    except ApiError as error:
        return await show_team(visit, refusal_of("invite", error, visit))
    mailed = await mail_link(
        visit.conn,
        visit.ports,
        "workspace_invitation",
        to=asked.email,
        link=link,
        about=visit.workspace.name,
    )
    made = {"link": link, "email": asked.email, "mailed": mailed}
    return Shown("team.html", {**await _facts(visit, None), "made": made}, 201)


async def withdraw(visit: Visit) -> Answer:
    """Take an invitation back."""
    try:
        await withdraw_invitation(
            visit.conn,
            workspace_id=visit.workspace.id,
            invitation_id=visit.id("invitation"),
            actor=visit.customer,
        )
    except InvitationNotFoundError:
        raise nothing_here() from None
    return Redirect(f"{_address(visit)}?done=invitation_withdrawn")


async def change_role(visit: Visit) -> Answer:
    """Give a member another role."""
    person_id = visit.id("person")
    members = await list_members(visit.conn, visit.workspace.id)
    if person_id not in {one.person_id for one in members}:
        raise nothing_here()
    try:
        await put_member(
            visit.conn,
            workspace_id=visit.workspace.id,
            person_id=person_id,
            role=decode_body(RoleForm, body_of(RoleForm, visit.form)).role,
            actor=visit.customer,
        )
    except ApiError as error:
        return await show_team(visit, refusal_of(f"role-{person_id}", error, visit))
    return Redirect(f"{_address(visit)}?done=role_changed")


async def remove(visit: Visit) -> Answer:
    """Take a member out of the workspace; whoever takes out themselves is led to what is left."""
    person_id = visit.id("person")
    try:
        await remove_member(
            visit.conn,
            workspace_id=visit.workspace.id,
            person_id=person_id,
            actor=visit.customer,
        )
    except MemberNotFoundError:
        raise nothing_here() from None
    except ApiError as error:
        return await show_team(visit, refusal_of(f"remove-{person_id}", error, visit))
    if person_id == visit.person.id:
        return Redirect("/you?done=member_left")
    return Redirect(f"{_address(visit)}?done=member_removed")


async def _facts(visit: Visit, refusal: Refusal | None) -> dict[str, Any]:
    return {
        "members": await list_members(visit.conn, visit.workspace.id),
        "invitations": await pending_invitations(visit.conn, visit.workspace.id),
        "made": None,
        "role_options": options("role", _ROLES),
        "owner": visit.workspace.role == "owner",
        "address": _address(visit),
        "now": visit.now,
        "refusal": refusal,
    }


def _address(visit: Visit) -> str:
    return f"{console_address(visit)}/team"


_HERE = "/console/{workspace}/team"
_PERSON = f"{_HERE}/{{person}}"
TEAM_PAGES: Final = (
    Page("team", "GET", _HERE, show_team),
    Page("invite_member", "POST", f"{_HERE}/invitations", invite),
    Page("withdraw_invitation", "POST", f"{_HERE}/invitations/{{invitation}}/withdraw", withdraw),
    Page("change_role", "POST", f"{_PERSON}/role", change_role),
    Page("remove_member", "POST", f"{_PERSON}/remove", remove),
)
