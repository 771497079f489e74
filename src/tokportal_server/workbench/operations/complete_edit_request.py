"""A manager has changed a profile as its customer asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from tokportal_server.accounts.edit_requests import about_request, account_of_request, lock_request
from tokportal_server.accounts.states import EDIT_REQUEST
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row
from tokportal_server.orders.post_urls import is_profile_url
from tokportal_server.workbench.account_guard import lock_managed_account

CHANGE = """
UPDATE saved_accounts
   SET username = $3, visible_name = $4, profile_url = $5, biography = $6,
       profile_picture_url = $7, picture_owner_id = COALESCE($8, picture_owner_id)
 WHERE workspace_id = $1 AND id = $2
"""
_USERNAME: Final = re.compile(r"[A-Za-z0-9_.]{1,30}")
_LONGEST: Final = {"visible_name": 100, "biography": 200}


class MadeChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the account has now; None is as it was asked for, or as before if nothing was."""

    profile_url: str
    username: str | None = None
    visible_name: str | None = None
    biography: str | None = None


async def complete_edit_request(
    *, tx: UnitOfWork, actor: Actor, request_id: UUID, made: MadeChanges
) -> None:
    """End a requested change that was made; the account shows it from now on.

    Raises:
        EditRequestNotFoundError, NotAccountsManagerError: not this manager's request.
        EditRequestStatusError: it is not in progress.
        ValidationError: what was made cannot be an account of the platform.
    """
    account_id = await account_of_request(tx, request_id)
    account = await lock_managed_account(tx, actor, account_id)
    request = await lock_request(tx, request_id, "completed")
    refuse(list(_problems(account, made)))
    picture = request["requested_profile_picture_url"]
    after = {
        "username": made.username or request["requested_username"],
        "visible_name": made.visible_name or request["requested_visible_name"],
        "profile_url": made.profile_url,
        "biography": made.biography or request["requested_biography"] or account["biography"],
        "profile_picture_url": picture or account["profile_picture_url"],
    }
    owner_id = request_id if picture else None
    await tx.conn.execute(CHANGE, tx.workspace_id, account_id, *after.values(), owner_id)
    await move(
        tx,
        EDIT_REQUEST,
        request,
        "completed",
        actor=actor,
        data=about_request(account, request_id),
        changes=_changes(account, after),
        completed_at=tx.now,
    )


def _problems(account: Row, made: MadeChanges) -> Iterator[Problem]:
    if made.username is not None and not _USERNAME.fullmatch(made.username):
        problem = "must be 1 to 30 letters, digits, dots or underscores"
        yield Problem("username", problem, made.username)
    for name, longest in _LONGEST.items():
        if len(getattr(made, name) or "") > longest:
            yield Problem(name, f"must be at most {longest} characters long")
    if not is_profile_url(account["platform"], made.profile_url):
        problem = f"is not the address of a profile on {account['platform']}"
        yield Problem("profile_url", problem, made.profile_url)


def _changes(account: Row, after: dict[str, Any]) -> list[dict[str, Any]]:
    """List what differs from before, for the manager's and the operator's pages."""
    return [
        {"field": name, "before": account[name], "after": value}
        for name, value in after.items()
        if account[name] != value
    ]
