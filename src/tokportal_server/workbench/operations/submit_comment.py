"""A manager has written a comment, or mended it, and hands in which one it is."""

from __future__ import annotations

import re
from uuid import UUID

from tokportal_server.accounts.availability import unavailable_reason, unavailable_sentence
from tokportal_server.comments.tasks import lock_task, move_task
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.orders.post_urls import comment_of_url
from tokportal_server.orders.publishing_pause import pauses_of
from tokportal_server.workbench.errors import CommentNotYoursError, DisputeOpenError

# The account that writes, its manager if that one is still at work, and the one who acts.
WHO = """
SELECT a.*, k.person_id AS keeper, m.active, m.countries, m.platforms,
       m.rehearsal_workspace_id AS rehearses_in, w.rehearsal
  FROM saved_accounts a
  JOIN workspaces w ON w.id = a.workspace_id
  JOIN managers m ON m.person_id = $3
  LEFT JOIN managers k ON k.person_id = a.manager_id AND k.active
 WHERE a.workspace_id = $1 AND a.id = $2
"""
_COMMENT_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


async def submit_comment(
    *,
    tx: UnitOfWork,
    actor: Actor,
    task_id: UUID,
    comment_url: str | None = None,
    comment_id: str | None = None,
) -> None:
    """Say that the comment of a task stands under its post; it is looked for from now on.

    ``comment_url`` is its own address, ``comment_id`` its id on the platform: one of them is
    enough.

    Raises:
        CommentTaskNotFoundError, CommentStatusError: there is nothing to write or to mend.
        DisputeOpenError: an operator decides about it.
        CommentNotYoursError: the account is not this manager's to use.
        ValidationError: that is no comment under the post.
    """
    task = await lock_task(tx, task_id, "pending", "pending_corrections")
    if task["with_operator"]:
        raise DisputeOpenError(
            f"Comment task {task_id} was disputed three times; an operator decides about it."
        )
    if reason := await _not_theirs(tx, task, actor):
        raise CommentNotYoursError(f"Comment task {task_id}: {reason}.", details={"reason": reason})
    found = _check_proof(task, comment_url, comment_id)
    await move_task(
        tx,
        task,
        "submitted",
        actor=actor,
        submitted_at=tx.now,
        manager_id=actor.id,
        comment_id=found,
        comment_url=comment_url,
    )


async def _not_theirs(tx: UnitOfWork, task: Row, actor: Actor) -> str | None:
    """Say why a manager may not write as the task's account, or None."""
    account_id = task["saved_account_id"]
    who = existing(await tx.conn.fetchrow(WHO, tx.workspace_id, account_id, actor.id))
    mine = who["rehearses_in"]
    # Simulated managers work in their rehearsal alone, and people never in one.
    if (mine is not None or who["rehearsal"]) and mine != tx.workspace_id:
        return "it belongs to a rehearsal"
    if not who["active"]:
        return "your account is not active"
    if stopped := unavailable_reason(who, tx.now):
        return f"{who['username']} cannot be used: {unavailable_sentence(who, stopped)}"
    if who["keeper"] not in (None, actor.id):
        return "its account has another manager"
    there = who["country"] in who["countries"] and who["platform"] in who["platforms"]
    if who["keeper"] is None and not there:
        return f"you do not work on {who['platform']} in {who['country']}"
    pauses = await pauses_of(tx.conn, tx.workspace_id, account_id)
    return f"work is paused: {pauses[0]['reason']}" if pauses else None


def _check_proof(task: Row, url: str | None, comment_id: str | None) -> str | None:
    """Give the comment's id.

    Raises:
        ValidationError: neither address nor id names a comment under the task's post.
    """
    named = comment_of_url(task["platform"], url) if url else None
    problems = []
    if not url and not comment_id:
        problems.append(Problem("comment_url", "is required: the comment's address, or its id"))
    if url and named is None:
        problems.append(
            Problem("comment_url", f"is not a comment's address on {task['platform']}", url)
        )
    if named is not None and named[0] != task["target_post"]:
        problems.append(Problem("comment_url", "is a comment under another post", url))
    if comment_id and not _COMMENT_ID.fullmatch(comment_id):
        problems.append(Problem("comment_id", "is not an id of the platform", comment_id))
    if named is not None and comment_id and named[1] != comment_id:
        problems.append(Problem("comment_id", "is not the one that the address names", comment_id))
    refuse(problems)
    return comment_id or (named and named[1])
