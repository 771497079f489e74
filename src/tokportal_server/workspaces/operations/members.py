"""Who belongs to a workspace, and as what: looked up, given a role, taken out.

Every change locks the workspace's members first, so that two owners who take each other out at once
leave one behind.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.errors import (
    LastOwnerError,
    MemberNotFoundError,
    OwnRoleError,
)

MemberRole = Literal["owner", "member", "viewer"]
_RANKS: dict[str, int] = {"viewer": 0, "member": 1, "owner": 2}

MEMBERS = """
SELECT m.person_id, p.name, p.email, m.role, p.password_hash IS NOT NULL AS signs_in,
       (SELECT count(*) FROM api_keys k
         WHERE k.workspace_id = m.workspace_id AND k.person_id = m.person_id
           AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()))
           AS live_keys
  FROM workspace_members m JOIN people p ON p.id = m.person_id
 WHERE m.workspace_id = $1 ORDER BY p.name, p.email
"""
LOCK_MEMBERS = """
SELECT person_id, role FROM workspace_members WHERE workspace_id = $1 ORDER BY person_id FOR UPDATE
"""
# Giving a role again changes it.
PUT = """
INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, person_id) DO UPDATE SET role = excluded.role
"""
# What an owner has asked others into goes when they are no owner any more.
WITHDRAW_THEIRS = "DELETE FROM workspace_invitations WHERE workspace_id = $1 AND invited_by = $2"
REMOVE = "DELETE FROM workspace_members WHERE workspace_id = $1 AND person_id = $2"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a workspace.

    ``signs_in`` is false until they have chosen a password; ``live_keys`` counts the API keys in
    their name, which belong to the workspace.
    """

    person_id: UUID
    name: str
    email: str
    role: MemberRole
    signs_in: bool
    live_keys: int


async def list_members(conn: Connection, workspace_id: UUID) -> list[Member]:
    """Give the people of a workspace by name."""
    return [Member(**row) for row in await conn.fetch(MEMBERS, workspace_id)]


async def put_member(
    conn: Connection, *, workspace_id: UUID, person_id: UUID, role: MemberRole, actor: Actor
) -> None:
    """Make somebody a member, or give them another role.

    Raises:
        LastOwnerError: the workspace would have no owner.
        OwnRoleError: a customer would give themselves more than they have.
    """
    async with conn.transaction():
        roles = await _locked_roles(conn, workspace_id)
        before = roles.get(person_id)
        raises = before is None or _RANKS[role] > _RANKS[before]
        if raises and actor.kind == "customer" and actor.id == person_id:
            raise OwnRoleError("Nobody raises their own role. Ask another owner of the workspace.")
        if role != "owner":
            _keep_an_owner(roles, person_id)
            await conn.execute(WITHDRAW_THEIRS, workspace_id, person_id)
        await conn.execute(PUT, workspace_id, person_id, role)
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="person.role",
            subject=("person", person_id),
            actor=actor,
            details={"role": role, "before": before},
        )


async def remove_member(
    conn: Connection, *, workspace_id: UUID, person_id: UUID, actor: Actor
) -> None:
    """Take somebody out of a workspace, from their next request on; API keys stay as they are.

    Raises:
        MemberNotFoundError: they do not belong to it.
        LastOwnerError: they are its only owner.
    """
    async with conn.transaction():
        roles = await _locked_roles(conn, workspace_id)
        if person_id not in roles:
            raise MemberNotFoundError(
                f"Person {person_id} does not belong to this workspace (any more)."
            )
        _keep_an_owner(roles, person_id)
        await conn.execute(WITHDRAW_THEIRS, workspace_id, person_id)
        await conn.execute(REMOVE, workspace_id, person_id)
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="person.remove",
            subject=("person", person_id),
            actor=actor,
            details={"role": roles[person_id]},
        )


async def _locked_roles(conn: Connection, workspace_id: UUID) -> dict[UUID, MemberRole]:
    rows = await conn.fetch(LOCK_MEMBERS, workspace_id)
    return {row["person_id"]: row["role"] for row in rows}


def _keep_an_owner(roles: dict[UUID, MemberRole], leaving: UUID) -> None:
    owners = {person for person, role in roles.items() if role == "owner"}
    if owners == {leaving}:
        raise LastOwnerError(
            "This is the only owner, and a workspace needs one. Make somebody else an owner first."
        )
