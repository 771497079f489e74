"""``GET /analytics/accounts/{id}/raw`` and ``GET /analytics/posts/{id}/raw``."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import GRANT_PLAN, NOON, a_post, an_account, collect, post, reading
from tests.cast import World
from tests.client import Client
from tokportal_server.analytics.raw import redact_payload
from tokportal_server.lib.db import Connection

DAY = timedelta(days=1)


@pytest.fixture
async def ids(conn: Connection, world: World) -> tuple[UUID, UUID]:
    """An account and a post of it, both read three times, by two sources."""
    await conn.execute(GRANT_PLAN, world.acme)
    account = await an_account(conn, world.acme)
    tracked = await a_post(conn, world.acme, account, "11111")
    for day in range(3):
        await collect(
            conn,
            world.acme,
            account,
            post("11111", views=day),
            profile=reading({"followers": day, "email": "a@b.example"}, followers=day),
            at=NOON + day * DAY,
            source="manual" if day == 1 else "simulator",
        )
    return account, tracked


async def test_snapshots_come_newest_first_in_the_providers_words(
    alice: Client, ids: tuple[UUID, UUID]
) -> None:
    account, tracked = ids
    of_account = await alice.get(f"/analytics/accounts/{account}/raw")
    of_post = await alice.get(f"/analytics/posts/{tracked}/raw")

    assert [s["payload"] for s in of_post.data] == [{"views": 2}, {"views": 1}, {"views": 0}]
    assert [s["source"] for s in of_post.data] == ["simulator", "manual", "simulator"]
    assert of_account.data[0]["payload"] == {"followers": 2, "email": "[redacted]"}
    assert of_account.data[0]["redacted"] == ["/email"]
    assert of_account.data[0]["collected_at"] == "2026-11-22T12:00:00.000Z"
    assert len({s["id"] for s in of_account.data + of_post.data}) == 6


async def test_they_can_be_chosen_by_source_time_and_number(
    alice: Client, ids: tuple[UUID, UUID]
) -> None:
    expected = [
        ("source=manual", [1]),
        ("source=tiktok_api", []),
        ("limit=2", [2, 1]),
        ("from=2026-11-21", [2, 1]),
        ("to=2026-11-20", [0]),
        ("from=2026-11-20T12:00:00Z&to=2026-11-21T12:00:00Z", [1, 0]),
    ]
    for query, values in expected:
        for path, metric in (
            (f"/analytics/accounts/{ids[0]}/raw", "followers"),
            (f"/analytics/posts/{ids[1]}/raw", "views"),
        ):
            data = (await alice.get(f"{path}?{query}")).data
            assert [s["payload"][metric] for s in data] == values, (path, query)


async def test_secrets_are_taken_out_wherever_they_stand() -> None:
    payload = {
        "accessToken": "a",
        "client_key": "b",
        "user": [{"Phone-Number": "1", "name": "x", "bio": "mail me; key: sk_12345678901"}],
        "paging": {"next": "https://graph.example/?access_token=x", "cursors": {"after": "q"}},
        "next": 3,
        "token": None,
        "a/b~c": {"secret": {"deep": 1}},
    }
    shown, redacted = redact_payload(json.dumps(payload).encode())

    assert sorted(redacted) == [
        "/accessToken",
        "/a~1b~0c/secret",
        "/client_key",
        "/paging/next",
        "/user/0/Phone-Number",
        "/user/0/bio",
    ]
    assert shown["user"][0]["name"] == "x"
    assert "sk_1" not in json.dumps(shown)
    assert (shown["next"], shown["token"]) == (3, None)
    assert shown["paging"]["cursors"] == {"after": "q"}


def test_what_is_no_json_is_not_shown() -> None:
    assert redact_payload(b"<html>") == (None, [""])


@pytest.mark.usefixtures("world")
async def test_only_the_plan_full_has_them_and_strangers_find_nothing(
    alice: Client, charlie: Client, conn: Connection, ids: tuple[UUID, UUID]
) -> None:
    await conn.execute("UPDATE workspaces SET plan = 'creator'")
    account, tracked = ids
    for path in (f"/analytics/accounts/{account}/raw", f"/analytics/posts/{tracked}/raw"):
        reply = await alice.get(path)
        assert (reply.status, reply.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
        assert reply.details["required_level"] == "full"
    for name in (tracked, account, uuid4(), "x"):
        reply = await charlie.get(f"/analytics/posts/{name}/raw")
        assert (reply.status, reply.code) == (404, "POST_NOT_FOUND")
    reply = await charlie.get(f"/analytics/accounts/{account}/raw")
    assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


async def test_what_is_out_of_bounds_is_named(alice: Client, ids: tuple[UUID, UUID]) -> None:
    reply = await alice.get(f"/analytics/posts/{ids[1]}/raw?limit=201&source=x")
    assert (reply.status, set(reply.problems)) == (400, {"limit", "source"})
    reply = await alice.get(f"/analytics/posts/{ids[1]}/raw?from=2026-11-02&to=2026-11-01")
    assert (reply.status, set(reply.problems)) == (400, {"from"})


async def test_a_payload_is_shown_whatever_is_in_it(
    alice: Client, conn: Connection, world: World, ids: tuple[UUID, UUID]
) -> None:
    odd = dataclasses.replace(reading(followers=9), payload=b'["\\u0000", "\\ud800", 1e400]')
    await collect(conn, world.acme, ids[0], profile=odd, at=NOON + 5 * DAY)

    reply = await alice.get(f"/analytics/accounts/{ids[0]}/raw?limit=1")
    assert reply.data[0]["payload"] == ["\0", "\ufffd", None]
