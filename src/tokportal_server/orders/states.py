"""The three state machines of an order (contract sections 6 and 7).

Events of the catalogue stand beside the change that emits them; a change without one is in the
journal only. The docs' pictures and the tests of every pair are generated from these tables.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from tokportal_server.lib.machine import Machine, Transition

BundleStatus = Literal[
    "pending_setup",
    "published",
    "published_priority",
    "accepted",
    "completed",
    "cancelled",
    "archived",
]
ProfileStatus = Literal[
    "pending",
    "configured",
    "published",
    "in_review",
    "pending_corrections",
    "finalized",
    "cancelled",
]
SlotStatus = Literal[
    "pending",
    "configured",
    "published",
    "accepted",
    "in_review",
    "pending_corrections",
    "finalized",
    "cancelled",
]
# How long the story of an order is kept, by the real clock.
JOURNAL_KEPT: Final = timedelta(days=5 * 365)
OPEN_STATUSES = ("published", "published_priority")

_CANCELS = "customer before a claim, operator, or a ban"

BUNDLE = Machine(
    "bundle",
    table="bundles",
    key="id",
    stamp="moved_at",
    transitions=(
        Transition(None, "pending_setup", "bundle.created", "customer orders"),
        Transition("pending_setup", "published", "bundle.published", "customer publishes"),
        Transition("published", "published_priority", None, "24 h without a claim"),
        Transition("published", "pending_setup", "bundle.unpublished", "customer unpublishes"),
        Transition(
            "published_priority", "pending_setup", "bundle.unpublished", "customer unpublishes"
        ),
        Transition("published", "accepted", "bundle.accepted", "manager claims"),
        Transition("published_priority", "accepted", "bundle.accepted", "manager claims"),
        Transition("accepted", "published", "bundle.released", "release or missed deadline"),
        Transition("accepted", "completed", "bundle.completed", "everything is finalized"),
        Transition("pending_setup", "cancelled", "bundle.cancelled", _CANCELS),
        Transition("published", "cancelled", "bundle.cancelled", _CANCELS),
        Transition("published_priority", "cancelled", "bundle.cancelled", _CANCELS),
        Transition("accepted", "cancelled", "bundle.cancelled", "operator, or a ban"),
        Transition("completed", "archived", "bundle.archived", "operator archives"),
        Transition("cancelled", "archived", "bundle.archived", "operator archives"),
    ),
)

PROFILE = Machine(
    "profile",
    table="profiles",
    key="bundle_id",
    transitions=(
        Transition(None, "pending", None, "customer orders"),
        Transition("pending", "configured", "account.configured", "customer configures"),
        Transition("configured", "published", "account.published", "bundle is published"),
        Transition("published", "configured", None, "bundle is unpublished"),
        Transition("published", "in_review", "account.in_review", "manager submits"),
        Transition(
            "in_review",
            "pending_corrections",
            "account.pending_corrections",
            "customer asks for corrections",
        ),
        Transition("pending_corrections", "in_review", "account.in_review", "manager resubmits"),
        Transition("in_review", "finalized", "account.finalized", "customer finalizes, or 72 h"),
        *(
            Transition(source, "cancelled", None, "bundle is cancelled")
            for source in ("pending", "configured", "published", "in_review", "pending_corrections")
        ),
    ),
)

SLOT = Machine(
    "slot",
    table="slots",
    key="id",
    transitions=(
        Transition(None, "pending", None, "customer orders"),
        Transition("pending", "configured", "video.configured", "customer configures"),
        Transition("configured", "published", "video.published", "customer publishes"),
        Transition("published", "configured", "video.unscheduled", "customer unschedules"),
        Transition("configured", "pending", "video.reset", "customer resets"),
        Transition("published", "pending", "video.reset", "customer resets"),
        Transition("published", "accepted", None, "bundle is claimed"),
        Transition("accepted", "published", None, "bundle is released"),
        Transition("accepted", "in_review", "video.in_review", "manager submits"),
        Transition(
            "in_review",
            "pending_corrections",
            "video.pending_corrections",
            "customer asks for corrections",
        ),
        Transition("pending_corrections", "in_review", "video.in_review", "manager resubmits"),
        Transition("in_review", "finalized", "video.finalized", "automatically, customer, or 72 h"),
        *(
            Transition(source, "cancelled", None, "bundle or slot is cancelled")
            for source in (
                "pending",
                "configured",
                "published",
                "accepted",
                "in_review",
                "pending_corrections",
            )
        ),
    ),
)

MACHINES = (BUNDLE, PROFILE, SLOT)
FINAL_SLOT_STATUSES = ("finalized", "cancelled")
