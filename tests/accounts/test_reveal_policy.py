"""Where reveals end the management of an account (``TOKPORTAL_REVEAL_POLICY=acknowledge``)."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import pytest

from tests.accounts.revealing import (
    PLANTED,
    PROFILE_CHANGE,
    audited,
    balance,
    code_entered,
    fee_set,
    more_videos,
    owned,
)
from tests.bundles.stages import wrong_books
from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work

AGREED = {"acknowledge_support_forfeit": True, "policy_version": "acknowledge-0"}
WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, reveal_policy="acknowledge")


def path(account_id: UUID) -> str:
    return f"/accounts/{account_id}/reveal-credentials"


async def test_a_plain_call_is_told_what_it_would_end(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 12)

    reply = await alice.post(path(account_id))

    assert (reply.status, reply.code) == (428, "CREDENTIAL_REVEAL_CONFIRMATION_REQUIRED")
    assert reply.details["policy_version"] == "acknowledge-12"
    assert reply.details["expected_credit_cost"] == 12
    assert len(reply.details["consequences"]) == 4
    assert b"planted" not in reply.body


@pytest.mark.parametrize("asked", ["reveal-credentials", "verification-code"])
async def test_an_agreement_to_other_terms_is_refused(
    alice: Client, conn: Connection, world: World, ports: Ports, asked: str
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account_id, "482913")

    stale = {**AGREED, "policy_version": "open-0"}
    reply = await alice.post(f"/accounts/{account_id}/{asked}", stale)

    assert (reply.status, reply.code) == (409, "CREDENTIAL_REVEAL_QUOTE_CHANGED")
    assert (await alice.get(f"/accounts/{account_id}")).data["status"] == "active"


async def test_an_agreed_reveal_ends_the_management_and_gives_back_what_was_not_used(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    before = await balance(alice)
    live = [(await more_videos(alice, account_id)).data["id"] for _ in range(2)]
    await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)
    assert await balance(alice) == before - 2 * 4 - 8

    reply = await alice.post(path(account_id), AGREED)

    assert reply.data["password"] == PLANTED.password
    assert (reply.json["credits_charged"], reply.json["credits_remaining"]) == (0, before)
    statuses = [(await alice.get(f"/bundles/{one}")).data["status"] for one in live]
    assert statuses == ["cancelled", "cancelled"]
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert (account["status"], account["banned"]) == ("detached", False)
    assert (await alice.get(f"/accounts/{account_id}/edit-request")).data is None
    [told] = await events_of(conn, world, "account.revealed")
    assert told["data"]["management_ended"] is True
    assert len(await events_of(conn, world, "edit_request.rejected")) == 1
    assert len(await events_of(conn, world, "bundle.cancelled")) == 2
    assert await wrong_books(conn) == {}


async def test_no_new_work_is_ordered_for_a_detached_account(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await alice.post(path(account_id), AGREED)

    for refused in (
        await more_videos(alice, account_id),
        await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE),
    ):
        assert (refused.status, refused.code) == (409, "SAVED_ACCOUNT_UNAVAILABLE")
        assert refused.details["reason"] == "detached"


async def test_a_detached_account_is_revealed_again_without_asking(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await alice.post(path(account_id), AGREED)

    assert (await alice.post(path(account_id))).data["email"] == PLANTED.email
    ended = [details["management_ended"] for _, details in await audited(conn, world)]
    assert ended == [True, False]


async def test_a_dry_run_says_what_it_would_cost_and_ends_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    bundle = (await more_videos(alice, account_id)).data["id"]
    await fee_set(conn, world, 12)

    agreed = {**AGREED, "policy_version": "acknowledge-12"}
    reply = await alice.post(path(account_id), agreed, headers={"X-TokPortal-Dry-Run": "1"})

    assert (reply.status, reply.json["credits_would_charge"]) == (200, 12)
    assert (await alice.get(f"/bundles/{bundle}")).data["status"] == "pending_setup"
    assert (await alice.get(f"/accounts/{account_id}")).data["status"] == "active"


async def test_a_code_is_read_on_the_same_terms_and_stored_answers_go_with_the_management(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    code = f"/accounts/{account_id}/verification-code"
    assert (await alice.post(code, AGREED)).code == "VERIFICATION_CODE_NOT_FOUND"
    assert (await alice.get(f"/accounts/{account_id}")).data["status"] == "active"
    await code_entered(conn, world, ports, account_id, "482913")

    assert (await alice.post(code)).code == "CREDENTIAL_REVEAL_CONFIRMATION_REQUIRED"
    assert (await alice.post(code, AGREED)).data["code"] == "482913"

    assert (await alice.get(f"/accounts/{account_id}")).data["status"] == "detached"
    assert len(await events_of(conn, world, "account.revealed")) == 1


async def test_an_order_that_comes_meanwhile_is_cancelled_too(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    order = CreateBundleRequest(bundle_type="videos_only", account_id=account_id, videos_quantity=1)
    async with (
        ports.database.connection() as other,
        unit_of_work(other, world.acme, now=real_now()) as tx,
    ):
        bundle_id, _ = await create_bundle(
            tx=tx, actor=Actor("customer", world.alice_key_id), order=order, per_minute=1000
        )
        revealing = asyncio.create_task(alice.post(path(account_id), AGREED))
        while not await conn.fetchval(WAITING):  # noqa: ASYNC110 - no event comes from there
            await asyncio.sleep(0.01)

    assert (await revealing).status == 200
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "cancelled"
    assert await wrong_books(conn) == {}
