"""What is stored about one person, as one ZIP: for themselves, or for the operator whom they asked.

What cannot be told without harm is left out and named: passwords, second steps and the tokens of
sessions and links are stored as hashes or sealed, and nobody can read them here either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from tokportal_server import __version__
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.zip_stream import Member, zip_chunks
from tokportal_server.workspaces.errors import PersonNotFoundError

PERSON = """
SELECT (to_jsonb(p) - 'password_hash')::text FROM people p WHERE p.id = $1 AND p.erased_at IS NULL
"""
MEMBERSHIPS = """
SELECT jsonb_build_object('workspace_id', w.id, 'workspace', w.name, 'role', m.role)::text
  FROM workspace_members m JOIN workspaces w ON w.id = m.workspace_id WHERE m.person_id = $1
"""
INVITATIONS = """
SELECT (to_jsonb(i) - 'token_hash')::text FROM workspace_invitations i
 WHERE i.invited_by = $1
    OR lower(i.email) = (SELECT lower(p.email) FROM people p WHERE p.id = $1)
"""
SESSIONS = "SELECT (to_jsonb(s) - 'token_hash')::text FROM person_sessions s WHERE s.person_id = $1"
SECOND_STEP = """
SELECT jsonb_build_object('confirmed_at', f.confirmed_at, 'created_at', f.created_at)::text
  FROM second_factors f WHERE f.person_id = $1
"""
LINKS = "SELECT (to_jsonb(l) - 'token_hash')::text FROM person_links l WHERE l.person_id = $1"
NOTICES = "SELECT to_jsonb(n)::text FROM notices n WHERE n.person_id = $1 ORDER BY n.told_at"
NOTICE_CHOICES = "SELECT to_jsonb(c)::text FROM notice_choices c WHERE c.person_id = $1"
KEYS = """
SELECT (to_jsonb(k) - 'key_hash')::text FROM api_keys k WHERE k.person_id = $1
"""
MANAGER = "SELECT to_jsonb(m)::text FROM managers m WHERE m.person_id = $1"
CLAIMS = "SELECT to_jsonb(k)::text FROM claims k WHERE k.manager_id = $1 ORDER BY k.claimed_at"
EARNINGS = "SELECT to_jsonb(e)::text FROM earnings e WHERE e.manager_id = $1 ORDER BY e.ordinal"
STATEMENTS = """
SELECT to_jsonb(s)::text FROM earning_statements s WHERE s.manager_id = $1 ORDER BY s.month
"""
DID = """
SELECT to_jsonb(a)::text FROM audit a
 WHERE a.actor_id = $1 OR a.subject_id = $1 ORDER BY a.ordinal
"""
_FILES: Final = (
    ("person.jsonl", "name, address and role of operator", PERSON),
    ("memberships.jsonl", "workspaces that you belong to", MEMBERSHIPS),
    ("invitations.jsonl", "open invitations, by you or to you", INVITATIONS),
    ("sessions.jsonl", "where you are signed in", SESSIONS),
    ("second_step.jsonl", "since when there is a second step at your sign-in", SECOND_STEP),
    ("links.jsonl", "one-time links that were made for you", LINKS),
    ("notices.jsonl", "what you were told", NOTICES),
    ("notice_choices.jsonl", "what you want to be told of, and how", NOTICE_CHOICES),
    ("api_keys.jsonl", "API keys in your name", KEYS),
    ("manager.jsonl", "what you are as a manager", MANAGER),
    ("claims.jsonl", "orders that you took", CLAIMS),
    ("earnings.jsonl", "what you earned, in whole cents", EARNINGS),
    ("statements.jsonl", "what was said about your months", STATEMENTS),
    ("audit.jsonl", "what was noted of your acts, and of acts about you", DID),
)
_OMITTED: Final = (
    "Left out: your password and the codes of your second step (stored so that nobody can read"
    " them), and the tokens of sessions, links and API keys (stored as hashes). Orders, videos and"
    " numbers belong to workspaces, whose owners export them."
)


async def person_archive(database: Database, person_id: UUID) -> AsyncIterator[bytes]:
    """Give the archive piece by piece; all of it is of one moment.

    Raises:
        PersonNotFoundError: there is no such person (any more).
    """
    async with (
        database.connection() as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        if await conn.fetchval(PERSON, person_id) is None:
            raise PersonNotFoundError(f"There is no person {person_id}.")
        readme = _readme(person_id, real_now())
        members = [
            Member.of("README.txt", readme),
            *(Member(name, 0, partial(_rows, conn, query, person_id)) for name, _, query in _FILES),
        ]
        async for chunk in zip_chunks(members):
            yield chunk


async def _rows(conn: Connection, query: str, person_id: UUID) -> AsyncIterator[bytes]:
    async def lines() -> AsyncIterator[bytes]:
        async for row in conn.cursor(query, person_id):
            yield f"{row[0]}\n".encode()

    return lines()


def _readme(person_id: UUID, at: datetime) -> str:
    files = "\n".join(f"  {name}: {what}" for name, what, _ in _FILES)
    return (
        f"Person {person_id}, as stored on {at:%Y-%m-%d %H:%M} UTC by tokportal-server"
        f" {__version__}.\n\nOne JSON object a line; times are UTC in ISO 8601.\n\n{files}\n\n"
        f"{_OMITTED}\n"
    )
