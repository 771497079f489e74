"""A manager leaves: what they had in hand is offered to others, and customers are told."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.accounts.revealing import PROFILE_CHANGE
from tests.cast import World
from tests.client import Client
from tests.comments.steps import delivered
from tests.orders.walk import events_of, published, workable, working
from tests.workbench.desk import Desk, hire
from tests.workbench.office import Office
from tokportal_server.accounts.errors import NotAccountsManagerError
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.errors import (
    ClaimNotYoursError,
    ManagerNotFoundError,
    NotClaimableError,
)
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.deactivate_manager import (
    OFFERED_AGAIN,
    LetGo,
    activate_manager,
    deactivate_manager,
)
from tokportal_server.workbench.operations.take_edit_request import take_edit_request
from tokportal_server.workspaces.audit import INSTALLATION


async def left(conn: Connection, world: World, ports: Ports, **more: Any) -> LetGo:
    facts = {"person_id": world.mona, "reason": "Moved on.", **more}
    rules = OrderRules.of(ports.settings)
    return await deactivate_manager(conn=conn, actor=world.as_olga, rules=rules, **facts)


async def test_orders_in_hand_go_back_to_the_queue_and_the_customer_is_told(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk, nora: Desk
) -> None:
    begun = await workable(alice, conn, world, ports, videos=1)
    fresh = await published(alice)
    await mona.claim(fresh)
    waiting = await published(alice)
    done = await left(conn, world, ports)
    assert (set(done.bundles), done.accounts) == ({UUID(begun), UUID(fresh)}, 1)
    events = await events_of(conn, world, "bundle.released")
    assert {event["data"]["bundle_id"] for event in events} == {begun, fresh}
    reasons = await conn.fetch("SELECT reason FROM claims WHERE status = 'released'")
    assert {row["reason"] for row in reasons} == {OFFERED_AGAIN}
    for bundle_id in (begun, fresh, waiting):
        await nora.claim(bundle_id)
        with pytest.raises(ClaimNotYoursError):
            await mona.release(bundle_id)


async def test_the_reason_is_in_the_audit_log_and_not_told_to_customers(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk, olga: Office
) -> None:
    await mona.claim(await published(alice))
    await left(conn, world, ports, reason="Fired.")
    told = [(row["action"], row["reason"]) for row in await olga.audit(INSTALLATION)]
    assert ("manager.deactivate", "Fired.") in told
    assert "Fired." not in str(await conn.fetch("SELECT reason FROM journal"))
    assert "Fired." not in str(await conn.fetch("SELECT data FROM events"))


async def test_accounts_have_no_manager_until_somebody_takes_them_up(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(conn, world)
    assert (await alice.get(f"/accounts/{account_id}")).data["manager"] is not None
    assert (await left(conn, world, ports)).accounts == 1
    assert (await alice.get(f"/accounts/{account_id}")).data["manager"] is None
    refused = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)
    assert refused.json["error"]["code"] == "EDIT_REQUEST_NO_CM"


async def test_an_edit_request_that_was_begun_is_taken_over_by_one_of_those_who_could(
    alice: Client, conn: Connection, world: World, ports: Ports, nora: Desk
) -> None:
    account_id = await delivered(conn, world)
    reply = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)
    request_id = UUID(reply.data["id"])
    async with working(conn, world) as tx:
        await accept_edit_request(tx=tx, actor=world.as_mona, request_id=request_id)
    elsewhere = await hire(conn, countries=["DE"])

    async def takes(desk: Any) -> None:
        async with working(conn, world) as tx:
            await take_edit_request(tx=tx, actor=desk, request_id=request_id)

    with pytest.raises(NotAccountsManagerError, match="faster"):
        await takes(nora.actor)
    assert (await left(conn, world, ports)).edit_requests == 1
    with pytest.raises(NotAccountsManagerError, match="countries"):
        await takes(elsewhere)
    with pytest.raises(NotAccountsManagerError, match="not active"):
        await takes(world.as_mona)
    await takes(nora.actor)
    assert await conn.fetchval("SELECT manager_id FROM saved_accounts") == nora.actor.id


async def test_who_is_out_of_work_claims_nothing_and_may_come_back(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> None:
    bundle_id = await published(alice)
    assert await left(conn, world, ports) == LetGo((), 0, 0)
    with pytest.raises(NotClaimableError, match="not active"):
        await mona.claim(bundle_id)
    await activate_manager(conn=conn, actor=world.as_olga, person_id=world.mona, reason="Is back.")
    await mona.claim(bundle_id)


async def test_a_claim_that_is_being_made_is_released_too(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> None:
    bundle_id = UUID(await published(alice))
    async with ports.database.connection() as other, ports.database.connection() as third:
        async with working(conn, world) as tx:
            await claim_bundle(tx=tx, actor=world.as_mona, bundle_id=bundle_id, rules=mona.rules)
            leaving = asyncio.create_task(left(other, world, ports))
            await _waits(third)
        assert (await leaving).bundles == (bundle_id,)
    assert await conn.fetchval("SELECT count(*) FROM claims WHERE status = 'live'") == 0


WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


async def _waits(conn: Connection) -> None:
    while not await conn.fetchval(WAITING):  # noqa: ASYNC110 - no event comes from there
        await asyncio.sleep(0)


async def test_refuses_without_a_reason_and_nobody_who_is_no_manager(
    conn: Connection, world: World, ports: Ports
) -> None:
    with pytest.raises(ValidationError):
        await left(conn, world, ports, reason=" ")
    for nobody in (world.alice, uuid4()):
        with pytest.raises(ManagerNotFoundError):
            await left(conn, world, ports, person_id=nobody)
    simulated = await hire(conn, rehearsal=world.acme)
    with pytest.raises(ManagerNotFoundError):
        await left(conn, world, ports, person_id=simulated.id)
