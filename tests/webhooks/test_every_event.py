"""Every event of the catalogue is emitted by a real transition, and its data keeps its schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.analytics.plans import give_plan
from tests.analytics.providers.connecting import connected
from tests.analytics.providers.platforms import FakeTikTok, running
from tests.cast import World
from tests.client import Client
from tests.comments import steps as comments
from tests.orders.walk import (
    claimed,
    ordered,
    posted,
    published,
    published_with_videos,
    sent_back,
    set_up,
    workable,
    working,
)
from tests.webhooks.api import created
from tests.webhooks.receiver import receiving
from tests.workbench.office import Office
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.refreshing import RefreshRules
from tokportal_server.analytics.schedule import Refresher
from tokportal_server.comments.verification import FoundComment
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.webhooks.catalogue import CATALOGUE
from tokportal_server.workbench.deadlines import find_due, settle
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.ban_account import ban_account
from tokportal_server.workbench.operations.complete_edit_request import (
    MadeChanges,
    complete_edit_request,
)
from tokportal_server.workbench.operations.reject_edit_request import reject_edit_request
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.report_download_issue import report_download_issue


@dataclass
class Stage:
    """Everybody whom a story needs."""

    alice: Client
    conn: Connection
    world: World
    ports: Ports

    @property
    def parts(self) -> tuple[Connection, World, Ports]:
        """What the steps of an order take."""
        return self.conn, self.world, self.ports

    @property
    def office(self) -> Office:
        """Olga at work."""
        return Office(*self.parts)

    async def workable(self, **more: Any) -> str:
        """Bring an order to where its slots wait for their day."""
        return await workable(self.alice, *self.parts, **more)

    async def settle(self, *, days: float) -> None:
        """Let the deadlines of so many days pass."""
        now = real_now() + timedelta(days=days)
        rules = OrderRules.of(self.ports.settings)
        for due in await find_due(self.conn, now, None):
            await settle(self.conn, due, now, rules)


async def an_order_from_end_to_end(on: Stage) -> None:
    bundle = await on.workable(videos=2, auto_finalize_videos=False)
    for position in (1, 2):
        await posted(*on.parts, bundle, position)
        reply = await on.alice.post(f"/bundles/{bundle}/videos/{position}/finalize")
        assert reply.status == 200, reply.body
    await on.office.archive(bundle)


async def an_order_taken_back(on: Stage) -> None:
    bundle = await published(on.alice, videos=0)
    assert (await on.alice.post(f"/bundles/{bundle}/unpublish")).status == 200
    await on.office.cancel(bundle)


async def a_claim_given_back(on: Stage) -> None:
    bundle = await published(on.alice, videos=0)
    await claimed(*on.parts, bundle)
    async with working(on.conn, on.world) as tx:
        await release_claim(
            tx=tx,
            actor=on.world.as_mona,
            bundle_id=UUID(bundle),
            reason="Away.",
            rules=OrderRules.of(on.ports.settings),
        )


async def corrections(on: Stage) -> None:
    bundle = await published(on.alice, videos=0)
    await claimed(*on.parts, bundle)
    await set_up(*on.parts, bundle)
    await on.alice.post(f"/bundles/{bundle}/account/corrections", {"comment": "Misspelt."})
    other = await on.workable(videos=1, auto_finalize_videos=False)
    await posted(*on.parts, other)
    await sent_back(*on.parts, other)


async def slots_taken_back(on: Stage) -> None:
    bundle = await published_with_videos(on.alice, on.conn, on.world, videos=2)
    for position, verb in ((1, "unschedule"), (2, "reset")):
        reply = await on.alice.post(f"/bundles/{bundle}/videos/{position}/{verb}")
        assert reply.status == 200, reply.body


async def media_that_cannot_be_opened(on: Stage) -> None:
    bundle = await on.workable(videos=1)
    async with working(on.conn, on.world) as tx:
        await report_download_issue(
            tx=tx, actor=on.world.as_mona, bundle_id=UUID(bundle), position=1, reason="404"
        )


async def a_window_that_passes(on: Stage) -> None:
    await on.workable(videos=1)
    await on.settle(days=20)


async def an_account_that_comes_late(on: Stage) -> None:
    bundle = await published_with_videos(on.alice, on.conn, on.world, videos=1)
    await on.conn.execute(
        "UPDATE slots SET target_start = target_start - 30, target_end = target_end - 30"
    )
    await claimed(*on.parts, bundle)
    await set_up(*on.parts, bundle)
    await on.alice.post(f"/bundles/{bundle}/account/finalize")


async def credits_that_go_and_come(on: Stage) -> None:
    await on.conn.execute("UPDATE wallets SET low_below = 990")
    await ordered(on.alice, videos=0)
    async with working(on.conn, on.world) as tx:
        await ledger.grant(
            tx,
            amount=100,
            source="grant",
            expires_at=tx.now + timedelta(days=5),
            description="More",
            business_key="more",
            actor=SYSTEM,
        )
    await on.settle(days=0)


async def comments_that_are_found(on: Stage) -> None:
    account = await comments.delivered(on.conn, on.world)
    task = await comments.commented(on.alice, account)
    await comments.submitted(on.conn, on.world, task)
    found = FoundComment("7400001", "acme.daily", comments.TEXT)
    await comments.looked_for(on.conn, comments.Shown(found))
    await comments.swept(on.conn, on.ports, hours=24.1)


async def comments_that_are_disputed_and_deleted(on: Stage) -> None:
    account = await comments.delivered(on.conn, on.world)
    task = await comments.commented(on.alice, account)
    await comments.confirmed(*on.parts, task)
    reply = await on.alice.post(f"/comments/{task}/dispute", {"reason": "I cannot find it."})
    assert reply.status == 200, reply.body
    other = await comments.commented(on.alice, account, 2, comment_text="How many eggs is that?")
    assert (await on.alice.call("DELETE", f"/comments/{other}")).status == 200


async def an_account_that_is_revealed_and_banned(on: Stage) -> None:
    bundle = await on.workable(videos=1)
    account = (await on.alice.get(f"/bundles/{bundle}")).data["saved_account_id"]
    reply = await on.alice.post(f"/accounts/{account}/reveal-credentials")
    assert reply.status == 200, reply.body
    async with working(on.conn, on.world) as tx:
        await ban_account(
            tx=tx, actor=on.world.as_olga, account_id=UUID(account), reason="By the platform."
        )


async def changes_of_an_account(on: Stage) -> None:
    bundle = await on.workable(videos=1)
    account = (await on.alice.get(f"/bundles/{bundle}")).data["saved_account_id"]
    for name in ("acme.weekly", "acme.monthly"):
        reply = await on.alice.post(
            f"/accounts/{account}/edit-request",
            {"requested_username": name, "requested_visible_name": "Acme"},
        )
        request = UUID(reply.data["edit_request_id"])
        async with working(on.conn, on.world) as tx:
            actor = on.world.as_mona
            await accept_edit_request(tx=tx, actor=actor, request_id=request)
            if name == "acme.weekly":
                made = MadeChanges(profile_url=f"https://www.tiktok.com/@{name}")
                await complete_edit_request(tx=tx, actor=actor, request_id=request, made=made)
            else:
                await reject_edit_request(
                    tx=tx, actor=actor, request_id=request, reason="The name is taken."
                )


async def numbers_that_are_collected(on: Stage) -> None:
    async with running(tiktok := FakeTikTok()):
        account = await connected(on.conn, on.world, on.ports)
        settings = msgspec.structs.replace(on.ports.settings, tiktok_api_url=tiktok.url)
        ports = replace(on.ports, settings=settings)
        refresher = Refresher(
            ports.database.connection, Providers.of(ports), RefreshRules.of(settings)
        )
        assert await refresher.refresh(on.world.acme, account, real_now())


async def a_report_that_is_made(on: Stage) -> None:
    await give_plan(on.conn, on.world.acme, "creator")
    assert (await on.alice.post("/analytics/export/reports", {"title": "Launch"})).status == 200


async def a_test(on: Stage) -> None:
    async with receiving() as receiver:
        endpoint = await created(on.alice, url=receiver.url)
        await on.alice.post(f"/webhooks/{endpoint['id']}/test")


STORIES: dict[Callable[[Stage], Awaitable[None]], set[str]] = {
    an_order_from_end_to_end: {
        "bundle.created",
        "bundle.published",
        "bundle.accepted",
        "bundle.completed",
        "bundle.archived",
        "account.configured",
        "account.published",
        "account.in_review",
        "account.finalized",
        "video.configured",
        "video.published",
        "video.in_review",
        "video.finalized",
    },
    an_order_taken_back: {"bundle.unpublished", "bundle.cancelled"},
    a_claim_given_back: {"bundle.released"},
    corrections: {"account.pending_corrections", "video.pending_corrections"},
    slots_taken_back: {"video.unscheduled", "video.reset"},
    media_that_cannot_be_opened: {"video.download_issue"},
    a_window_that_passes: {"video.overdue"},
    an_account_that_comes_late: {"video.rescheduled"},
    credits_that_go_and_come: {"credits.low", "credits.restored", "credits.expiring"},
    comments_that_are_found: {"comment.submitted", "comment.verified", "comment.finalized"},
    comments_that_are_disputed_and_deleted: {
        "comment.manually_confirmed",
        "comment.pending_corrections",
        "comment.cancelled",
    },
    an_account_that_is_revealed_and_banned: {"account.revealed", "account.banned"},
    changes_of_an_account: {"edit_request.completed", "edit_request.rejected"},
    numbers_that_are_collected: {"analytics.refreshed"},
    a_report_that_is_made: {"report.created"},
    a_test: {"webhook.test"},
}
VALIDATORS = {
    entry.type: Draft202012Validator(entry.schema or {}, format_checker=FormatChecker())
    for entry in CATALOGUE
    if entry.emitted
}


def test_every_type_has_one_story() -> None:
    told = [name for names in STORIES.values() for name in names]
    assert set(told) == VALIDATORS.keys()
    assert len(told) == len(set(told))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_emits_its_events_with_data_of_their_schemas(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    story: Callable[[Stage], Awaitable[None]],
) -> None:
    await story(Stage(alice, conn, world, ports))
    events = (await alice.get("/events?limit=200")).data
    assert STORIES[story] <= {event["type"] for event in events}
    wrong = {
        event["type"]: [error.message for error in VALIDATORS[event["type"]].iter_errors(data)]
        for event in events
        if (data := event["data"]) and not VALIDATORS[event["type"]].is_valid(data)
    }
    assert wrong == {}
