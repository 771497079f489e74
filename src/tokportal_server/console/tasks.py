"""Comment tasks: the list, one task with its story; approved, disputed, taken back."""

from __future__ import annotations

from typing import Final

from tokportal_server.comments import queries
from tokportal_server.comments.errors import CommentTaskNotFoundError
from tokportal_server.comments.operations.approve_comment_task import approve_comment_task
from tokportal_server.comments.operations.delete_comment_task import delete_comment_task
from tokportal_server.comments.operations.dispute_comment_task import dispute_comment_task
from tokportal_server.comments.wire import (
    STATUSES,
    CommentTask,
    DisputeCommentRequest,
    ListCommentTasksQuery,
)
from tokportal_server.console.acts import (
    Act,
    console_address,
    is_writer,
    perform,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import query_of
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.pages.page import (
    Answer,
    Page,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)

NAMES = "SELECT id, username FROM saved_accounts WHERE workspace_id = $1 AND id = ANY ($2)"
HISTORY = """
SELECT from_status, to_status, actor_kind, reason, at FROM journal
 WHERE workspace_id = $1 AND object_id = $2 ORDER BY ordinal DESC LIMIT 100
"""


def tasks_address(visit: Visit) -> str:
    """Give the address of the workspace's comment tasks."""
    return f"{console_address(visit)}/comments"


async def show_tasks(visit: Visit) -> Answer:
    """List the tasks, newest first, by status and account."""
    query, filters = query_of(visit, ListCommentTasksQuery)
    tasks, pages = await queries.list_tasks(visit.conn, visit.workspace.id, query)
    accounts = list({task.saved_account_id for task in tasks})
    rows = await visit.conn.fetch(NAMES, visit.workspace.id, accounts)
    facts = {
        "tasks": tasks,
        "pages": pages,
        "names": {row["id"]: row["username"] for row in rows},
        "filters": {k: v for k, v in filters.items() if k not in ("page", "per_page")},
        "statuses": STATUSES,
        "writer": is_writer(visit),
        "address": tasks_address(visit),
    }
    return Shown("tasks.html", facts)


async def show_task(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show one task, how it was looked for, and what can be done about it.

    Raises:
        PageNotFoundError: the workspace has no such task.
    """
    workspace_id, task_id = visit.workspace.id, visit.id("task")
    try:
        task = await queries.get_task(visit.conn, workspace_id, task_id)
        looked = await queries.list_verifications(visit.conn, workspace_id, task_id)
    except CommentTaskNotFoundError:
        raise nothing_here() from None
    name = await visit.conn.fetchrow(NAMES, workspace_id, [task.saved_account_id])
    facts = {
        "task": task,
        "username": name["username"] if name else "",
        "attempts": looked.attempts,
        "history": await visit.conn.fetch(HISTORY, workspace_id, task_id),
        "writer": is_writer(visit),
        "address": _address(visit),
        "console": console_address(visit),
        "waits_for": _waits_for(task),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("task.html", facts)


async def approve(visit: Visit) -> Answer:
    """Accept a comment that was confirmed by hand."""

    async def act(tx: UnitOfWork) -> None:
        await approve_comment_task(tx=tx, actor=visit.customer, task_id=visit.id("task"))

    return await _act(visit, "approve", act, done="approved")


async def dispute(visit: Visit) -> Answer:
    """Send a comment that was confirmed by hand back."""

    async def act(tx: UnitOfWork) -> None:
        asked = decode_body(DisputeCommentRequest, body_of(DisputeCommentRequest, visit.form))
        await dispute_comment_task(
            tx=tx, actor=visit.customer, task_id=visit.id("task"), reason=asked.reason
        )

    return await _act(visit, "dispute", act, done="task_disputed")


async def delete(visit: Visit) -> Answer:
    """Take back a task that nobody has worked on; its price goes back."""

    async def act(tx: UnitOfWork) -> None:
        await delete_comment_task(tx=tx, actor=visit.customer, task_id=visit.id("task"))

    return await _act(visit, "delete", act, done="task_deleted")


async def _act(visit: Visit, form: str, act: Act, *, done: str) -> Answer:
    then = f"{_address(visit)}?done={done}"
    return await perform(visit, form, act, again=show_task, then=then)


def _waits_for(task: CommentTask) -> str:
    """Name who has the next turn, as a word for the texts."""
    if task.status == "manually_confirmed":
        return "you"
    if task.status in ("pending", "pending_corrections"):
        return "manager" if task.status == "pending" or task.correction_required else "operator"
    return "nobody" if task.status in ("finalized", "cancelled") else "platform"


def _address(visit: Visit) -> str:
    return f"{tasks_address(visit)}/{visit.id('task')}"


_HERE = "/console/{workspace}/comments"
_ONE = f"{_HERE}/{{task}}"
COMMENT_PAGES: Final = (
    Page("tasks", "GET", _HERE, show_tasks),
    Page("task", "GET", _ONE, show_task),
    Page("approve_task", "POST", f"{_ONE}/approve", approve),
    Page("dispute_task", "POST", f"{_ONE}/dispute", dispute),
    Page("delete_task", "POST", f"{_ONE}/delete", delete),
)
