"""The state machine of an edit request (contract section 9)."""

from __future__ import annotations

from typing import Final, Literal

from tokportal_server.lib.machine import Machine, Transition

EditRequestStatus = Literal["pending", "in_progress", "completed", "rejected"]
ACTIVE: Final = ("pending", "in_progress")

EDIT_REQUEST: Final = Machine(
    "edit_request",
    table="edit_requests",
    key="id",
    transitions=(
        Transition(None, "pending", None, "customer asks"),
        Transition("pending", "in_progress", None, "manager accepts"),
        Transition("in_progress", "completed", "edit_request.completed", "manager has changed it"),
        Transition("pending", "rejected", "edit_request.rejected", "manager, or work ends"),
        Transition("in_progress", "rejected", "edit_request.rejected", "manager, or work ends"),
    ),
)
