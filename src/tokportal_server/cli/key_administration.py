"""What operators do with API keys from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from cyclopts import Parameter
from msgspec import UNSET, UnsetType

from tokportal_server.cli.administration import COMMAND_LINE, MOST_DAYS, AdministrationError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.lookups import find_person, workspace_now
from tokportal_server.workspaces.operations import api_keys
from tokportal_server.workspaces.operations.api_keys import (
    LONGEST_NAME,
    ApiKey,
    Environment,
    KeyChanges,
    Scope,
)

Flag = Annotated[bool, Parameter(negative="")]
MOST_TOKENS = 1_000_000
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What to change of a key.

    Parameters
    ----------
    name
        What it is for.
    scope
        What it may do.
    environment
        A label.
    expires_in_days
        When it expires, counted from now.
    never_expires
        Take its expiry away.
    bucket_capacity
        Requests that it may make at once.
    bucket_refill
        Requests a second that it may go on making.
    default_bucket
        Give it the bucket of the settings again.
    """

    name: str | None = None
    scope: Scope | None = None
    environment: Environment | None = None
    expires_in_days: int | None = None
    never_expires: Flag = False
    bucket_capacity: int | None = None
    bucket_refill: float | None = None
    default_bucket: Flag = False


async def create_key(
    conn: Connection,
    *,
    workspace_id: UUID,
    owner: str,
    name: str,
    scope: Scope,
    environment: Environment,
    expires_in_days: int | None = None,
) -> tuple[UUID, str]:
    """Make a key; give its id, and the key in the clear, which nobody can do again."""
    await workspace_now(conn, workspace_id)
    return await api_keys.create_api_key(
        conn=conn,
        workspace_id=workspace_id,
        person_id=await find_person(conn, owner),
        name=_check_name(name),
        scope=scope,
        environment=environment,
        expires_at=None if expires_in_days is None else _in_days(expires_in_days),
        actor=COMMAND_LINE,
    )


async def list_keys(conn: Connection, *, workspace_id: UUID) -> list[ApiKey]:
    """Give the workspace's keys, newest first."""
    await workspace_now(conn, workspace_id)
    return await api_keys.list_api_keys(conn=conn, workspace_id=workspace_id)


async def edit_key(conn: Connection, *, workspace_id: UUID, key_id: UUID, edit: Edit) -> ApiKey:
    """Change a key that is not revoked; give it as it is now."""
    if edit == Edit():
        raise AdministrationError("Nothing to change: give at least one option, such as --name.")
    changes = KeyChanges(
        name=UNSET if edit.name is None else _check_name(edit.name),
        scope=edit.scope or UNSET,
        environment=edit.environment or UNSET,
        expires_at=_expiry(edit),
        bucket_capacity=_override(edit, "bucket_capacity", edit.bucket_capacity),
        bucket_refill=_override(edit, "bucket_refill", edit.bucket_refill),
    )
    edited = await api_keys.edit_api_key(
        conn=conn, workspace_id=workspace_id, key_id=key_id, changes=changes, actor=COMMAND_LINE
    )
    if edited is None:
        raise _no_live_key(workspace_id, key_id)
    return edited


async def revoke_key(conn: Connection, *, workspace_id: UUID, key_id: UUID) -> None:
    """End a key that is live."""
    revoked = await api_keys.revoke_api_key(
        conn=conn, workspace_id=workspace_id, key_id=key_id, actor=COMMAND_LINE
    )
    if not revoked:
        raise _no_live_key(workspace_id, key_id)


def _no_live_key(workspace_id: UUID, key_id: UUID) -> AdministrationError:
    return AdministrationError(
        f"Workspace {workspace_id} has no live key {key_id}. tokportal-server key list shows its"
        " keys."
    )


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise AdministrationError(f"The name has {len(name)} characters; give 1 to {LONGEST_NAME}.")
    return name


def _expiry(edit: Edit) -> datetime | UnsetType | None:
    if edit.never_expires:
        if edit.expires_in_days is not None:
            raise AdministrationError("Give --expires-in-days or --never-expires, not both.")
        return None
    return UNSET if edit.expires_in_days is None else _in_days(edit.expires_in_days)


def _in_days(days: int) -> datetime:
    if not 1 <= days <= MOST_DAYS:
        raise AdministrationError(
            f"The key would expire in {days} days; give 1 to {MOST_DAYS}. To end a key now, revoke"
            " it."
        )
    return real_now() + timedelta(days=days)


def _override(edit: Edit, field: str, given: N | None) -> N | UnsetType | None:
    if edit.default_bucket:
        if given is not None:
            raise AdministrationError(f"Give {_option(field)} or --default-bucket, not both.")
        return None
    if given is None:
        return UNSET
    if not 0 < given <= MOST_TOKENS:
        raise AdministrationError(
            f"{_option(field)} is {given}; give more than 0 and at most {MOST_TOKENS}."
        )
    return given


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")
