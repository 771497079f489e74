"""An operator opens and closes countries and platforms for new orders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

SET_COUNTRY = "UPDATE countries SET enabled_for = $2 WHERE code = $1 RETURNING code"
SET_PLATFORM = "UPDATE platforms SET enabled = $2 WHERE code = $1 RETURNING code"
ORDERABLE: Final = ("account", "videos")


async def set_country(
    *, conn: Connection, actor: Actor, code: str, enabled_for: Collection[str], reason: str
) -> None:
    """Say what can be ordered in a country from now on; what was ordered goes on.

    Raises:
        ValidationError: no reason is given, or there is no such country or thing to order.
    """
    check_reason(reason)
    chosen = [one for one in ORDERABLE if one in enabled_for]
    if unknown := sorted(set(enabled_for) - set(ORDERABLE)):
        told = f"there are {' and '.join(ORDERABLE)}"
        refuse([Problem("enabled_for", told, ", ".join(unknown))])
    async with conn.transaction():
        if await conn.fetchval(SET_COUNTRY, code, chosen) is None:
            refuse([Problem("code", "is not a country that the server knows", code)])
        await _audit(conn, "country.set", ("country", code), actor, reason, enabled_for=chosen)


async def set_platform(
    *, conn: Connection, actor: Actor, code: str, enabled: bool, reason: str
) -> None:
    """Open or close a platform for new orders; what was ordered goes on.

    Raises:
        ValidationError: no reason is given, or there is no such platform.
    """
    check_reason(reason)
    async with conn.transaction():
        if await conn.fetchval(SET_PLATFORM, code, enabled) is None:
            refuse([Problem("code", "is not a platform that the server knows", code)])
        await _audit(conn, "platform.set", ("platform", code), actor, reason, enabled=enabled)


async def _audit(
    conn: Connection,
    action: str,
    subject: tuple[str, str],
    actor: Actor,
    reason: str,
    **details: object,
) -> None:
    kind, code = subject
    await write_audit(
        conn,
        workspace_id=INSTALLATION,
        action=action,
        subject=(kind, None),
        actor=actor,
        reason=reason,
        details={"code": code, **details},
    )
