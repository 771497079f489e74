"""What a list costs in statements does not depend on how much it lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asyncpg.connection import LoggedQuery
from structlog.contextvars import get_contextvars

from tests.analytics.collecting import (
    GRANT_PLAN,
    NOON,
    an_account,
    collect,
    comment,
    post,
    reading,
)
from tests.cast import World
from tests.client import Client
from tests.orders.walk import workable
from tokportal_server.entry.operations import all_operations
from tokportal_server.lib import db
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

ENDPOINT = {"url": "https://hooks.example.com/a", "events": ["bundle.created"]}
DELIVERIES = """
INSERT INTO webhook_deliveries (workspace_id, endpoint_id, event_id, event_type, url, attempt,
                                status, due_at, created_at)
SELECT workspace_id, id, 'evt_' || n, 'bundle.created', url, 1, 'succeeded', now(), now()
  FROM webhook_endpoints, generate_series(1, $1::integer) n
"""
# Lists of slices that have tests of their own for this.
ELSEWHERE = frozenset({"listAccountBans", "listCommentTasks", "listCommentTaskVerifications"})
NUMBERS = frozenset(
    {
        "listAccountVideoAnalytics",
        "listAnalyticsAccountComments",
        "listAnalyticsAccountRawSnapshots",
        "listAnalyticsPostRawSnapshots",
    }
)
FIRST_POST = """
SELECT id FROM tracked_posts WHERE saved_account_id = $1 AND platform_post_id = '11110'
"""
FIXED = frozenset({"listCountries", "listPlatforms", "listWebhookEvents"})


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of the server, whose connections are opened after this."""
    statements: list[str] = []
    prepare = db.prepare_connection

    def note(logged: LoggedQuery) -> None:
        # What the server's loops write meanwhile is no request's. The driver asks for the types of
        # a new statement once; that is not the list's.
        asked = "request_id" in get_contextvars()
        if asked and "typeinfo" not in logged.query and "set_config" not in logged.query:
            statements.append(logged.query.strip())

    async def prepare_and_watch(connection: Connection) -> None:
        await prepare(connection)
        connection.add_query_logger(note)

    monkeypatch.setattr(db, "prepare_connection", prepare_and_watch)
    return statements


async def deliveries(conn: Connection, number: int) -> None:
    """Note deliveries to the one endpoint."""
    await conn.execute(DELIVERIES, number)


async def test_lists_take_as_many_statements_for_many_rows_as_for_one(
    alice: Client, conn: Connection, world: World, ports: Ports, sent: list[str]
) -> None:
    endpoint = (await alice.post("/webhooks", ENDPOINT)).data["id"]
    few = await workable(alice, conn, world, ports, videos=1)
    await deliveries(conn, 1)
    account = (await alice.get("/accounts")).data[0]["id"]
    paths: dict[str, str] = {
        "listBundles": "/bundles",
        "listBundleVideos": f"/bundles/{few}/videos",
        "listAccounts": "/accounts",
        "listAccountBundles": f"/accounts/{account}/bundles",
        "listWebhookEndpoints": "/webhooks",
        "listWebhookDeliveries": f"/webhooks/{endpoint}/deliveries",
        "listCreditTransactions": "/credits/history",
        "listEvents": "/events",
    }
    lists = {o.operation_id for o in all_operations() if "list" in o.operation_id}
    unknown = lists ^ (ELSEWHERE | FIXED | NUMBERS | set(paths))
    assert not unknown, f"give each a path here, or say where it is tested: {unknown}"

    async def statements(path: str) -> tuple[int, list[str]]:
        await alice.get(path)
        sent.clear()
        rows = (await alice.get(path)).data
        return len(rows), list(sent)

    before = {name: await statements(path) for name, path in paths.items()}
    many = await workable(alice, conn, world, ports, videos=3)
    await workable(alice, conn, world, ports, videos=2)
    await deliveries(conn, 9)
    more = {"bundle_type": "videos_only", "account_id": account, "videos_quantity": 2}
    assert (await alice.post("/bundles", more)).status == 201
    await alice.post("/webhooks", ENDPOINT | {"url": "https://hooks.example.com/b"})
    paths["listBundleVideos"] = f"/bundles/{many}/videos"
    for name, path in paths.items():
        rows, seen = await statements(path)
        assert rows > before[name][0], name
        assert seen == before[name][1], name
        assert 1 <= len(seen) <= 6, (name, seen)


async def test_lists_of_numbers_take_as_many_statements_for_many_rows_as_for_one(
    alice: Client, conn: Connection, world: World, sent: list[str]
) -> None:
    await conn.execute(GRANT_PLAN, world.acme)
    account = await an_account(conn, world.acme)

    async def collected(days: range) -> None:
        for day in days:
            name = f"1111{day}"
            await collect(
                conn,
                world.acme,
                account,
                post(name, views=day),
                post("11110", views=day),
                profile=reading(followers=day),
                at=NOON + timedelta(days=day),
                comments=[comment(day, under="11110")],
                bootstrap=True,
            )

    await collected(range(1, 2))
    tracked = await conn.fetchval(FIRST_POST, account)
    paths = {
        "listAccountVideoAnalytics": f"/accounts/{account}/analytics/videos",
        "listAnalyticsAccountComments": f"/analytics/accounts/{account}/comments",
        "listAnalyticsAccountRawSnapshots": f"/analytics/accounts/{account}/raw",
        "listAnalyticsPostRawSnapshots": f"/analytics/posts/{tracked}/raw",
    }
    assert set(paths) == NUMBERS

    async def statements(path: str) -> tuple[int, list[str]]:
        await alice.get(path)
        sent.clear()
        rows = (await alice.get(path)).data
        return len(rows), list(sent)

    before = {name: await statements(path) for name, path in paths.items()}
    await collected(range(2, 5))
    for name, path in paths.items():
        rows, seen = await statements(path)
        assert rows > before[name][0], name
        assert seen == before[name][1], name
        assert 1 <= len(seen) <= 6, (name, seen)


async def test_readiness_takes_as_many_statements_for_many_slots_as_for_one(
    alice: Client, conn: Connection, world: World, ports: Ports, sent: list[str]
) -> None:
    seen = []
    for videos in (1, 3):
        bundle_id = await workable(alice, conn, world, ports, videos=videos)
        path = f"/bundles/{bundle_id}/publish-readiness"
        await alice.get(path)
        sent.clear()
        await alice.get(path)
        seen.append(list(sent))
    assert seen[0]
    assert seen[1] == seen[0]
