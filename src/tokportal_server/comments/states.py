"""The state machine of a comment task (contract section 10)."""

from __future__ import annotations

from typing import Final, Literal

from tokportal_server.lib.machine import Machine, Transition

CommentStatus = Literal[
    "pending",
    "submitted",
    "verified_auto",
    "manually_confirmed",
    "pending_corrections",
    "finalized",
    "cancelled",
]

COMMENT: Final = Machine(
    "comment_task",
    table="comment_tasks",
    key="id",
    transitions=(
        Transition(None, "pending", None, "customer orders"),
        Transition("pending", "submitted", "comment.submitted", "manager submits"),
        Transition(
            "pending",
            "cancelled",
            "comment.cancelled",
            "customer deletes, 72 h, or its account ends",
        ),
        Transition("submitted", "verified_auto", "comment.verified", "comment is found"),
        Transition(
            "submitted", "manually_confirmed", "comment.manually_confirmed", "72 h without a match"
        ),
        Transition(
            "submitted",
            "pending_corrections",
            "comment.pending_corrections",
            "another text or author is found",
        ),
        Transition("verified_auto", "finalized", "comment.finalized", "24 h"),
        Transition(
            "manually_confirmed", "finalized", "comment.finalized", "customer approves, or 72 h"
        ),
        Transition(
            "manually_confirmed",
            "pending_corrections",
            "comment.pending_corrections",
            "customer disputes",
        ),
        Transition("pending_corrections", "submitted", "comment.submitted", "manager resubmits"),
        Transition(
            "pending_corrections", "verified_auto", "comment.verified", "mended comment is found"
        ),
        Transition(
            "pending_corrections", "finalized", "comment.finalized", "operator settles a dispute"
        ),
        Transition(
            "pending_corrections",
            "cancelled",
            "comment.cancelled",
            "72 h, its account ends, or operator settles",
        ),
    ),
)
