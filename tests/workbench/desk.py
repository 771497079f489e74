"""A manager's desk: what Mona or somebody else does, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from tests.cast import World
from tests.orders.walk import POST, working
from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.report_download_issue import report_download_issue
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account
from tokportal_server.workbench.operations.submit_slot import submit_slot
from tokportal_server.workspaces.operations.create_person import create_manager, create_person

CREDENTIALS = Credentials(password="p", email="a@b.example", email_password="q")


@dataclass
class Desk:
    """Somebody at work in Alice's workspace; ``hours`` later than now."""

    conn: Connection
    world: World
    ports: Ports
    actor: Actor
    hours: float = 0
    rules: OrderRules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = OrderRules.of(self.ports.settings)

    async def claim(self, bundle_id: str) -> None:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            await claim_bundle(tx=tx, actor=self.actor, bundle_id=UUID(bundle_id), rules=self.rules)

    async def release(self, bundle_id: str, reason: str = "No time.") -> None:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            await release_claim(
                tx=tx,
                actor=self.actor,
                bundle_id=UUID(bundle_id),
                reason=reason,
                rules=self.rules,
            )

    async def set_up(self, bundle_id: str, **more: Any) -> UUID:
        submitted = {
            "username": "acme.daily",
            "profile_url": "https://www.tiktok.com/@acme.daily",
            "credentials": CREDENTIALS,
            **more,
        }
        async with working(self.conn, self.world, hours=self.hours) as tx:
            return await submit_account(
                tx=tx,
                actor=self.actor,
                vault=self.ports.vault,
                bundle_id=UUID(bundle_id),
                submitted=SubmittedAccount(**submitted),
                rules=self.rules,
            )

    async def post(
        self,
        bundle_id: str,
        position: int = 1,
        *,
        url: str | None = POST,
        evidence: str | None = None,
    ) -> None:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            await submit_slot(
                tx=tx,
                actor=self.actor,
                bundle_id=UUID(bundle_id),
                position=position,
                platform_url=url,
                evidence_url=evidence,
                rules=self.rules,
            )

    async def report(self, bundle_id: str, position: int = 1, reason: str = "404") -> None:
        async with working(self.conn, self.world, hours=self.hours) as tx:
            await report_download_issue(
                tx=tx,
                actor=self.actor,
                bundle_id=UUID(bundle_id),
                position=position,
                reason=reason,
            )


async def hire(conn: Connection, *, rehearsal: UUID | None = None, **more: Any) -> Actor:
    """Make another manager of the USA on both platforms; give them as operations know them."""
    person = await create_person(conn=conn, email=f"{uuid4()}@example.com", name="Nora")
    places = {"countries": ["USA"], "platforms": ["tiktok", "instagram"], **more}
    await create_manager(
        conn=conn,
        person_id=person,
        display_name="Nora",
        rehearsal_workspace_id=rehearsal,
        **places,
    )
    return Actor("manager", person)
