"""``tokportal-server key``: make, list, edit and revoke API keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter
from rich.markup import escape

from tokportal_server.cli import key_administration as administration
from tokportal_server.cli.key_administration import Edit
from tokportal_server.entry.installation import answer, console, with_connection
from tokportal_server.entry.operator_options import show
from tokportal_server.lib.clock import real_now, wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import ApiKey, Environment, Scope

key = App(name="key", help="Make, list, edit and revoke API keys.")


@key.command(name="create")
def create_key(
    workspace_id: UUID,
    *,
    owner: str,
    name: str = "API key",
    scope: Scope = "*",
    environment: Environment = "production",
    expires_in_days: int | None = None,
) -> int:
    """Make an API key and print it, this once; its id goes to standard error.

    Parameters
    ----------
    workspace_id
        The workspace that the key opens.
    owner
        E-mail address of the person who answers for it.
    name
        What it is for.
    scope
        What it may do: everything, read (GET) or write (the other methods).
    environment
        A label.
    expires_in_days
        When it expires; never if not given.
    """

    async def make(conn: Connection) -> int:
        key_id, raw = await administration.create_key(
            conn,
            workspace_id=workspace_id,
            owner=owner,
            name=name,
            scope=scope,
            environment=environment,
            expires_in_days=expires_in_days,
        )
        console.print(f"The key's id is {key_id}: keep it to edit or revoke the key.")
        answer(raw)
        return 0

    return with_connection(make)


@key.command(name="list")
def list_keys(workspace_id: UUID) -> int:
    """List every key of a workspace, newest first; the keys themselves are stored nowhere.

    Parameters
    ----------
    workspace_id
        Whose keys; `workspace list` gives the id.
    """

    async def list_all(conn: Connection) -> int:
        found = await administration.list_keys(conn, workspace_id=workspace_id)
        columns = ("id", "name", "scope", "environment", "owner", "bucket", "last use", "state")
        show(columns, [_row(one) for one in found])
        return 0

    return with_connection(list_all)


def _row(found: ApiKey) -> tuple[str, ...]:
    return (
        str(found.id),
        escape(found.name),
        found.scope,
        found.environment,
        found.owner,
        f"{found.bucket_capacity or 'default'}, {found.bucket_refill or 'default'}/s",
        wire_time(found.last_used_at) if found.last_used_at else "never",
        _state(found),
    )


def _state(found: ApiKey) -> str:
    if found.revoked_at is not None:
        return f"revoked {wire_time(found.revoked_at)}"
    if found.expires_at is None:
        return "live"
    ended = found.expires_at <= real_now()
    return f"{'expired' if ended else 'live until'} {wire_time(found.expires_at)}"


@key.command(name="edit")
def edit_key(
    workspace_id: UUID,
    key_id: UUID,
    *,
    changes: Annotated[Edit | None, Parameter(name="*")] = None,
) -> int:
    """Change what is given of a key; programs that hold it go on.

    Parameters
    ----------
    workspace_id
        Whose key it is; `workspace list` gives the id.
    key_id
        Which key; `key list` gives the id.
    """

    async def change(conn: Connection) -> int:
        await administration.edit_key(
            conn, workspace_id=workspace_id, key_id=key_id, edit=changes or Edit()
        )
        return 0

    return with_connection(change)


@key.command(name="revoke")
def revoke_key(workspace_id: UUID, key_id: UUID) -> int:
    """End an API key from the next request on.

    Parameters
    ----------
    workspace_id
        Whose key it is; `workspace list` gives the id.
    key_id
        Which key; `key list` gives the id.
    """

    async def end(conn: Connection) -> int:
        await administration.revoke_key(conn, workspace_id=workspace_id, key_id=key_id)
        return 0

    return with_connection(end)
