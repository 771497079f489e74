"""An operator notes a ban; ``GET /account-bans`` shows it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.accounts.revealing import PROFILE_CHANGE, balance, more_videos, owned
from tests.bundles.stages import wrong_books
from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, workable, working
from tests.workbench.office import Office
from tokportal_server.accounts.endings import Ended
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.workbench.operations.ban_account import ban_account

STORED = "SELECT count(*) FROM idempotency_keys WHERE subject_id = $1"
FIRST_SAVED = "SELECT saved_account_id FROM bundles WHERE id = $1"


async def banned(conn: Connection, world: World, account_id: UUID, reason: str = "Spam.") -> Ended:
    async with working(conn, world) as tx:
        return await ban_account(tx=tx, actor=world.as_olga, account_id=account_id, reason=reason)


async def test_a_ban_ends_everything_that_works_on_the_account(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    account_id = await owned(alice, conn, world, ports)
    before = await balance(alice)
    live = (await more_videos(alice, account_id)).data["id"]
    await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)

    ended = await banned(conn, world, account_id)

    assert (ended.bundles, ended.credits_refunded) == ((UUID(live),), 12)
    assert await balance(alice) == before
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert (account["status"], account["banned"]) == ("banned", True)
    assert (await alice.get(f"/bundles/{live}")).data["status"] == "cancelled"
    assert (await alice.get(f"/accounts/{account_id}/edit-request")).data is None
    [told] = await events_of(conn, world, "account.banned")
    assert told["data"] == {
        "saved_account_id": str(account_id),
        "bundle_id": account["bundle_id"],
        "username": "acme.daily",
        "platform": "tiktok",
        "reason": "Spam.",
        "appeal_status": None,
        "banned_at": told["data"]["banned_at"],
    }
    [noted] = await olga.audit()
    assert (noted["action"], noted["reason"]) == ("account.ban", "Spam.")
    assert await wrong_books(conn) == {}


async def test_work_that_a_manager_holds_ends_too(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    account_id = await conn.fetchval(FIRST_SAVED, UUID(bundle_id))

    await banned(conn, world, account_id)

    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert bundle["status"] == "cancelled"
    assert bundle["videos_status_counts"] == {"cancelled": 2}
    assert await wrong_books(conn) == {}


async def test_what_the_ban_says_is_read_wherever_it_stops_something(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await banned(conn, world, account_id, "Community guidelines.")

    refused = await more_videos(alice, account_id)

    assert (refused.status, refused.details["reason"]) == (409, "banned")
    assert "Community guidelines." in refused.json["error"]["message"]


async def test_stored_answers_with_secrets_go_with_the_ban(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    key = {"Idempotency-Key": "reveal"}
    await alice.post(f"/accounts/{account_id}/reveal-credentials", headers=key)
    assert await conn.fetchval(STORED, account_id) == 1

    await banned(conn, world, account_id)

    assert await conn.fetchval(STORED, account_id) == 0


async def test_bans_are_listed_newest_first_and_chosen_by_filters(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    first, second = [await owned(alice, conn, world, ports) for _ in range(2)]
    await more_videos(alice, second)
    for account_id in (first, second):
        await banned(conn, world, account_id)

    bans = (await alice.get("/account-bans")).data

    assert [ban["account_id"] for ban in bans] == [str(second), str(first)]
    assert bans[0] == {
        **bans[0],
        "username": "acme.daily",
        "platform": "tiktok",
        "country": "USA",
        "reason": "Spam.",
        "status": "active",
        "appeal_status": None,
        "resolution": "refunded",
        "credits_refunded": 4,
    }
    assert len(bans[0]["bundles_cancelled"]) == 1
    expected = [
        ({"status": "active"}, 2),
        ({"status": "appealed"}, 0),
        ({"resolution": "refunded"}, 1),
        ({"resolution": "not_refunded"}, 1),
        ({"account_id": str(first)}, 1),
        ({"since": "2020-01-01"}, 2),
        ({"since": "2999-01-01T00:00:00.000Z"}, 0),
        ({"include_screenshots": "true", "per_page": "1"}, 2),
    ]
    for params, total in expected:
        reply = await alice.get("/account-bans", params=params)
        assert reply.json["pagination"]["total"] == total, params
    refused = await alice.get("/account-bans", params={"since": "yesterday"})
    assert (refused.status, set(refused.problems)) == (400, {"since"})
    assert (await charlie.get("/account-bans")).data == []
    foreign = await charlie.get("/account-bans", params={"account_id": str(first)})
    assert (foreign.status, foreign.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


async def test_a_ban_is_noted_once_and_with_a_reason(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    with pytest.raises(ValidationError):
        await banned(conn, world, account_id, " ")
    await banned(conn, world, account_id)
    with pytest.raises(ValidationError):
        await banned(conn, world, account_id)
    with pytest.raises(SavedAccountNotFoundError):
        await banned(conn, world, uuid4())


async def test_readiness_names_the_ban(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    bundle_id = (await more_videos(alice, account_id)).data["id"]
    await conn.execute(
        "UPDATE saved_accounts SET status = 'banned', stopped_reason = 'Spam.' WHERE id = $1",
        account_id,
    )

    readiness = (await alice.get(f"/bundles/{bundle_id}/publish-readiness")).data

    told = {one["code"]: one["message"] for one in readiness["blockers"]}
    assert "banned it (Spam.)" in told["SAVED_ACCOUNT_UNAVAILABLE"]
