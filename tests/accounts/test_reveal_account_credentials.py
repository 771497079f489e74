"""``POST /accounts/{id}/reveal-credentials``, under the policy ``open``."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from tests.accounts.revealing import PLANTED, audited, balance, fee_set, owned
from tests.bundles.stages import in_review, wrong_books
from tests.cast import CREDITS, World
from tests.client import Client
from tests.orders.walk import events_of
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workspaces.operations.api_keys import create_api_key

DRY = {"X-TokPortal-Dry-Run": "true"}
KEY = {"Idempotency-Key": "reveal-1"}
CHARGES = "SELECT count(*) FROM credit_entries WHERE business_key = $1"


def path(account_id: UUID) -> str:
    return f"/accounts/{account_id}/reveal-credentials"


async def test_a_plain_call_shows_everything_that_opens_the_account(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)

    reply = await alice.post(path(account_id))

    assert reply.data == {
        "username": "acme.daily",
        "password": PLANTED.password,
        "email": PLANTED.email,
        "email_password": PLANTED.email_password,
        "recovery_codes": PLANTED.recovery_codes,
        "revealed_at": reply.data["revealed_at"],
    }
    assert (reply.json["credits_charged"], reply.json["credits_remaining"]) == (0, CREDITS - 25)
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert account["credentials_revealed_at"] == reply.data["revealed_at"]
    assert account["status"] == "active"


async def test_every_reveal_is_audited_and_told_without_a_secret(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)

    first, _ = [await alice.post(path(account_id)) for _ in range(2)]

    terms = {"policy": "open", "fee": 0, "management_ended": False}
    assert await audited(conn, world) == [("account.reveal", terms)] * 2
    told = await events_of(conn, world, "account.revealed")
    assert len(told) == 2
    data = told[0]["data"]
    assert (data["saved_account_id"], data["management_ended"]) == (str(account_id), False)
    assert (data["status"], data["previous_status"]) == ("finalized", "finalized")
    assert "planted" not in str(told)
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert account["credentials_revealed_at"] == first.data["revealed_at"]


async def test_a_replay_is_the_same_answer_and_audited_as_one(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)

    first = await alice.post(path(account_id), headers=KEY)
    again = await alice.post(path(account_id), headers=KEY)

    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert (await audited(conn, world))[1:] == [("account.reveal", {"replayed": True})]
    assert len(await events_of(conn, world, "account.revealed")) == 1


async def test_another_key_of_the_workspace_is_not_given_a_stored_answer(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await alice.post(path(account_id), headers=KEY)
    _, other = await create_api_key(
        conn=conn, workspace_id=world.acme, person_id=world.alice, name="Another"
    )

    async with Client(server, other) as client:
        reply = await client.post(path(account_id), headers=KEY)

    assert (reply.status, reply.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert b"planted" not in reply.body


async def test_a_stored_answer_lives_for_a_day(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await alice.post(path(account_id), headers=KEY)

    [row] = await conn.fetch(
        "SELECT subject_id, expires_at - created_at AS kept, body FROM idempotency_keys"
        " WHERE key = 'reveal-1'"
    )

    assert (row["subject_id"], row["kept"].total_seconds()) == (account_id, 24 * 3600)
    assert b"planted" not in row["body"]


async def test_a_dry_run_leaves_the_vault_closed_and_no_trace(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)

    reply = await alice.post(path(account_id), headers=DRY)

    secrets = ("password", "email", "email_password", "recovery_codes")
    assert [reply.data[name] for name in secrets] == [None] * 4
    assert await audited(conn, world) == []
    assert (await alice.get(f"/accounts/{account_id}")).data["credentials_revealed_at"] is None


async def test_an_account_in_review_is_not_revealed(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    _, account_id = await in_review(alice, conn, world, ports)

    reply = await alice.post(path(account_id))

    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_DELIVERED")


async def test_an_owning_fee_is_asked_for_before_it_is_taken(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 30)

    refused = await alice.post(path(account_id))

    assert (refused.status, refused.code) == (402, "OWNING_FEE_REQUIRED")
    assert refused.details == {
        "required": 30,
        "available": CREDITS - 25,
        "policy_version": "open-30",
    }
    assert await balance(alice) == CREDITS - 25


async def test_an_owning_fee_is_taken_once_for_an_account(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 30)
    agreed = {"acknowledge_support_forfeit": True, "policy_version": "open-30"}

    would = await alice.post(path(account_id), agreed, headers=DRY)
    paid = await alice.post(path(account_id), agreed)
    later = await alice.post(path(account_id))

    assert would.json["credits_would_charge"] == 30
    assert (paid.json["credits_charged"], paid.json["credits_remaining"]) == (30, CREDITS - 55)
    assert paid.json["cost_breakdown"] == {"owning_fee": 30, "total": 30}
    assert (later.status, later.json["credits_charged"]) == (200, 0)
    # Under this policy agreeing ends nothing.
    assert (await alice.get(f"/accounts/{account_id}")).data["status"] == "active"
    assert await wrong_books(conn) == {}


async def test_reveals_at_once_charge_the_fee_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 30)
    agreed = {"acknowledge_support_forfeit": True, "policy_version": "open-30"}

    replies = await asyncio.gather(*(alice.post(path(account_id), agreed) for _ in range(8)))

    assert {reply.status for reply in replies} == {200}
    assert sorted(reply.json["credits_charged"] for reply in replies) == [0] * 7 + [30]
    assert await conn.fetchval(CHARGES, f"account:{account_id}:owning_fee") == 1
    assert await balance(alice) == CREDITS - 55


async def test_a_fee_that_cannot_be_paid_shows_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 5000)
    agreed = {"acknowledge_support_forfeit": True, "policy_version": "open-5000"}

    reply = await alice.post(path(account_id), agreed)

    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert reply.details["missing"] == 5000 - (CREDITS - 25)
    assert await audited(conn, world) == []


async def test_an_old_quote_is_refused_with_the_new_one(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 40)
    agreed = {"acknowledge_support_forfeit": True, "policy_version": "open-30"}

    reply = await alice.post(path(account_id), agreed)

    assert (reply.status, reply.code) == (409, "CREDENTIAL_REVEAL_QUOTE_CHANGED")
    assert (reply.details["policy_version"], reply.details["expected_credit_cost"]) == (
        "open-40",
        40,
    )


async def test_nothing_asked_is_a_plain_call(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    for body in ({}, {"acknowledge_support_forfeit": False}, {"policy_version": None}):
        assert (await alice.post(path(account_id), body)).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"acknowledge_support_forfeit": True}, "policy_version"),
        ({"acknowledge_support_forfeit": "yes"}, "acknowledge_support_forfeit"),
        ({"policy_version": 7}, "policy_version"),
    ],
)
async def test_an_agreement_that_says_nothing_is_refused(
    alice: Client, conn: Connection, world: World, ports: Ports, body: object, field: str
) -> None:
    account_id = await owned(alice, conn, world, ports)

    reply = await alice.post(path(account_id), body)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert field in reply.problems
