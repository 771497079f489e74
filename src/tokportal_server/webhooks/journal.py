"""The journal of endpoints: who switched one on or off, and why."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork

KIND = "webhook_endpoint"
_NAMES = {True: "enabled", False: "disabled", None: None}


def record_enabled(
    tx: UnitOfWork,
    endpoint_id: UUID,
    *,
    before: bool | None,
    after: bool,
    actor: Actor,
    reason: str | None = None,
) -> None:
    """Record that an endpoint was made (``before`` None), enabled or disabled."""
    tx.record(
        KIND,
        endpoint_id,
        root_id=endpoint_id,
        source=_NAMES[before],
        target="enabled" if after else "disabled",
        actor=actor,
        reason=reason,
    )


def record_deleted(tx: UnitOfWork, endpoint_id: UUID, *, enabled: bool, actor: Actor) -> None:
    """Record that an endpoint was deleted."""
    tx.record(
        KIND,
        endpoint_id,
        root_id=endpoint_id,
        source=_NAMES[enabled],
        target="deleted",
        actor=actor,
    )
