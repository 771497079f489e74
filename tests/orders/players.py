"""Everybody who can act on an order, each act in a transaction on one clock that tests move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from tests.orders.walk import PROFILE, uploaded
from tokportal_server.accounts.wire import Credentials
from tokportal_server.bundles.bulk_wire import CreateBulkBundlesRequest
from tokportal_server.bundles.operations.add_slots import add_edit_slots, add_video_slots
from tokportal_server.bundles.operations.cancel_own_bundle import cancel_own_bundle
from tokportal_server.bundles.operations.configure_profile import configure_profile
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.operations.create_bundles_bulk import create_bundles_bulk
from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.bundles.operations.publish_bundle import publish_bundle
from tokportal_server.bundles.operations.request_profile_corrections import (
    request_profile_corrections,
)
from tokportal_server.bundles.operations.unpublish_bundle import unpublish_bundle
from tokportal_server.bundles.operations.update_bundle import update_bundle
from tokportal_server.bundles.wire import (
    AccountCorrectionsRequest,
    ConfigureAccountRequest,
    CreateBundleRequest,
    PatchBundleRequest,
)
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.operations.configure_slot import configure_slot
from tokportal_server.videos.operations.configure_slots import configure_slots
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.videos.operations.fix_download import fix_download
from tokportal_server.videos.operations.patch_slot import patch_slot
from tokportal_server.videos.operations.publish_all_slots import publish_all_slots
from tokportal_server.videos.operations.publish_slot import publish_slot
from tokportal_server.videos.operations.request_slot_corrections import request_slot_corrections
from tokportal_server.videos.operations.reset_slot import reset_slot
from tokportal_server.videos.operations.unschedule_slot import unschedule_slot
from tokportal_server.videos.requests import (
    FixVideoDownloadRequest,
    PatchVideoRequest,
    VideoCorrectionsRequest,
)
from tokportal_server.videos.wire import ConfigureVideoRequest
from tokportal_server.workbench.deadlines import find_due, settle
from tokportal_server.workbench.operations.archive_bundle import archive_bundle
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle
from tokportal_server.workbench.operations.cancel_slot import cancel_slot
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.kill_switch import Switch, pause, resume
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.report_download_issue import report_download_issue
from tokportal_server.workbench.operations.reverse_charges import reverse_charges
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account
from tokportal_server.workbench.operations.submit_slot import submit_slot
from tokportal_server.workspaces.operations.create_person import create_manager, create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace

Act = Callable[[UnitOfWork], Awaitable[Any]]
_ACCOUNT = SubmittedAccount(
    username="acme.daily",
    profile_url="https://www.tiktok.com/@acme.daily",
    credentials=Credentials(password="p", email="a@b.example", email_password="q"),
)
_POST = "https://www.tiktok.com/@acme.daily/video/7300000000000000000"


@dataclass
class Players:
    """A customer, two managers and an operator around the orders of one fresh workspace."""

    conn: Connection
    ports: Ports
    workspace: UUID
    customer: Actor
    managers: list[Actor]
    operator: Actor
    now: datetime = field(default_factory=real_now)
    bundle_id: UUID = field(default_factory=uuid4)

    @classmethod
    async def gather(cls, conn: Connection, ports: Ports, balance: int) -> Players:
        """Make the workspace, whose clock the test keeps, and its people.

        Half of its credits last for ten days, the others for good.
        """
        people = [
            await create_person(
                conn=conn, email=f"{uuid4()}@example.com", name=name, operator=name == "Olga"
            )
            for name in ("Alice", "Mona", "Max", "Olga")
        ]
        # A rehearsal's deadlines are looked for by themselves; its people are not simulated here.
        workspace = await create_workspace(
            conn=conn, name="Acme", owner_id=people[0], rehearsal=True
        )
        for manager in people[1:3]:
            await create_manager(
                conn=conn,
                person_id=manager,
                display_name="Mona",
                countries=["USA"],
                platforms=["tiktok", "instagram"],
                rehearsal_workspace_id=workspace,
            )
        players = cls(
            conn,
            ports,
            workspace,
            customer=Actor("customer", people[0]),
            managers=[Actor("manager", person) for person in people[1:3]],
            operator=Actor("operator", people[3]),
        )
        for expires_at in (players.now + timedelta(days=10), None):
            await players.grant(balance // 2, expires_at)
        return players

    @property
    def rules(self) -> OrderRules:
        return OrderRules.of(self.ports.settings)

    @property
    def source(self) -> MediaSource:
        return MediaSource("http://127.0.0.1", self.ports.outbound_policy)

    async def attempt(self, act: Act) -> str:
        """Do something in a transaction; give the code of its refusal, or ``ok``."""
        try:
            async with unit_of_work(self.conn, self.workspace, now=self.now) as tx:
                await act(tx)
        except ApiError as error:
            return error.code
        return "ok"

    async def advance(self, hours: float) -> str:
        """Let time pass, with a look at the deadlines every twelve hours."""
        target = self.now + timedelta(hours=hours)
        while self.now < target:
            self.now = min(target, self.now + timedelta(hours=12))
            while True:
                due = await find_due(self.conn, self.now, self.workspace)
                if not sum([await settle(self.conn, one, self.now, self.rules) for one in due]):
                    break
        return "ok"

    async def grant(self, amount: int, expires_at: datetime | None) -> None:
        async with unit_of_work(self.conn, self.workspace, now=self.now) as tx:
            await ledger.grant(
                tx,
                amount=amount,
                source="grant",
                expires_at=expires_at,
                description="Opening balance",
                business_key=f"opening:{expires_at}",
                actor=SYSTEM,
            )

    # The customer.

    async def order(self, **wanted: Any) -> str:
        request = msgspec.convert({"country": "USA", **wanted}, CreateBundleRequest)

        async def act(tx: UnitOfWork) -> None:
            self.bundle_id, _ = await create_bundle(
                tx=tx, actor=self.customer, order=request, per_minute=1_000_000
            )

        return await self.attempt(act)

    async def order_many(self, accounts: int, videos: int) -> str:
        """Order in bulk; the last of the bundles is the one that is acted on from now on."""
        request = CreateBulkBundlesRequest(
            platforms=["tiktok"],
            country="USA",
            accounts_count=accounts,
            upload_accounts_count=accounts if videos else 0,
            videos_per_account=videos,
        )

        async def act(tx: UnitOfWork) -> None:
            made, _ = await create_bundles_bulk(
                tx=tx, actor=self.customer, request=request, per_minute=1_000_000
            )
            self.bundle_id = made[-1].id

        return await self.attempt(act)

    async def update(self, request: PatchBundleRequest) -> str:
        return await self.attempt(
            lambda tx: update_bundle(tx=tx, bundle_id=self.bundle_id, request=request)
        )

    async def configure_profile(self, name: str = "acme.daily") -> str:
        request = msgspec.convert(PROFILE | {"username": name}, ConfigureAccountRequest)
        return await self.attempt(
            lambda tx: configure_profile(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                request=request,
                source=self.source,
            )
        )

    def _day(self, ahead: int) -> date:
        return self.now.date() + timedelta(days=ahead)

    async def configure_slot(self, position: int, ahead: int, **more: Any) -> str:
        """Configure with an upload, which may be published at once."""
        path = await uploaded(self.conn, self.workspace, str(self.bundle_id))
        body = {
            "video_type": "video",
            "description": "Look.",
            "target_publish_date": self._day(ahead),
            "video_url": path,
            **more,
        }
        return await self.attempt(
            lambda tx: configure_slot(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                position=position,
                request=msgspec.convert(body, ConfigureVideoRequest),
                source=self.source,
                rules=self.rules,
            )
        )

    async def configure_slots(self, positions: int, ahead: int) -> str:
        """Configure the slots 1 to ``positions`` in one call, with and without paid options."""
        wanted = {
            position: ConfigureVideoRequest(
                video_type="video",
                description="Look.",
                target_publish_date=self._day(ahead + position),
                video_url=await uploaded(self.conn, self.workspace, str(self.bundle_id)),
                volume_added_sound=5 if position % 2 else None,
                tiktok_sound_url="https://www.tiktok.com/music/a-1" if position % 2 else None,
            )
            for position in range(1, positions + 1)
        }
        return await self.attempt(
            lambda tx: configure_slots(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                wanted=wanted,
                source=self.source,
                rules=self.rules,
            )
        )

    async def patch_slot(self, position: int, ahead: int) -> str:
        request = PatchVideoRequest(target_publish_date=self._day(ahead))
        return await self.attempt(
            lambda tx: patch_slot(
                tx=tx,
                bundle_id=self.bundle_id,
                position=position,
                request=request,
                rules=self.rules,
            )
        )

    async def publish(self) -> str:
        return await self.attempt(
            lambda tx: publish_bundle(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, rules=self.rules
            )
        )

    async def publish_slot(self, position: int) -> str:
        return await self.attempt(
            lambda tx: publish_slot(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                position=position,
                rules=self.rules,
            )
        )

    async def publish_all(self) -> str:
        return await self.attempt(
            lambda tx: publish_all_slots(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, rules=self.rules
            )
        )

    async def unpublish(self) -> str:
        return await self.attempt(
            lambda tx: unpublish_bundle(tx=tx, actor=self.customer, bundle_id=self.bundle_id)
        )

    async def unschedule(self, position: int) -> str:
        return await self.attempt(
            lambda tx: unschedule_slot(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, position=position
            )
        )

    async def reset(self, position: int) -> str:
        return await self.attempt(
            lambda tx: reset_slot(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                position=position,
                source=self.source,
            )
        )

    async def add_videos(self, quantity: int) -> str:
        return await self.attempt(
            lambda tx: add_video_slots(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, quantity=quantity
            )
        )

    async def add_edits(self, quantity: int) -> str:
        return await self.attempt(
            lambda tx: add_edit_slots(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, quantity=quantity
            )
        )

    async def finalize_profile(self) -> str:
        return await self.attempt(
            lambda tx: finalize_profile(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, rules=self.rules
            )
        )

    async def send_profile_back(self) -> str:
        return await self.attempt(
            lambda tx: request_profile_corrections(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                request=AccountCorrectionsRequest(comment="Not this."),
                rules=self.rules,
            )
        )

    async def finalize_slot(self, position: int) -> str:
        return await self.attempt(
            lambda tx: finalize_slot(
                tx=tx, actor=self.customer, bundle_id=self.bundle_id, position=position
            )
        )

    async def send_slot_back(self, position: int) -> str:
        return await self.attempt(
            lambda tx: request_slot_corrections(
                tx=tx,
                actor=self.customer,
                bundle_id=self.bundle_id,
                position=position,
                request=VideoCorrectionsRequest(comment="Louder."),
                rules=self.rules,
            )
        )

    async def fix_download(self, position: int) -> str:
        path = await uploaded(self.conn, self.workspace, str(self.bundle_id))
        return await self.attempt(
            lambda tx: fix_download(
                tx=tx,
                bundle_id=self.bundle_id,
                position=position,
                request=FixVideoDownloadRequest(video_url=path),
                source=self.source,
            )
        )

    async def cancel_own(self) -> str:
        return await self.attempt(
            lambda tx: cancel_own_bundle(tx=tx, actor=self.customer, bundle_id=self.bundle_id)
        )

    # The managers: 0 or 1.

    async def claim(self, manager: int) -> str:
        return await self.attempt(
            lambda tx: claim_bundle(
                tx=tx, actor=self.managers[manager], bundle_id=self.bundle_id, rules=self.rules
            )
        )

    async def release(self, manager: int) -> str:
        return await self.attempt(
            lambda tx: release_claim(
                tx=tx,
                actor=self.managers[manager],
                bundle_id=self.bundle_id,
                reason="No time.",
                rules=self.rules,
            )
        )

    async def submit_account(self, manager: int) -> str:
        return await self.attempt(
            lambda tx: submit_account(
                tx=tx,
                actor=self.managers[manager],
                vault=self.ports.vault,
                bundle_id=self.bundle_id,
                submitted=_ACCOUNT,
                rules=self.rules,
            )
        )

    async def submit_slot(self, manager: int, position: int) -> str:
        return await self.attempt(
            lambda tx: submit_slot(
                tx=tx,
                actor=self.managers[manager],
                bundle_id=self.bundle_id,
                position=position,
                platform_url=_POST,
                rules=self.rules,
            )
        )

    async def report_download(self, manager: int, position: int) -> str:
        return await self.attempt(
            lambda tx: report_download_issue(
                tx=tx,
                actor=self.managers[manager],
                bundle_id=self.bundle_id,
                position=position,
                reason="404",
            )
        )

    # The operator.

    async def cancel(self, amount: int | None) -> str:
        return await self.attempt(
            lambda tx: cancel_bundle(
                tx=tx,
                actor=self.operator,
                bundle_id=self.bundle_id,
                reason="Asked to.",
                amount=amount,
            )
        )

    async def cancel_slot(self, position: int) -> str:
        return await self.attempt(
            lambda tx: cancel_slot(
                tx=tx,
                actor=self.operator,
                bundle_id=self.bundle_id,
                position=position,
                reason="Asked to.",
                rules=self.rules,
            )
        )

    async def archive(self) -> str:
        return await self.attempt(
            lambda tx: archive_bundle(
                tx=tx, actor=self.operator, bundle_id=self.bundle_id, reason="Long over."
            )
        )

    async def reverse(self) -> str:
        return await self.attempt(
            lambda tx: reverse_charges(
                tx=tx, actor=self.operator, bundle_id=self.bundle_id, reason="Wrong order."
            )
        )

    async def pause(self) -> str:
        switch = Switch("workspace", self.workspace)
        await pause(conn=self.conn, actor=self.operator, switch=switch, reason="Wait.")
        return "ok"

    async def resume(self) -> str:
        switch = Switch("workspace", self.workspace)
        await resume(conn=self.conn, actor=self.operator, switch=switch, reason="Go on.")
        return "ok"
