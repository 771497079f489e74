"""People who look at pages: how they are let in, and sign in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import aiohttp

from tokportal_server.lib.crypto import hash_password
from tokportal_server.lib.db import Connection

TOKEN: Final = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
_PASSWORD: Final = "a password for the measurement"  # noqa: S105 - of a database that ends with it
_LET_IN: Final = "UPDATE people SET password_hash = $1 WHERE id = ANY ($2)"


async def let_in(conn: Connection, people: Sequence[UUID]) -> None:
    """Give people the password that ``sign_in`` knows."""
    await conn.execute(_LET_IN, await hash_password(_PASSWORD), people)


async def sign_in(session: aiohttp.ClientSession, email: str) -> None:
    """Sign somebody in, in a session of the server's address that keeps cookies."""
    async with session.get("/sign-in") as answer:
        found = TOKEN.search(await answer.text())
    assert found is not None, "the form to sign in has no token"
    form = {"form_token": found[1], "email": email, "password": _PASSWORD}
    async with session.post("/sign-in", data=form, allow_redirects=False) as answer:
        assert answer.status == 303, (answer.status, await answer.text())
