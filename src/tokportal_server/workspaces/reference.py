"""Countries and platforms as the operator keeps them, and how inputs name them."""

from __future__ import annotations

from tokportal_server.lib.db import Connection, existing
from tokportal_server.workspaces.wire import Country, Platform

LIST_COUNTRIES = "SELECT code, name, enabled_for FROM countries ORDER BY code"
FIND_COUNTRY = "SELECT code, name, enabled_for FROM find_country($1)"
_PLATFORM_COLUMNS = (
    "code, name, enabled, video_types, caption_max, comment_max, carousel_max, features"
)
LIST_PLATFORMS = f"SELECT {_PLATFORM_COLUMNS} FROM platforms ORDER BY code DESC"
FIND_PLATFORM = f"SELECT {_PLATFORM_COLUMNS} FROM platforms WHERE code = $1"


async def list_countries(conn: Connection) -> list[Country]:
    """Give every country by code."""
    return [Country(**row) for row in await conn.fetch(LIST_COUNTRIES)]


async def find_country(conn: Connection, given: str) -> Country | None:
    """Give the country that an input means, or None."""
    row = await conn.fetchrow(FIND_COUNTRY, given.strip())
    return None if row is None else Country(**row)


async def country_filter(conn: Connection, given: str | None) -> str | None:
    """Give the code that a list's filter means; what is no country is kept, and matches nothing."""
    known = None if given is None else await find_country(conn, given)
    return given if known is None else known.code


async def list_platforms(conn: Connection) -> list[Platform]:
    """Give every platform."""
    return [Platform(**row) for row in await conn.fetch(LIST_PLATFORMS)]


async def get_platform(conn: Connection, code: str) -> Platform:
    """Give a platform that a row, or a checked request, refers to."""
    return Platform(**existing(await conn.fetchrow(FIND_PLATFORM, code)))
