"""What a comment task can be refused for."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.locks import Row


class CommentTaskNotFoundError(ApiError):
    """The workspace has no comment task with this id."""

    code = "COMMENT_TASK_NOT_FOUND"
    status = 404
    remedy = "You: take the id from `GET /comments`."


class CommentStatusError(ApiError):
    """The task's status does not allow this; ``details {current_status, allowed_from}``."""

    code = "COMMENT_INVALID_STATUS"
    status = 409
    remedy = "You: read `GET /comments/{id}`, and call this in a status of `details.allowed_from`."


class CommentAccountUnavailableError(ApiError):
    """The account cannot comment; ``details.reason`` says why."""

    code = "COMMENT_ACCOUNT_UNAVAILABLE"
    status = 400
    remedy = (
        "You: take an account of `GET /accounts` that is delivered and active. The operator: if"
        " `details.reason` is `paused`, end the pause."
    )


class CommentPlatformMismatchError(ApiError):
    """The post is on another platform than the account."""

    code = "COMMENT_PLATFORM_MISMATCH"
    status = 400
    remedy = "You: name a post on the account's platform, or an account of the post's."


class CommentLimitPerTargetError(ApiError):
    """The workspace has a comment task for this post from the last 24 hours."""

    code = "COMMENT_LIMIT_PER_TARGET"
    status = 400
    remedy = "You: wait until `details.allowed_at`, or choose another post."


class CommentTextDuplicateError(ApiError):
    """Another account of the workspace was given nearly the same text in the last 24 hours."""

    code = "COMMENT_TEXT_DUPLICATE"
    status = 400
    remedy = "You: write a comment of its own for each account."


def task_not_found(task_id: object) -> CommentTaskNotFoundError:
    """Give the 404 for a comment task."""
    return CommentTaskNotFoundError(
        f"No comment task {task_id} in this workspace. GET /comments lists those there are."
    )


def task_status_refused(task: Row, allowed: list[str]) -> CommentStatusError:
    """Give the 409 for a task in the wrong status."""
    return CommentStatusError(
        f"Comment task {task['id']} is {task['status']}; this needs {' or '.join(allowed)}.",
        details={"current_status": task["status"], "allowed_from": allowed},
    )
