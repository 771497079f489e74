"""What people leave behind when they sign in has an end."""

from __future__ import annotations

from tokportal_server.lib.db import Connection
from tokportal_server.pages.one_time_links import purge_links
from tokportal_server.pages.sessions import purge_sessions
from tokportal_server.pages.sign_in import purge_attempts


async def purge_people(conn: Connection) -> int:
    """Delete ended sessions, expired links and old attempts; give how many rows went."""
    return await purge_sessions(conn) + await purge_links(conn) + await purge_attempts(conn)
