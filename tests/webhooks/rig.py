"""Endpoints, events and the two loops, without the API in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tests.cast import World
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.webhooks.operations.create_webhook_endpoint import create_webhook_endpoint
from tokportal_server.webhooks.operations.delete_webhook_endpoint import delete_webhook_endpoint
from tokportal_server.webhooks.operations.update_webhook_endpoint import update_webhook_endpoint
from tokportal_server.webhooks.wire import CreatedWebhookEndpoint

TYPE = "bundle.created"
Row = asyncpg.Record


@dataclass
class Rig:
    """One workspace's webhooks; ``hours`` is how far its clock is ahead of real time."""

    ports: Ports
    world: World
    dispatcher: Dispatcher
    deliverer: Deliverer

    async def endpoint(
        self, url: str, *, events: Sequence[str] = (TYPE,), enabled: bool = True
    ) -> CreatedWebhookEndpoint:
        """Register an endpoint in Alice's workspace."""
        async with (
            self.ports.database.connection() as conn,
            unit_of_work(conn, self.world.acme, now=real_now()) as tx,
        ):
            return await create_webhook_endpoint(
                tx=tx,
                actor=SYSTEM,
                vault=self.ports.vault,
                policy=self.ports.outbound_policy,
                url=url,
                events=events,
                enabled=enabled,
            )

    async def switch(self, endpoint_id: UUID, *, enabled: bool) -> None:
        """Switch an endpoint on or off."""
        async with (
            self.ports.database.connection() as conn,
            unit_of_work(conn, self.world.acme, now=real_now()) as tx,
        ):
            await update_webhook_endpoint(
                tx=tx,
                actor=SYSTEM,
                policy=self.ports.outbound_policy,
                endpoint_id=endpoint_id,
                enabled=enabled,
            )

    async def delete(self, endpoint_id: UUID) -> None:
        """Delete an endpoint."""
        async with (
            self.ports.database.connection() as conn,
            unit_of_work(conn, self.world.acme, now=real_now()) as tx,
        ):
            await delete_webhook_endpoint(tx=tx, actor=SYSTEM, endpoint_id=endpoint_id)

    async def emit(
        self, count: int = 1, *, event_type: str = TYPE, data: Mapping[str, Any] | None = None
    ) -> None:
        """Commit events, and fan them out."""
        await self.commit(count, event_type=event_type, data=data)
        while await self.dispatcher.run_once():
            pass

    async def commit(
        self, count: int = 1, *, event_type: str = TYPE, data: Mapping[str, Any] | None = None
    ) -> None:
        """Commit events in one transaction."""
        async with (
            self.ports.database.connection() as conn,
            unit_of_work(conn, self.world.acme, now=real_now()) as tx,
        ):
            for n in range(count):
                tx.emit(event_type, {"n": n} if data is None else data)

    async def deliver(self) -> None:
        """Send everything that is due, and record it."""
        while await self.deliverer.run_once() or self.deliverer.in_flight:
            pass

    async def advance(self, by: timedelta) -> None:
        """Move the workspace's clock forward."""
        await self.execute(
            "UPDATE workspaces SET clock_offset = clock_offset + $2 WHERE id = $1",
            self.world.acme,
            by,
        )

    async def become_due(self) -> None:
        """Move the clock to where the next waiting delivery is due."""
        due, offset = (
            await self.rows(
                "SELECT min(due_at) - now(), (SELECT clock_offset FROM workspaces WHERE id = $1)"
                "  FROM webhook_deliveries WHERE workspace_id = $1 AND status = 'pending'",
                self.world.acme,
            )
        )[0]
        await self.advance(max(due - offset, timedelta(0)))

    async def deliveries(self) -> list[Row]:
        """Give every attempt, in the order in which they were written."""
        return await self.rows("SELECT * FROM webhook_deliveries ORDER BY ordinal")

    async def health(self, endpoint_id: UUID) -> Row:
        """Give the row of an endpoint."""
        return (await self.rows("SELECT * FROM webhook_endpoints WHERE id = $1", endpoint_id))[0]

    async def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """Read."""
        async with self.ports.database.connection() as conn:
            return list(await conn.fetch(sql, *arguments))

    async def execute(self, sql: str, *arguments: Any) -> None:
        """Arrange."""
        async with self.ports.database.connection() as conn:
            await conn.execute(sql, *arguments)
