"""Operations of the reference's group Comments."""

from __future__ import annotations

from typing import Any

import msgspec

from tokportal_server.comments import queries
from tokportal_server.comments.errors import (
    CommentAccountUnavailableError,
    CommentLimitPerTargetError,
    CommentPlatformMismatchError,
    CommentStatusError,
    CommentTaskNotFoundError,
    CommentTextDuplicateError,
)
from tokportal_server.comments.operations.approve_comment_task import approve_comment_task
from tokportal_server.comments.operations.create_comment_tasks import (
    Ordered,
    cost_of,
    create_comment_tasks,
)
from tokportal_server.comments.operations.delete_comment_task import delete_comment_task
from tokportal_server.comments.operations.dispute_comment_task import dispute_comment_task
from tokportal_server.comments.rules import CommentGuards
from tokportal_server.comments.wire import (
    CommentTask,
    CommentTaskRequest,
    CreateCommentTaskRequest,
    CreatedTasks,
    DeletedTask,
    DisputeCommentRequest,
    ListCommentTasksQuery,
    RejectedTask,
    TaskVerifications,
)
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import Answer, CreditsMoved
from tokportal_server.http.call import Call
from tokportal_server.http.errors import DryRunIdError
from tokportal_server.http.registry import Router
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.errors import SavedAccountNotFoundError

router = Router("Comments")

_ONE_TASK: tuple[type[ApiError], ...] = (CommentTaskNotFoundError,)
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}


@router.operation(
    "GET",
    "/comments",
    "listCommentTasks",
    summary="List comment tasks",
    returns=list[CommentTask],
    errors=(SavedAccountNotFoundError,),
    paged=True,
)
async def list_comment_tasks(call: Call, query: ListCommentTasksQuery) -> Answer:
    """Comment tasks of the workspace, newest first."""
    tasks, page = await queries.list_tasks(call.conn, call.who.workspace_id, query)
    return Answer(tasks, page=page)


def _read_rows(body: CreateCommentTaskRequest) -> list[CommentTaskRequest | ApiError]:
    """Read each row as a single task would be; what cannot be read is its refusal."""
    if body.tasks is None:
        return [body.single()]
    rows: list[CommentTaskRequest | ApiError] = []
    for row in body.tasks:
        try:
            rows.append(decode_body(CommentTaskRequest, msgspec.json.encode(row)))
        except ApiError as error:
            rows.append(error)
    return rows


async def _price_tasks(call: Call, body: CreateCommentTaskRequest) -> CreditsMoved:
    rows = [row for row in _read_rows(body) if isinstance(row, CommentTaskRequest)]
    price = (await current_prices(call.tx.conn, call.tx.workspace_id)).comment_task
    remaining = await ledger.spendable(call.tx.conn, call.tx.workspace_id, call.tx.now)
    cost = cost_of(len(rows), price)
    return CreditsMoved(cost["total"], remaining, cost)


@router.operation(
    "POST",
    "/comments",
    "createCommentTasks",
    summary="Create comment tasks",
    returns=CreatedTasks,
    status=201,
    errors=(
        CommentAccountUnavailableError,
        CommentPlatformMismatchError,
        CommentLimitPerTargetError,
        CommentTextDuplicateError,
        DryRunIdError,
        InsufficientCreditsError,
    ),
    moves_credits=True,
    siblings={"created_count": _COUNT, "rejected_count": _COUNT},
    price=_price_tasks,
)
async def post_comment_tasks(call: Call, body: CreateCommentTaskRequest) -> Answer:
    """Order one comment, or up to 200 in `tasks`: then each row passes or is rejected alone.

    What passes is charged at once; what is rejected is never charged. A post takes one task of a
    workspace in 24 hours, and accounts of a workspace are not given nearly the same text.
    """
    rows = _read_rows(body)
    for row in rows:
        if isinstance(row, CommentTaskRequest):
            call.require_real("saved_account_id", row.saved_account_id)
    done = await create_comment_tasks(
        tx=call.tx,
        actor=call.who.actor,
        wanted=rows,
        guards=CommentGuards.of(call.ports.settings),
    )
    if body.tasks is None:
        for error in done.rejected.values():
            raise error
    return Answer(
        _created(done),
        status=201,
        credits=done.credits,
        siblings={"created_count": len(done.tasks), "rejected_count": len(done.rejected)},
    )


def _created(done: Ordered) -> CreatedTasks:
    return CreatedTasks(
        created=queries.task_objects(done.tasks),
        rejected=[
            RejectedTask(index=index, code=error.code, message=error.message)
            for index, error in sorted(done.rejected.items())
        ],
    )


@router.operation(
    "GET",
    "/comments/{id}",
    "getCommentTask",
    summary="Get a comment task",
    returns=CommentTask,
    path_errors=_ONE_TASK,
)
async def get_comment_task(call: Call) -> Answer:
    """One task: what was ordered, and where it stands."""
    task_id = call.id("id", CommentTaskNotFoundError)
    return Answer(await queries.get_task(call.conn, call.who.workspace_id, task_id))


@router.operation(
    "DELETE",
    "/comments/{id}",
    "deleteCommentTask",
    summary="Delete a comment task",
    returns=DeletedTask,
    path_errors=_ONE_TASK,
    errors=(CommentStatusError,),
    moves_credits=True,
    siblings={"credits_refunded": _COUNT},
)
async def remove_comment_task(call: Call) -> Answer:
    """Take back a task that nobody has worked on yet, and get its price back."""
    task_id = call.id("id", CommentTaskNotFoundError)
    refunded = await delete_comment_task(tx=call.tx, actor=call.who.actor, task_id=task_id)
    remaining = await ledger.spendable(call.tx.conn, call.tx.workspace_id, call.tx.now)
    return Answer(
        DeletedTask(id=task_id, status="cancelled"),
        credits=CreditsMoved(0, remaining),
        siblings={"credits_refunded": refunded},
    )


@router.operation(
    "POST",
    "/comments/{id}/approve",
    "approveCommentTask",
    summary="Approve a manually confirmed comment task",
    returns=CommentTask,
    path_errors=_ONE_TASK,
    errors=(CommentStatusError,),
)
async def approve_task(call: Call) -> Answer:
    """Accept a comment that was confirmed by hand."""
    task_id = call.id("id", CommentTaskNotFoundError)
    row = await approve_comment_task(tx=call.tx, actor=call.who.actor, task_id=task_id)
    return Answer(queries.task_object(row))


@router.operation(
    "POST",
    "/comments/{id}/dispute",
    "disputeCommentTask",
    summary="Dispute a manually confirmed comment task",
    returns=CommentTask,
    path_errors=_ONE_TASK,
    errors=(CommentStatusError,),
)
async def dispute_task(call: Call, body: DisputeCommentRequest) -> Answer:
    """Send a comment that was confirmed by hand back; the third time an operator decides."""
    row = await dispute_comment_task(
        tx=call.tx,
        actor=call.who.actor,
        task_id=call.id("id", CommentTaskNotFoundError),
        reason=body.reason,
    )
    return Answer(queries.task_object(row))


@router.operation(
    "GET",
    "/comments/{id}/verifications",
    "listCommentTaskVerifications",
    summary="List comment task verification events",
    returns=TaskVerifications,
    path_errors=_ONE_TASK,
)
async def list_verifications(call: Call) -> Answer:
    """Every look at the platform for this comment, oldest first, and what it came to."""
    task_id = call.id("id", CommentTaskNotFoundError)
    return Answer(await queries.list_verifications(call.conn, call.who.workspace_id, task_id))
