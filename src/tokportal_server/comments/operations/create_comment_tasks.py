"""``createCommentTasks``: judge each row alone, then one debit and one insert for the good ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tokportal_server.accounts.availability import unavailable_reason, unavailable_sentence
from tokportal_server.comments.errors import (
    CommentAccountUnavailableError,
    CommentPlatformMismatchError,
)
from tokportal_server.comments.guards import RecentComments
from tokportal_server.comments.rules import LASTS, CommentGuards
from tokportal_server.comments.states import COMMENT
from tokportal_server.comments.tasks import about_task
from tokportal_server.comments.wire import CommentTaskRequest
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import begin
from tokportal_server.orders.locks import Row
from tokportal_server.orders.post_urls import EXAMPLES, author_of_post, platform_of_post, post_key

# The accounts of a call with what their platform takes, and whether the operator has stopped them.
ACCOUNTS = """
SELECT a.*, p.comment_max, p.enabled,
       EXISTS (SELECT FROM kill_switches k
                WHERE k.scope = 'all' OR (k.scope = 'workspace' AND k.subject_id = a.workspace_id)
                   OR (k.scope = 'account' AND k.subject_id = a.id)) AS paused
  FROM saved_accounts a JOIN platforms p ON p.code = a.platform
 WHERE a.workspace_id = $1 AND a.id = ANY ($2::uuid[])
 ORDER BY a.id FOR SHARE OF a
"""
# Rows get their ordinals in the order in which they come.
INSERT = """
INSERT INTO comment_tasks (workspace_id, id, saved_account_id, platform, target_video_url,
    target_post, target_author_handle, comment_text, brief_id, status, price, entry_id, due_at,
    created_at, updated_at)
SELECT $1, t.id, t.saved_account_id, t.platform, t.target_video_url,
       t.target_post, t.target_author_handle, t.comment_text, t.brief_id, 'pending', $3, $4, $6,
       $5, $5
  FROM jsonb_to_recordset($2::jsonb) AS t (
        turn integer, id uuid, saved_account_id uuid, platform text, target_video_url text,
        target_post text, target_author_handle text, comment_text text, brief_id text)
 ORDER BY t.turn
RETURNING *
"""
Wanted = Sequence[CommentTaskRequest | ApiError]


@dataclass(frozen=True, slots=True)
class Ordered:
    """The rows that were made, the refusals of the others by their place, and what was charged."""

    tasks: list[Row]
    rejected: Mapping[int, ApiError]
    credits: CreditsMoved


class _NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A row to insert, in its turn."""

    turn: int
    id: UUID
    saved_account_id: UUID
    platform: str
    target_video_url: str
    target_post: str
    target_author_handle: str | None
    comment_text: str
    brief_id: str | None


async def create_comment_tasks(
    *, tx: UnitOfWork, actor: Actor, wanted: Wanted, guards: CommentGuards
) -> Ordered:
    """Order the comments of ``wanted`` that pass; a row that could not be read is its refusal.

    The number of statements does not grow with the rows.

    Raises:
        InsufficientCreditsError: nothing was written.
    """
    requests = [row for row in wanted if isinstance(row, CommentTaskRequest)]
    posts = [_post(row.target_video_url) for row in requests]
    recent = await RecentComments.read(tx, guards, [post for post in posts if post])
    rows = await tx.conn.fetch(
        ACCOUNTS, tx.workspace_id, list({row.saved_account_id for row in requests})
    )
    accounts = {row["id"]: row for row in rows}
    rejected: dict[int, ApiError] = {}
    tasks: list[_NewTask] = []
    for index, row in enumerate(wanted):
        try:
            if isinstance(row, ApiError):
                raise row
            task = _judged(tx, index, row, accounts)
            recent.admit(task.saved_account_id, task.platform, task.target_post, row.comment_text)
            tasks.append(task)
        except ApiError as error:
            rejected[index] = error
    return await _order(tx, tasks, rejected, actor)


