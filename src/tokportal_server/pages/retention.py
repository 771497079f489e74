"""What people leave behind when they sign in has an end."""

from __future__ import annotations

from tokportal_server.lib.db import Connection
from tokportal_server.pages.attempts import purge_attempts
from tokportal_server.pages.mails import purge_mails
from tokportal_server.pages.one_time_links import purge_links
from tokportal_server.pages.second_factor import purge_second_factors
from tokportal_server.pages.sessions import purge_sessions

_PURGES = (purge_sessions, purge_links, purge_attempts, purge_second_factors, purge_mails)


async def purge_people(conn: Connection) -> int:
    """Delete ended sessions, spent links, old attempts and unsent mail; give how many rows went."""
    return sum([await purge(conn) for purge in _PURGES])
