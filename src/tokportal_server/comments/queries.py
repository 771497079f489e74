"""Comment tasks as objects of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tokportal_server.accounts.queries import require_account
from tokportal_server.comments.errors import task_not_found
from tokportal_server.comments.wire import (
    CommentTask,
    ListCommentTasksQuery,
    TaskVerifications,
    VerificationAttempt,
)
from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

GET = "SELECT * FROM comment_tasks WHERE workspace_id = $1 AND id = $2"
_FILTERS = """
   AND ($2::text[] IS NULL OR status = ANY ($2))
   AND ($3::uuid IS NULL OR saved_account_id = $3)
"""
LIST = f"""
SELECT * FROM comment_tasks WHERE workspace_id = $1 {_FILTERS}
 ORDER BY ordinal DESC LIMIT $4 OFFSET $5
"""
COUNT = f"SELECT count(*) FROM comment_tasks WHERE workspace_id = $1 {_FILTERS}"
# The one door keeps these counts, so that a total does not read every row.
COUNTED = """
SELECT COALESCE(sum(n), 0)::bigint FROM counters
 WHERE workspace_id = $1 AND kind = 'comment_task' AND ($2::text[] IS NULL OR status = ANY ($2))
"""
ATTEMPTS = """
SELECT * FROM comment_verifications WHERE workspace_id = $1 AND task_id = $2 ORDER BY attempt_n
"""
_MANAGERS_TURN = ("pending", "pending_corrections")


async def get_task(conn: Connection, workspace_id: UUID, task_id: UUID) -> CommentTask:
    """Give one task.

    Raises:
        CommentTaskNotFoundError: the workspace has no such task.
    """
    return task_object(await _row(conn, workspace_id, task_id))


async def list_tasks(
    conn: Connection, workspace_id: UUID, query: ListCommentTasksQuery
) -> tuple[list[CommentTask], Page]:
    """Give a page of tasks, newest first.

    Raises:
        SavedAccountNotFoundError: ``saved_account_id`` is no account of the workspace.
    """
    if query.saved_account_id is not None:
        await require_account(conn, workspace_id, query.saved_account_id)
    filters = (query.statuses, query.saved_account_id)
    rows = await conn.fetch(LIST, workspace_id, *filters, query.per_page, query.offset)
    if query.saved_account_id is None:
        total = await conn.fetchval(COUNTED, workspace_id, query.statuses)
    else:
        total = await conn.fetchval(COUNT, workspace_id, *filters)
    return task_objects(rows), query.of(total)


async def list_verifications(
    conn: Connection, workspace_id: UUID, task_id: UUID
) -> TaskVerifications:
    """Give how a task was looked for.

    Raises:
        CommentTaskNotFoundError: the workspace has no such task.
    """
    task = await _row(conn, workspace_id, task_id)
    rows = await conn.fetch(ATTEMPTS, workspace_id, task_id)
    return TaskVerifications(
        task_id=task_id,
        status=task["status"],
        attempts=[_attempt(row, task) for row in rows],
    )


def task_objects(rows: Sequence[Row]) -> list[CommentTask]:
    """Give rows of the table as objects of the contract."""
    return [task_object(row) for row in rows]


def task_object(row: Row) -> CommentTask:
    """Give a row of the table as an object of the contract."""
    mends = row["status"] == "pending_corrections" and not row["with_operator"]
    return CommentTask(
        id=row["id"],
        status=row["status"],
        platform=row["platform"],
        saved_account_id=row["saved_account_id"],
        target_video_url=row["target_video_url"],
        target_author_handle=row["target_author_handle"],
        comment_text=row["comment_text"],
        brief_id=row["brief_id"],
        submitted_at=wire_time(row["submitted_at"]),
        verified_at=wire_time(row["verified_at"]),
        manually_confirmed_at=wire_time(row["manually_confirmed_at"]),
        client_dispute_deadline_at=wire_time(row["client_dispute_deadline_at"]),
        finalized_at=wire_time(row["finalized_at"]),
        correction_required=mends,
        deadline_at=wire_time(row["due_at"]) if row["status"] in _MANAGERS_TURN else None,
        created_at=wire_time(row["created_at"]),
        updated_at=wire_time(row["updated_at"]),
    )


async def _row(conn: Connection, workspace_id: UUID, task_id: UUID) -> Row:
    row = await conn.fetchrow(GET, workspace_id, task_id)
    if row is None:
        raise task_not_found(task_id)
    return row


def _attempt(row: Row, task: Row) -> VerificationAttempt:
    return VerificationAttempt(
        attempt_n=row["attempt_n"],
        scraped_at=wire_time(row["scraped_at"]),
        outcome_kind=row["outcome_kind"],
        verified=row["outcome_kind"] == "verified",
        match_score=row["match_score"],
        found_comment_id=row["found_comment_id"],
        reason=row["reason"],
        comments_scraped=row["comments_scraped"],
        platform=task["platform"],
    )