async def _order(
    tx: UnitOfWork, tasks: list[_NewTask], rejected: Mapping[int, ApiError], actor: Actor
) -> Ordered:
    price = (await current_prices(tx.conn, tx.workspace_id)).comment_task
    moved, entry_id = await _charge(tx, tasks, price, actor)
    if not tasks:
        return Ordered([], rejected, moved)
    due_at = tx.now + LASTS["pending"]
    rows = await tx.conn.fetch(INSERT, tx.workspace_id, tasks, price, entry_id, tx.now, due_at)
    for row in rows:
        begin(tx, COMMENT, row["id"], root_id=row["id"], actor=actor, data=about_task(row))
    return Ordered(list(rows), rejected, moved)


async def _charge(
    tx: UnitOfWork, tasks: list[_NewTask], price: int, actor: Actor
) -> tuple[CreditsMoved, UUID | None]:
    total = len(tasks) * price
    if len(tasks) == 1:
        kind, id_, of = "comment_task", tasks[0].id, f"Comment on {tasks[0].platform}"
    else:
        kind, id_, of = "comment_order", tx.new_id(), f"{len(tasks)} comments"
    return await ledger.debit(
        tx,
        amount=total,
        description=of,
        breakdown=cost_of(len(tasks), price),
        reference=Reference(kind, id_, f"{kind}:{id_}:charge:1"),
        actor=actor,
    )


def cost_of(count: int, price: int) -> dict[str, int]:
    """Give the breakdown of what ``count`` tasks cost, in credits."""
    return {"comment_task": count * price, "total": count * price}


def _judged(
    tx: UnitOfWork, turn: int, row: CommentTaskRequest, accounts: Mapping[UUID, Row]
) -> _NewTask:
    """Make of a request what is inserted.

    Raises:
        CommentAccountUnavailableError, CommentPlatformMismatchError, ValidationError: it breaks a
            rule.
    """
    account = accounts.get(row.saved_account_id)
    if account is None:
        raise _unavailable(row, "not_found", "the workspace has no such account")
    if hindrance := _hindrance(tx, account):
        raise _unavailable(row, *hindrance)
    platform: str = account["platform"]
    _check_target(row.target_video_url, platform)
    if len(row.comment_text) > account["comment_max"]:
        message = f"must be at most {account['comment_max']} characters long on {platform}"
        refuse([Problem("comment_text", message, row.comment_text)])
    return _NewTask(
        turn=turn,
        id=tx.new_id(),
        saved_account_id=row.saved_account_id,
        platform=platform,
        target_video_url=row.target_video_url,
        target_post=post_key(platform, row.target_video_url),
        target_author_handle=author_of_post(platform, row.target_video_url),
        comment_text=row.comment_text,
        brief_id=row.brief_id or None,
    )


def _hindrance(tx: UnitOfWork, account: Row) -> tuple[str, str] | None:
    """Say why an account cannot comment, as a word and as a sentence, or None."""
    if reason := unavailable_reason(account, tx.now):
        return reason, unavailable_sentence(account, reason)
    if not account["enabled"]:
        return "platform_closed", f"{account['platform']} is closed at the moment"
    return ("paused", "the operator has paused work") if account["paused"] else None


def _unavailable(
    row: CommentTaskRequest, reason: str, sentence: str
) -> CommentAccountUnavailableError:
    return CommentAccountUnavailableError(
        f"saved_account_id: account {row.saved_account_id} cannot comment: {sentence}.",
        details={"field": "saved_account_id", "reason": reason},
    )


def _check_target(url: str, platform: str) -> None:
    there = platform_of_post(url)
    if there is None:
        message = f"is no post's address; one looks like {EXAMPLES[platform]}"
        refuse([Problem("target_video_url", message, url)])
    if there != platform:
        raise CommentPlatformMismatchError(
            f"target_video_url: this is a post on {there}, and the account is on {platform}.",
            details={"field": "target_video_url", "platform": there, "account": platform},
        )


def _post(url: str) -> str | None:
    platform = platform_of_post(url)
    return platform and post_key(platform, url)
