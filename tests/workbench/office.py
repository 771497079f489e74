"""The operator's office: what Olga does, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.cast import World
from tests.orders.walk import working
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.cancellation import Cancelled
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.operations.archive_bundle import archive_bundle
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle
from tokportal_server.workbench.operations.cancel_slot import cancel_slot
from tokportal_server.workbench.operations.reverse_charges import reverse_charges

AUDIT = """
SELECT action, subject_kind, subject_id, actor_kind, actor_id, reason, details FROM audit
 WHERE workspace_id = $1 ORDER BY ordinal
"""


@dataclass
class Office:
    """Olga at work on Alice's orders; ``hours`` later than now."""

    conn: Connection
    world: World
    ports: Ports
    hours: float = 0
    rules: OrderRules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = OrderRules.of(self.ports.settings)

    async def cancel(
        self, bundle_id: str, *, amount: int | None = None, reason: str = "Too late."
    ) -> Cancelled:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            return await cancel_bundle(
                tx=tx,
                actor=self.world.as_olga,
                bundle_id=UUID(bundle_id),
                reason=reason,
                amount=amount,
            )

    async def preview(self, bundle_id: str, *, amount: int | None = None) -> Cancelled:
        """Say what cancelling would give back."""
        async with unit_of_work(self.conn, self.world.acme, now=real_now(), dry_run=True) as tx:
            return await cancel_bundle(
                tx=tx,
                actor=self.world.as_olga,
                bundle_id=UUID(bundle_id),
                reason="?",
                amount=amount,
            )

    async def cancel_slot(
        self,
        bundle_id: str,
        position: int = 1,
        *,
        amount: int | None = None,
        reason: str = "Too late.",
    ) -> Cancelled:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            return await cancel_slot(
                tx=tx,
                actor=self.world.as_olga,
                bundle_id=UUID(bundle_id),
                position=position,
                reason=reason,
                rules=self.rules,
                amount=amount,
            )

    async def archive(self, bundle_id: str, reason: str = "Over.") -> None:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            await archive_bundle(
                tx=tx, actor=self.world.as_olga, bundle_id=UUID(bundle_id), reason=reason
            )

    async def reverse(self, bundle_id: str, reason: str = "Not yet.") -> Cancelled:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            return await reverse_charges(
                tx=tx, actor=self.world.as_olga, bundle_id=UUID(bundle_id), reason=reason
            )

    async def audit(self, workspace: UUID | None = None) -> list[dict[str, Any]]:
        """Give the audit log of Alice's workspace (or another), oldest first."""
        rows = await self.conn.fetch(AUDIT, workspace or self.world.acme)
        return [dict(row) for row in rows]
