"""canRefreshAccountAnalytics: whether, why not, and from when on."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from tests.analytics.collecting import an_account
from tests.analytics.providers.conftest import Connect
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.db import Connection

BAN = "UPDATE saved_accounts SET status = 'banned' WHERE id = $1"
BREAK = "UPDATE analytics_connections SET broken_reason = 'gone' WHERE saved_account_id = $1"
USE_UP = "INSERT INTO analytics_quotas VALUES ($1, date_trunc('month', now())::date, 500)"
RUN = """
INSERT INTO analytics_refreshes (workspace_id, saved_account_id, lease_until)
VALUES ($1, $2, now() + interval '1 minute')
ON CONFLICT (workspace_id, saved_account_id) DO UPDATE SET lease_until = excluded.lease_until
"""


def path_of(account: object) -> str:
    return f"/accounts/{account}/analytics/can-refresh"


async def told(client: Client, account: UUID) -> tuple[bool, str | None, str | None]:
    reply = await client.get(path_of(account))
    assert reply.status == 200, reply.json
    return reply.data["can_refresh"], reply.data["reason"], reply.data["next_refresh_at"]


async def test_tells_that_a_connected_account_can_be_refreshed(
    bob: Client, connect: Connect
) -> None:
    reply = await bob.get(path_of(await connect()))
    quota = reply.data["quota"]
    assert reply.data == {
        "can_refresh": True,
        "reason": None,
        "next_refresh_at": None,
        "quota": quota,
    }
    assert (quota["used"], quota["limit"]) == (0, 500)
    resets = datetime.fromisoformat(quota["resets_at"])
    assert (resets.day, resets.hour, resets > datetime.now(UTC)) == (1, 0, True)


async def test_tells_when_the_cooldown_ends(alice: Client, connect: Connect) -> None:
    account = await connect()
    refreshed = (await alice.post(f"/accounts/{account}/analytics/refresh", {})).data
    assert await told(alice, account) == (False, "cooldown", refreshed["next_refresh_at"])


async def test_tells_that_another_refresh_is_under_way(
    alice: Client, conn: Connection, world: World, connect: Connect
) -> None:
    account = await connect()
    await conn.execute(RUN, world.acme, account)
    assert await told(alice, account) == (False, "running", None)


async def test_tells_that_the_month_is_used_up(
    alice: Client, conn: Connection, world: World, connect: Connect
) -> None:
    account = await connect()
    await conn.execute(USE_UP, world.acme)
    reply = (await alice.get(path_of(account))).data
    assert (reply["can_refresh"], reply["reason"]) == (False, "quota")
    assert reply["next_refresh_at"] == reply["quota"]["resets_at"]


async def test_tells_what_waiting_will_not_mend(
    alice: Client, conn: Connection, world: World, connect: Connect
) -> None:
    unconnected = await an_account(conn, world.acme)
    assert await told(alice, unconnected) == (False, "not_connected", None)
    broken = await connect(username="acme.broken")
    await conn.execute(BREAK, broken)
    assert await told(alice, broken) == (False, "not_connected", None)
    banned = await connect(username="acme.banned")
    await conn.execute(BAN, banned)
    assert await told(alice, banned) == (False, "banned", None)


async def test_knows_no_other_workspaces_account(
    alice: Client, charlie: Client, connect: Connect
) -> None:
    for client, account in ((charlie, await connect()), (alice, uuid4()), (alice, "x")):
        reply = await client.get(path_of(account))
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
