"""``POST /accounts/{id}/verification-code``, under the policy ``open``."""

from __future__ import annotations

from datetime import timedelta

from tests.accounts.revealing import audited, code_entered, fee_set, owned
from tests.bundles.stages import in_review
from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of
from tokportal_server.accounts.retention import purge_codes
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

KEPT = "SELECT expires_at - created_at FROM idempotency_keys WHERE key = 'code-1'"
AGE = "UPDATE verification_codes SET recorded_at = recorded_at - $1::interval"
HALF_AN_HOUR = 30 * 60


async def test_the_newest_code_is_shown_with_where_it_came_from(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    for code, hours in (("111111", -0.3), ("222222", -0.1), ("333333", -0.2)):
        await code_entered(conn, world, ports, account_id, code, hours=hours)

    reply = await alice.post(f"/accounts/{account_id}/verification-code")

    assert reply.data == {
        "code": "222222",
        "received_at": reply.data["received_at"],
        "sender": "no-reply@platform.example",
        "subject": "Your code",
    }
    assert [action for action, _ in await audited(conn, world)] == ["account.read_code"]
    assert await events_of(conn, world, "account.revealed") == []


async def test_a_code_is_too_old_after_thirty_minutes(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account_id, "111111", hours=-0.51)

    reply = await alice.post(f"/accounts/{account_id}/verification-code")

    assert (reply.status, reply.code) == (404, "VERIFICATION_CODE_NOT_FOUND")
    assert await audited(conn, world) == []


async def test_the_code_of_another_account_is_not_shown(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    first, second = [await owned(alice, conn, world, ports) for _ in range(2)]
    await code_entered(conn, world, ports, second, "111111")

    reply = await alice.post(f"/accounts/{first}/verification-code")

    assert reply.code == "VERIFICATION_CODE_NOT_FOUND"


async def test_a_stored_answer_lives_no_longer_than_its_code(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account_id, "111111", hours=-0.25)
    path, key = f"/accounts/{account_id}/verification-code", {"Idempotency-Key": "code-1"}

    first = await alice.post(path, headers=key)
    again = await alice.post(path, headers=key)

    assert again.body == first.body
    assert (await audited(conn, world))[1:] == [("account.read_code", {"replayed": True})]
    kept: timedelta = await conn.fetchval(KEPT)
    assert HALF_AN_HOUR * 0.4 < kept.total_seconds() <= HALF_AN_HOUR * 0.5


async def test_an_account_in_review_gives_no_code(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    _, account_id = await in_review(alice, conn, world, ports)
    reply = await alice.post(f"/accounts/{account_id}/verification-code")
    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_DELIVERED")


async def test_a_code_costs_the_owning_fee_like_the_credentials(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await fee_set(conn, world, 9)
    await code_entered(conn, world, ports, account_id, "111111")
    path = f"/accounts/{account_id}/verification-code"

    refused = await alice.post(path)
    agreed = {"acknowledge_support_forfeit": True, "policy_version": "open-9"}
    paid = await alice.post(path, agreed)
    revealed = await alice.post(f"/accounts/{account_id}/reveal-credentials")

    assert (refused.status, refused.code) == (402, "OWNING_FEE_REQUIRED")
    assert (paid.json["credits_charged"], revealed.json["credits_charged"]) == (9, 0)


async def test_a_dry_run_says_that_there_is_a_code_and_not_which(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account_id, "111111")

    reply = await alice.post(
        f"/accounts/{account_id}/verification-code", headers={"X-TokPortal-Dry-Run": "true"}
    )

    assert reply.data["received_at"]
    assert [reply.data[name] for name in ("code", "sender", "subject")] == [None] * 3


async def test_codes_are_deleted_after_a_day(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account_id, "111111")
    await conn.execute(AGE, timedelta(hours=23))
    assert await purge_codes(conn) == 0
    await conn.execute(AGE, timedelta(hours=2))
    assert await purge_codes(conn) == 1
