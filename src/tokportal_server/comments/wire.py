"""The comment task, its verifications, and what is asked about them (contract section 10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.comments.similarity import normalise
from tokportal_server.comments.states import CommentStatus
from tokportal_server.http.paging import PageQuery
from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import Timestamp

MOST_TASKS: Final = 200
STATUSES: Final[tuple[str, ...]] = get_args(CommentStatus)
Platform = Literal["tiktok", "instagram"]
OutcomeKind = Literal["verified", "wrong_text", "wrong_account", "couldnt_verify", "scrape_failed"]
_Account = Annotated[UUID, Meta(description="A delivered account, which writes the comment.")]
_Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="Address of the post to comment on, on the account's platform.",
        examples=["https://www.tiktok.com/@name/video/7300000000000000000"],
    ),
]
_Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2200,
        description="The comment, word for word: up to 150 characters on TikTok, 2200 on"
        " Instagram.",
    ),
]
_Brief = Annotated[str, Meta(max_length=200, description="A reference of yours.")]


class CommentTaskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One comment to be written."""

    saved_account_id: _Account
    target_video_url: _Target
    comment_text: _Text
    brief_id: _Brief | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield a text of which nothing would be seen."""
        if not normalise(self.comment_text):
            yield Problem("comment_text", "must have something that can be read")


# A row is judged alone, so that it can be refused alone: the document says of it only what concerns
# the whole call.
_Row = Annotated[
    dict[str, Any],
    Meta(
        description="The fields of a single task; a row that lacks one is rejected alone.",
        extra_json_schema={
            "properties": {
                name: {"description": "As in a single task; judged for this row alone."}
                for name in CommentTaskRequest.__struct_fields__
            },
            "additionalProperties": True,
        },
    ),
]


class CreateCommentTaskRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One task, or many of them in ``tasks``."""

    saved_account_id: _Account | None = None
    target_video_url: _Target | None = None
    comment_text: _Text | None = None
    brief_id: _Brief | None = None
    tasks: Annotated[list[_Row], Meta(min_length=1, max_length=MOST_TASKS)] | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield what is missing of a single task, or too much beside many."""
        names = CommentTaskRequest.__struct_fields__
        given = [name for name in names if getattr(self, name) is not None]
        if self.tasks is not None:
            for name in given:
                yield Problem(name, "belongs into each of the tasks; leave it out beside them")
        elif not given:
            yield Problem("tasks", f"is required, or a single task's {', '.join(names[:3])}")
        else:
            for name in names[:3]:
                if name not in given:
                    yield Problem(name, "is required")
        if self.comment_text is not None and not normalise(self.comment_text):
            yield Problem("comment_text", "must have something that can be read")

    def single(self) -> CommentTaskRequest:
        """Give the one task of a body without ``tasks``."""
        fields = CommentTaskRequest.__struct_fields__
        return msgspec.convert({name: getattr(self, name) for name in fields}, CommentTaskRequest)


class CommentTask(msgspec.Struct, frozen=True, kw_only=True):
    """A comment task.

    ``correction_required`` is true while the manager has to mend the comment, and false in the
    same status once a dispute is with an operator. ``deadline_at`` is the manager's.
    """

    id: UUID
    status: CommentStatus
    platform: Platform
    saved_account_id: UUID
    target_video_url: str
    target_author_handle: str | None
    comment_text: str
    brief_id: str | None
    submitted_at: Timestamp | None
    verified_at: Timestamp | None
    manually_confirmed_at: Timestamp | None
    client_dispute_deadline_at: Timestamp | None
    finalized_at: Timestamp | None
    correction_required: bool
    deadline_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class RejectedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was not ordered, by its place in ``tasks`` from 0."""

    index: int
    code: str
    message: str


class CreatedTasks(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows."""

    created: list[CommentTask]
    rejected: list[RejectedTask]


class DeletedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was taken back."""

    id: UUID
    status: Literal["cancelled"]


class DisputeCommentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the comment is not accepted."""

    reason: Annotated[str, Meta(min_length=3, max_length=500)]

    def problems(self) -> Iterator[Problem]:
        """Yield a reason that tells the manager nothing."""
        if not self.reason.strip():
            yield Problem("reason", "must say what is wrong with the comment")


class ListCommentTasksQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exact filters of the list."""

    status: (
        Annotated[
            list[str],
            Meta(description="One or more statuses: with commas, as repeated keys, or both."),
        ]
        | None
    ) = None
    saved_account_id: UUID | None = None

    @property
    def statuses(self) -> list[str] | None:
        """Every status that is asked for; None for all."""
        if self.status is None:
            return None
        return [part.strip() for given in self.status for part in given.split(",")]

    def problems(self) -> Iterator[Problem]:
        """Yield each status that there is not."""
        for name in self.statuses or ():
            if name not in STATUSES:
                yield Problem("status", f"must be of {', '.join(STATUSES)}", name)


class VerificationAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the platform; ``match_score`` compares the texts, from 0 to 1."""

    attempt_n: int
    scraped_at: Timestamp
    outcome_kind: OutcomeKind
    verified: bool
    match_score: float | None
    found_comment_id: str | None
    reason: str | None
    comments_scraped: int
    platform: Platform


class TaskVerifications(msgspec.Struct, frozen=True, kw_only=True):
    """How a task was looked for, oldest first."""

    task_id: UUID
    status: CommentStatus
    attempts: list[VerificationAttempt]
