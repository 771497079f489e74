"""The workspace's API keys: who has which, when they were used, new ones, the end of old ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, get_args

import msgspec
from msgspec import Meta

from tokportal_server.console.acts import console_address, is_writer, refusal_of
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import options
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.errors import PageNotFoundError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.pages.stale import require_unchanged, version_of
from tokportal_server.workspaces.operations.api_keys import (
    LOCK_KEY,
    LONGEST_NAME,
    ApiKey,
    Environment,
    KeyChanges,
    Scope,
    create_api_key,
    edit_api_key,
    list_api_keys,
    revoke_api_key,
)

# Requests of each key that the log still has, and how many of them were refused; by the index of
# the newest, so that a busy workspace's page does not read a month of lines.
USAGE = """
SELECT api_key_id, count(*) AS requests, count(*) FILTER (WHERE status >= 400) AS refused
  FROM (SELECT api_key_id, status FROM api_requests
         WHERE workspace_id = $1 AND recorded_at > now() - interval '1 day'
         ORDER BY ordinal DESC LIMIT $2) r
 GROUP BY api_key_id
"""
COUNTED: Final = 10_000
_SCOPES: Final[tuple[str, ...]] = get_args(Scope)
_ENVIRONMENTS: Final[tuple[str, ...]] = get_args(Environment)
_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
_Days = Annotated[int, Meta(ge=1, le=3650)]


class KeyForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key as its form describes it; without ``expires_in_days`` it never expires."""

    name: _Name
    scope: Scope = "*"
    environment: Environment = "production"
    expires_in_days: _Days | None = None


async def show_keys(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """List the keys, live ones first, with a form for a new one."""
    keys = await list_api_keys(conn=visit.conn, workspace_id=visit.workspace.id)
    rows = await visit.conn.fetch(USAGE, visit.workspace.id, COUNTED)
    now = real_now()
    facts = {
        "live": [key for key in keys if _lives(key)],
        "ended": [key for key in keys if not _lives(key)],
        "usage": {row["api_key_id"]: row for row in rows},
        "counted": COUNTED,
        "scope_options": options("scope", _SCOPES),
        "environment_options": options("environment", _ENVIRONMENTS),
        "writer": is_writer(visit),
        "address": _address(visit),
        "now": now,
        "refusal": refusal,
    }
    return Shown("keys.html", facts)


async def create_key(visit: Visit) -> Answer:
    """Make a key, and show it this once."""
    try:
        asked = decode_body(KeyForm, body_of(KeyForm, visit.form))
    except ApiError as error:
        return await show_keys(visit, refusal_of("create", error, visit))
    _, raw = await create_api_key(
        conn=visit.conn,
        workspace_id=visit.workspace.id,
        person_id=visit.person.id,
        name=asked.name,
        environment=asked.environment,
        scope=asked.scope,
        expires_at=_in_days(asked.expires_in_days),
        actor=visit.customer,
    )
    base_url = f"{visit.ports.settings.origin()}/api/ext"
    facts = {"name": asked.name, "key": raw, "base_url": base_url, "address": _address(visit)}
    return Shown("key_made.html", facts, 201)


async def show_key(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show one key that lives, with the form that changes it and the one that ends it.

    Raises:
        PageNotFoundError: the workspace has no such key, or it was revoked.
    """
    key = await _key(visit)
    facts = {
        "key": key,
        "version": version_of(_values(key)),
        "scope_options": options("scope", _SCOPES),
        "environment_options": options("environment", _ENVIRONMENTS),
        "writer": is_writer(visit),
        "address": _address(visit),
        "now": real_now(),
        "refusal": refusal,
    }
    return Shown("key.html", facts)


async def edit_key(visit: Visit) -> Answer:
    """Change name, scope, label and expiry; the key itself stays the same."""
    try:
        asked = decode_body(KeyForm, body_of(KeyForm, visit.form))
        async with visit.conn.transaction():
            await visit.conn.fetchrow(LOCK_KEY, visit.workspace.id, visit.id("key"))
            require_unchanged(visit.form, _values(await _key(visit)))
            await edit_api_key(
                conn=visit.conn,
                workspace_id=visit.workspace.id,
                key_id=visit.id("key"),
                changes=_changes(visit, asked),
                actor=visit.customer,
            )
    except PageNotFoundError:
        raise
    except ApiError as error:
        return await show_key(visit, refusal_of("edit", error, visit))
    return Redirect(f"{_address(visit)}?done=key_edited")


def _changes(visit: Visit, asked: KeyForm) -> KeyChanges:
    """Give what a form wants; whoever leaves the days alone keeps the expiry that there is."""
    changes = KeyChanges(name=asked.name, scope=asked.scope, environment=asked.environment)
    if asked.expires_in_days is None and not visit.field("never_expires"):
        return changes
    return msgspec.structs.replace(changes, expires_at=_in_days(asked.expires_in_days))


def _values(key: ApiKey) -> dict[str, object]:
    """Give what the form of a key is made from."""
    return {"name": key.name, "scope": key.scope, "environment": key.environment}


async def revoke_key(visit: Visit) -> Answer:
    """End a key from the next request on."""
    revoked = await revoke_api_key(
        conn=visit.conn,
        workspace_id=visit.workspace.id,
        key_id=visit.id("key"),
        actor=visit.customer,
    )
    if not revoked:
        raise nothing_here()
    return Redirect(f"{_address(visit)}?done=key_revoked")


async def _key(visit: Visit) -> ApiKey:
    keys = await list_api_keys(conn=visit.conn, workspace_id=visit.workspace.id)
    wanted = visit.id("key")
    found = next((key for key in keys if key.id == wanted and key.revoked_at is None), None)
    if found is None:
        raise nothing_here()
    return found


def _lives(key: ApiKey) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > real_now())


def _in_days(days: int | None) -> datetime | None:
    return None if days is None else real_now() + timedelta(days=days)


def _address(visit: Visit) -> str:
    return f"{console_address(visit)}/keys"


_HERE = "/console/{workspace}/keys"
_ONE = f"{_HERE}/{{key}}"
KEY_PAGES: Final = (
    Page("keys", "GET", _HERE, show_keys),
    Page("create_key", "POST", _HERE, create_key),
    Page("key", "GET", _ONE, show_key),
    Page("edit_key", "POST", _ONE, edit_key),
    Page("revoke_key", "POST", f"{_ONE}/revoke", revoke_key),
)
