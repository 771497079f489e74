"""Sessions: who a browser's cookie stands for.

A token is 256 random bits, made anew at each sign-in; only its SHA-256 is stored. A session ends
when it is not used for a week, after 30 days in any case, by signing out, or with all others when
the person chooses a password. All of that is real time (contract section 2).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tokportal_server.lib.db import Connection
from tokportal_server.pages.policy import Role

IDLE: Final = timedelta(days=7)
LONGEST: Final = timedelta(days=30)
# Seen is fresh to a minute, without a write for every page.
_FRESH: Final = timedelta(minutes=1)
_LONGEST_AGENT = 300

BEGIN = """
INSERT INTO person_sessions (token_hash, person_id, user_agent, address, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval)
"""
FIND = """
SELECT s.id AS session_id, s.seen_at < now() - $3::interval AS stale, p.id, p.name, p.email,
       p.operator,
       EXISTS (SELECT FROM managers m
                WHERE m.person_id = p.id AND m.active
                  AND m.rehearsal_workspace_id IS NULL) AS manager,
       COALESCE((SELECT jsonb_agg(jsonb_build_object(
                            'id', w.id, 'name', w.name, 'role', wm.role, 'rehearsal', w.rehearsal,
                            'ahead', extract(epoch FROM w.clock_offset)) ORDER BY w.name, w.id)
                   FROM workspace_members wm JOIN workspaces w ON w.id = wm.workspace_id
                  WHERE wm.person_id = p.id), '[]') AS workspaces,
       (SELECT count(*) FROM (SELECT FROM notices n
                               WHERE n.person_id = p.id AND n.on_page AND n.read_at IS NULL
                               LIMIT 100) u) AS unread
  FROM person_sessions s JOIN people p ON p.id = s.person_id
 WHERE s.token_hash = $1 AND s.expires_at > now() AND s.seen_at > now() - $2::interval
"""
SEE = "UPDATE person_sessions SET seen_at = now() WHERE token_hash = $1"
OF_PERSON = """
SELECT id, user_agent, address, created_at, seen_at FROM person_sessions
 WHERE person_id = $1 AND expires_at > now() AND seen_at > now() - $2::interval
 ORDER BY seen_at DESC, id
"""
END = "DELETE FROM person_sessions WHERE person_id = $1 AND id = $2"
END_ALL = "DELETE FROM person_sessions WHERE person_id = $1"
PURGE = """
DELETE FROM person_sessions WHERE token_hash IN (
    SELECT token_hash FROM person_sessions WHERE expires_at < now() LIMIT 1000
)
"""


class Membership(msgspec.Struct, frozen=True):
    """A workspace that a person belongs to; its clock is ``ahead`` seconds of the real one."""

    id: UUID
    name: str
    role: Role
    rehearsal: bool
    ahead: float


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in, as the database knows them at this request.

    ``unread`` counts what they were told and have not read, up to a hundred.
    """

    id: UUID
    name: str
    email: str
    session_id: UUID
    operator: bool
    manager: bool
    workspaces: tuple[Membership, ...]
    unread: int = 0

    def roles(self, membership: Membership | None) -> frozenset[Role]:
        """Give the person's roles: their own, and those in one workspace."""
        found: set[Role] = {"person"}
        if self.operator:
            found.add("operator")
        if self.manager:
            found.add("manager")
        if membership is not None:
            found.add(membership.role)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that a person is signed in with."""

    id: UUID
    user_agent: str
    address: str
    created_at: datetime
    seen_at: datetime


def hashed(token: str) -> bytes:
    """Give what is stored of a token; it is random, so it needs neither salt nor stretching."""
    return hashlib.sha256(token.encode()).digest()


async def begin_session(conn: Connection, person_id: UUID, *, user_agent: str, address: str) -> str:
    """Sign a person in; give the new session's token, for the cookie and nothing else."""
    token = secrets.token_urlsafe(32)
    agent = user_agent[:_LONGEST_AGENT]
    await conn.execute(BEGIN, hashed(token), person_id, agent, address, LONGEST)
    return token


async def find_person(conn: Connection, token: str) -> Person | None:
    """Give whom a token stands for, or None if it stands for nobody (any more)."""
    row = await conn.fetchrow(FIND, hashed(token), IDLE, _FRESH)
    if row is None:
        return None
    if row["stale"]:
        await conn.execute(SEE, hashed(token))
    return Person(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        session_id=row["session_id"],
        operator=row["operator"],
        manager=row["manager"],
        workspaces=tuple(msgspec.convert(row["workspaces"], list[Membership])),
        unread=row["unread"],
    )


async def list_sessions(conn: Connection, person_id: UUID) -> list[Session]:
    """Give a person's sessions, the last seen first."""
    return [Session(**row) for row in await conn.fetch(OF_PERSON, person_id, IDLE)]


async def end_session(conn: Connection, person_id: UUID, session_id: UUID) -> None:
    """End one session of a person; one of somebody else stays."""
    await conn.execute(END, person_id, session_id)


async def end_sessions(conn: Connection, person_id: UUID) -> None:
    """Sign a person out everywhere."""
    await conn.execute(END_ALL, person_id)


async def purge_sessions(conn: Connection) -> int:
    """Delete sessions that have ended, at most a thousand; give how many there were."""
    return int((await conn.execute(PURGE)).removeprefix("DELETE "))
