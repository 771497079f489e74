"""What operators do with orders, publishing and prices from the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from tokportal_server.cli.administration import (
    COMMAND_LINE,
    AdministrationError,
    workspace_now,
)
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work

FIND_OPERATOR = "SELECT id FROM people WHERE lower(email) = lower($1) AND operator"
FIND_BUNDLE = "SELECT workspace_id FROM bundles WHERE id = $1"
T = TypeVar("T")


async def acting_operator(conn: Connection, email: str | None) -> Actor:
    """Give the operator with an e-mail address; without one, whoever may run the command line."""
    if email is None:
        return COMMAND_LINE
    found: UUID | None = await conn.fetchval(FIND_OPERATOR, email)
    if found is None:
        raise AdministrationError(f"{email} is not the address of an operator.")
    return Actor("operator", found)


async def workspace_of_bundle(conn: Connection, bundle_id: UUID) -> UUID:
    """Give the workspace that a bundle belongs to."""
    found: UUID | None = await conn.fetchval(FIND_BUNDLE, bundle_id)
    if found is None:
        raise AdministrationError(
            f"There is no bundle {bundle_id}. Copy its id from the customer's list of bundles."
        )
    return found


async def act(
    conn: Connection,
    workspace_id: UUID,
    operation: Callable[[UnitOfWork], Awaitable[T]],
    *,
    preview: bool = False,
) -> T:
    """Do an operation on the workspace's clock; a preview does it and takes everything back."""
    now = await workspace_now(conn, workspace_id)
    async with unit_of_work(conn, workspace_id, now=now, dry_run=preview) as tx:
        return await operation(tx)
