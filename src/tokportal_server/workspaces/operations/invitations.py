"""Asking somebody into a workspace: a link that works once, for one e-mail address.

A link makes a person only where there is none with its address; whoever has an account already
must sign in to it. So an owner who invites an address gains nothing of whom it belongs to.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import msgspec

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.errors import (
    AlreadyMemberError,
    InvitationForAnotherError,
    InvitationLimitError,
    InvitationNotFoundError,
)
from tokportal_server.workspaces.notices import tell
from tokportal_server.workspaces.operations.create_person import create_person
from tokportal_server.workspaces.operations.members import MemberRole, put_member

VALID: Final = timedelta(days=7)
LONGEST_EMAIL: Final = 320
LONGEST_NAME: Final = 200
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+")

# An invitation may be mailed: nobody's mailbox is filled from here.
_AT_ONCE: Final = 20
_A_SECOND: Final = 1 / 60
TAKE = "SELECT allowed FROM take_token($1, 'invitation', $1, 1, $2, $3)"
IS_MEMBER = """
SELECT 1 FROM workspace_members m JOIN people p ON p.id = m.person_id
 WHERE m.workspace_id = $1 AND lower(p.email) = lower($2)
"""
PERSON = "SELECT id FROM people WHERE lower(email) = lower($1)"
MAKE = """
INSERT INTO workspace_invitations (workspace_id, id, token_hash, email, role, invited_by,
                                   expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
ON CONFLICT (workspace_id, lower(email)) DO UPDATE
   SET id = excluded.id, token_hash = excluded.token_hash, role = excluded.role,
       invited_by = excluded.invited_by, created_at = now(), expires_at = excluded.expires_at
"""
PENDING = """
SELECT i.id, i.email, i.role, p.name AS invited_by, i.created_at, i.expires_at
  FROM workspace_invitations i LEFT JOIN people p ON p.id = i.invited_by
 WHERE i.workspace_id = $1 AND i.expires_at > now() ORDER BY i.created_at DESC, i.id
"""
FIND = """
SELECT i.workspace_id, w.name AS workspace, i.email, i.role, h.name AS invited_by,
       p.id AS person_id
  FROM workspace_invitations i
  JOIN workspaces w ON w.id = i.workspace_id
  LEFT JOIN people h ON h.id = i.invited_by
  LEFT JOIN people p ON lower(p.email) = lower(i.email)
 WHERE i.token_hash = $1 AND i.expires_at > now()
"""
# Of two who use one link at once, the second finds it gone.
SPEND = """
DELETE FROM workspace_invitations WHERE token_hash = $1 AND expires_at > now()
RETURNING workspace_id, id, role, invited_by
"""
WITHDRAW = "DELETE FROM workspace_invitations WHERE workspace_id = $1 AND id = $2 RETURNING email"
PURGE = """
DELETE FROM workspace_invitations WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM workspace_invitations WHERE expires_at < now() LIMIT 1000
)
"""


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that nobody has answered yet; ``invited_by`` is a name."""

    id: UUID
    email: str
    role: MemberRole
    invited_by: str | None
    created_at: datetime
    expires_at: datetime


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is for; ``person_id`` is whose address it is, if there is such a person yet."""

    workspace_id: UUID
    workspace: str
    email: str
    role: MemberRole
    invited_by: str | None
    person_id: UUID | None


async def invite_member(
    conn: Connection,
    *,
    workspace_id: UUID,
    email: str,
    role: MemberRole,
    actor: Actor,
    origin: str,
) -> str:
    """Make a one-time link by which somebody joins; it takes the place of an earlier one.

    ``origin`` is the server's public address. Gives the link's, which nobody can read again.

    Raises:
        ValidationError: ``email`` is no address.
        AlreadyMemberError: somebody with it belongs to the workspace.
        InvitationLimitError: there were 20, and since then more than one a minute.
    """
    email = email.strip()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        refuse([Problem("email", "must be an e-mail address", email)])
    token, invitation_id = secrets.token_urlsafe(32), uuid4()
    async with conn.transaction():
        if not await conn.fetchval(TAKE, workspace_id, _AT_ONCE, _A_SECOND):
            raise InvitationLimitError(
                "This workspace has invited many people just now. Wait a minute for each more.",
                retry_after=60,
            )
        if await conn.fetchval(IS_MEMBER, workspace_id, email) is not None:
            raise AlreadyMemberError(f"{email} belongs to this workspace already.")
        await conn.execute(
            MAKE, workspace_id, invitation_id, _hashed(token), email, role, actor.id, VALID
        )
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="invitation.make",
            subject=("invitation", invitation_id),
            actor=actor,
            details={"email": email, "role": role},
        )
        # Whoever signs in here already hears of it on their page; the link is for them alone.
        people = [row["id"] for row in await conn.fetch(PERSON, email)]
        await tell(
            conn,
            workspace_id,
            people,
            kind="invitation",
            subject=str(invitation_id),
            text=f"You are invited to this workspace as {role}; the link is for {email}.",
            at=real_now(),
            mail=False,
        )
    # As a parameter: paths are logged, what stands after the question mark is not.
    return f"{origin}/invitation?link={token}"


async def pending_invitations(conn: Connection, workspace_id: UUID) -> list[Invitation]:
    """Give the invitations that still wait for an answer, newest first."""
    return [Invitation(**row) for row in await conn.fetch(PENDING, workspace_id)]


async def withdraw_invitation(
    conn: Connection, *, workspace_id: UUID, invitation_id: UUID, actor: Actor
) -> None:
    """Take an invitation back: its link leads nowhere any more.

    Raises:
        InvitationNotFoundError: there is none (any more).
    """
    async with conn.transaction():
        email = await conn.fetchval(WITHDRAW, workspace_id, invitation_id)
        if email is None:
            raise _gone()
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="invitation.withdraw",
            subject=("invitation", invitation_id),
            actor=actor,
            details={"email": email},
        )


async def find_invitation(conn: Connection, token: str) -> Invited:
    """Give what a link is for, without using it up.

    Raises:
        InvitationNotFoundError: it leads nowhere (any more).
    """
    row = await conn.fetchrow(FIND, _hashed(token))
    if row is None:
        raise _gone()
    return Invited(**row)


async def join_by_invitation(
    conn: Connection, token: str, *, person_id: UUID, address: str | None = None
) -> UUID:
    """Let somebody who is signed in join; give the workspace's id. ``address`` is for the audit.

    Raises:
        InvitationNotFoundError: the link leads nowhere (any more).
        InvitationForAnotherError: it is for somebody else's address.
    """
    invited = await find_invitation(conn, token)
    if invited.person_id != person_id:
        raise InvitationForAnotherError(
            f"This invitation is for {invited.email}. Sign out, and open the link again as them."
        )
    return await _spend(conn, token, person_id, address)


async def join_as_new_person(
    conn: Connection, token: str, *, name: str, address: str | None = None
) -> tuple[UUID, UUID]:
    """Make the person whom a link invites, and let them join; give workspace's and person's id.

    They cannot sign in before they have a password. Call it in the transaction that sets one.

    Raises:
        InvitationNotFoundError: the link leads nowhere (any more).
        InvitationForAnotherError: somebody has its address already: they sign in instead.
        ValidationError: the name is missing or too long.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        refuse([Problem("name", f"must be 1 to {LONGEST_NAME} characters long", name)])
    invited = await find_invitation(conn, token)
    try:
        async with conn.transaction():
            person_id = await create_person(conn=conn, email=invited.email, name=name)
            return await _spend(conn, token, person_id, address), person_id
    except asyncpg.UniqueViolationError:
        raise InvitationForAnotherError(
            f"{invited.email} can sign in already. Sign in, and open the link again."
        ) from None


async def purge_invitations(conn: Connection) -> int:
    """Delete invitations that have run out, at most a thousand; give how many there were."""
    return int((await conn.execute(PURGE)).removeprefix("DELETE "))


async def _spend(conn: Connection, token: str, person_id: UUID, address: str | None) -> UUID:
    async with conn.transaction():
        row = await conn.fetchrow(SPEND, _hashed(token))
        if row is None:
            raise _gone()
        workspace_id: UUID = row["workspace_id"]
        # The role is whose invitation it is to give, not the newcomer's.
        await put_member(
            conn,
            workspace_id=workspace_id,
            person_id=person_id,
            role=row["role"],
            actor=Actor("customer", row["invited_by"]),
        )
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="invitation.accept",
            subject=("invitation", row["id"]),
            actor=Actor("customer", person_id, address),
        )
    return workspace_id


def _hashed(token: str) -> bytes:
    """Give what is stored of a token; it is random, so it needs neither salt nor stretching."""
    return hashlib.sha256(token.encode()).digest()


def _gone() -> InvitationNotFoundError:
    return InvitationNotFoundError(
        "This invitation was used or taken back, or its time is over. Ask for another."
    )
