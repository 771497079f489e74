"""refreshAccountAnalytics and refreshAnalyticsAccount: one behaviour under two paths."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import a_post, an_account
from tests.analytics.providers.conftest import Connect
from tests.analytics.providers.platforms import (
    FakeInstagram,
    FakeTikTok,
    instagram_media,
    tiktok_error,
    tiktok_video,
    times,
)
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.db import Connection, existing

PATHS = ["/accounts/{id}/analytics/refresh", "/analytics/accounts/{id}/refresh"]
STATE = "SELECT * FROM analytics_refreshes WHERE saved_account_id = $1"
EVENTS = "SELECT data FROM events WHERE type = 'analytics.refreshed' ORDER BY sequence"
SNAPSHOTS = (
    "SELECT (SELECT count(*) FROM account_snapshots) + (SELECT count(*) FROM post_snapshots)"
)
USED = "SELECT COALESCE(sum(used), 0) FROM analytics_quotas"
PLAN = "UPDATE workspaces SET plan = $2 WHERE id = $1"
# As if the last refresh had been longer ago.
AGE = "UPDATE analytics_refreshes SET asked_at = asked_at - $1::interval"
VIEWS = "SELECT views, meta FROM tracked_posts WHERE platform_post_id = $1"


async def refreshed(client: Client, account: UUID, **body: Any) -> Any:
    reply = await client.post(f"/accounts/{account}/analytics/refresh", body)
    assert reply.status == 200, reply.json
    return reply.data


@pytest.mark.parametrize("path", PATHS)
async def test_collects_stores_and_tells(
    alice: Client,
    conn: Connection,
    world: World,
    connect: Connect,
    tiktok: FakeTikTok,
    path: str,
) -> None:
    account = await connect()
    tiktok.videos = [tiktok_video(1, view_count=700), tiktok_video(2)]
    await a_post(conn, world.acme, account, tiktok.videos[0]["id"])
    reply = await alice.post(path.format(id=account), {})
    assert reply.status == 200, reply.json
    told = reply.data
    assert told["account_id"] == str(account)
    counts = (told["posts_refreshed"], told["posts_imported"], told["comments_collected"])
    assert counts == (1, 0, 0)
    waits = _at(told["next_refresh_at"]) - _at(told["refreshed_at"])
    assert waits == timedelta(hours=24)
    assert (told["quota"]["used"], told["quota"]["limit"]) == (1, 500)
    row = existing(await conn.fetchrow(VIEWS, tiktok.videos[0]["id"]))
    assert (row["views"], row["meta"]["views"]["source"]) == (700, "tiktok_api")
    [event] = await conn.fetch(EVENTS)
    assert event["data"] == {
        "saved_account_id": str(account),
        "platform": "tiktok",
        "refreshed_at": told["refreshed_at"],
        "posts_refreshed": 1,
        "posts_imported": 0,
        "comments_collected": 0,
    }


async def test_reads_instagram_as_well(
    alice: Client, connect: Connect, instagram: FakeInstagram
) -> None:
    instagram.media = [instagram_media(1), instagram_media(2)]
    told = await refreshed(alice, await connect("instagram"), bootstrapPosts=True)
    assert (told["posts_refreshed"], told["posts_imported"]) == (2, 2)


async def test_imports_posts_only_if_asked_and_no_more_than_the_limit(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    tiktok.videos = [tiktok_video(number) for number in range(6)]
    account = await connect()
    told = await refreshed(alice, account)
    assert (told["posts_refreshed"], told["posts_imported"]) == (0, 0)
    await conn.execute(AGE, timedelta(hours=24))
    told = await refreshed(alice, account, bootstrapPosts=True, postLimit=4)
    assert (told["posts_refreshed"], told["posts_imported"]) == (4, 4)


async def test_leaves_posts_out_if_told_to_and_those_just_read_unless_forced(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    tiktok.videos = [tiktok_video(1)]
    account = await connect()
    await refreshed(alice, account, bootstrapPosts=True)
    for body, posts in (
        ({"includePosts": False}, 0),
        ({"includePosts": True}, 0),
        ({"forcePosts": True}, 1),
        # Null says nothing.
        ({"forcePosts": True, "postLimit": None, "force": None}, 1),
    ):
        await conn.execute(AGE, timedelta(hours=24))
        assert (await refreshed(alice, account, **body))["posts_refreshed"] == posts


async def test_a_second_refresh_waits_for_the_cooldown(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    first = await refreshed(alice, account)
    tiktok.calls.clear()
    reply = await alice.post(f"/accounts/{account}/analytics/refresh", {})
    assert (reply.status, reply.code) == (429, "REFRESH_COOLDOWN")
    assert reply.details["reason"] == "cooldown"
    assert reply.details["next_refresh_at"] == first["next_refresh_at"]
    assert reply.details["quota"]["used"] == 1
    seconds = reply.details["retry_after_seconds"]
    assert 86_000 < seconds <= 86_400
    assert reply.headers["Retry-After"] == str(seconds)
    assert tiktok.calls == []
    await conn.execute(AGE, timedelta(hours=24))
    await refreshed(alice, account)


async def test_force_shortens_the_cooldown_to_an_hour_for_the_plan_full(
    alice: Client, conn: Connection, world: World, connect: Connect
) -> None:
    account = await connect()
    await refreshed(alice, account)
    path = f"/accounts/{account}/analytics/refresh"
    for plan in ("starter", "creator"):
        await conn.execute(PLAN, world.acme, plan)
        for body in ({"force": True}, {"includeComments": True}):
            reply = await alice.post(path, body)
            assert (reply.status, reply.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
            assert reply.details == {"required_level": "full", "current_level": plan}
    await conn.execute(PLAN, world.acme, "full")
    assert (await alice.post(path, {"force": True})).code == "REFRESH_COOLDOWN"
    await conn.execute(AGE, timedelta(hours=1))
    await refreshed(alice, account, force=True)


async def test_not_asking_for_what_a_plan_lacks_is_allowed(alice: Client, connect: Connect) -> None:
    await refreshed(alice, await connect(), force=False, includeComments=False)


async def test_collects_comments_for_the_plan_full(
    alice: Client, conn: Connection, world: World, connect: Connect, instagram: FakeInstagram
) -> None:
    await conn.execute(PLAN, world.acme, "full")
    instagram.media = [instagram_media(1)]
    comment = {"id": "1800", "text": "Lovely", "username": "guest", "like_count": 1}
    instagram.comments = {instagram.media[0]["id"]: [comment]}
    told = await refreshed(
        alice, await connect("instagram"), bootstrapPosts=True, includeComments=True
    )
    assert told["comments_collected"] == 1


async def test_a_failed_refresh_stores_nothing_and_costs_nothing(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    tiktok.videos = [tiktok_video(1)]
    refusal = times(1, lambda: tiktok_error("invalid_params", "Oh.", 400), path="/list/")
    tiktok.faults.append(refusal)
    reply = await alice.post(f"/accounts/{account}/analytics/refresh", {"bootstrapPosts": True})
    assert (reply.status, reply.code) == (502, "REFRESH_PROVIDER_FAILED")
    assert (reply.details["provider"], reply.details["retryable"]) == ("tiktok_api", False)
    assert "invalid_params: Oh." in reply.details["reason"]
    # The account's own numbers had come by then.
    assert ("GET", "/v2/user/info/") in tiktok.calls
    assert await conn.fetchval(SNAPSHOTS) == 0
    assert await conn.fetchval(USED) == 0
    assert await conn.fetch(EVENTS) == []
    state = existing(await conn.fetchrow(STATE, account))
    assert (state["asked_at"], state["lease_token"], state["failures"]) == (None, None, 1)
    assert state["failure_reason"] == reply.details["reason"]
    await refreshed(alice, account, bootstrapPosts=True)


async def test_an_account_that_nobody_has_connected_says_what_to_do(
    alice: Client, conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme)
    reply = await alice.post(f"/accounts/{account}/analytics/refresh", {})
    assert (reply.status, reply.details["retryable"]) == (502, False)
    assert "connect it in the console" in reply.details["reason"]


async def test_concurrent_refreshes_of_an_account_run_once(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    paths = [path.format(id=account) for path in PATHS * 3]
    replies = await asyncio.gather(*(alice.post(path, {}) for path in paths))
    assert sorted(reply.status for reply in replies) == [200, 429, 429, 429, 429, 429]
    assert {reply.code for reply in replies if reply.status != 200} == {"REFRESH_COOLDOWN"}
    assert tiktok.calls.count(("GET", "/v2/user/info/")) == 1
    assert len(await conn.fetch(EVENTS)) == 1
    assert await conn.fetchval(USED) == 1


async def test_two_accounts_do_not_share_the_last_refresh_of_the_month(
    alice: Client, conn: Connection, world: World, connect: Connect
) -> None:
    accounts = [await connect(username=f"acme.{number}") for number in range(4)]
    quota = "INSERT INTO analytics_quotas VALUES ($1, date_trunc('month', now())::date, 499)"
    await conn.execute(quota, world.acme)
    replies = await asyncio.gather(
        *(alice.post(f"/accounts/{account}/analytics/refresh", {}) for account in accounts)
    )
    # The accounts' names are not those that the platform tells, which a refresh does not mind.
    assert sorted(reply.status for reply in replies) == [200, 429, 429, 429]
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.details["reason"] == "quota"
    assert refused.details["next_refresh_at"] == refused.details["quota"]["resets_at"]
    assert await conn.fetchval(USED) == 500


async def test_a_lease_that_ran_out_is_taken_over_and_its_collection_is_not_stored(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    tiktok.videos = [tiktok_video(1)]
    path = f"/accounts/{account}/analytics/refresh"
    begun, go_on = asyncio.Event(), asyncio.Event()
    tiktok.gates.append((begun, go_on))
    slow = asyncio.create_task(alice.post(path, {}))
    await begun.wait()
    running = await alice.post(path, {})
    assert (running.code, running.details["reason"]) == ("REFRESH_COOLDOWN", "running")
    await conn.execute("UPDATE analytics_refreshes SET lease_until = now() - interval '1 s'")
    await refreshed(alice, account)
    go_on.set()
    overtaken = await slow
    assert (overtaken.status, overtaken.code) == (429, "REFRESH_COOLDOWN")
    assert len(await conn.fetch(EVENTS)) == 1
    assert await conn.fetchval(USED) == 1


async def test_the_same_key_gets_the_same_answer_and_no_second_refresh(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    headers = {"Idempotency-Key": "once"}
    first, second = [
        await alice.post(f"/accounts/{account}/analytics/refresh", {}, headers=headers)
        for _ in range(2)
    ]
    assert (first.status, second.headers["Idempotent-Replayed"]) == (200, "true")
    assert first.body == second.body
    assert tiktok.calls.count(("GET", "/v2/user/info/")) == 1
    assert len(await conn.fetch(EVENTS)) == 1


async def test_a_dry_run_asks_nobody_and_changes_nothing(
    alice: Client, conn: Connection, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    path = f"/accounts/{account}/analytics/refresh"
    reply = await alice.post(path, {}, headers={"X-TokPortal-Dry-Run": "true"})
    assert reply.status == 200
    assert (reply.data["refreshed_at"], reply.data["posts_refreshed"]) == (None, None)
    assert reply.json["dry_run"] is True
    assert tiktok.calls == []
    state = existing(await conn.fetchrow(STATE, account))
    assert (state["lease_token"], state["asked_at"]) == (None, None)
    await refreshed(alice, account)
    again = await alice.post(path, {}, headers={"X-TokPortal-Dry-Run": "true"})
    assert again.code == "REFRESH_COOLDOWN"


@pytest.mark.parametrize("path", PATHS)
async def test_refuses_a_stranger_an_unknown_account_and_a_malformed_id(
    alice: Client, charlie: Client, connect: Connect, tiktok: FakeTikTok, path: str
) -> None:
    account = await connect()
    stranger = await charlie.post(path.format(id=account), {})
    unknown = await alice.post(path.format(id=uuid4()), {})
    malformed = await alice.post(path.format(id="account"), {})
    for reply in (stranger, unknown, malformed):
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
    assert tiktok.calls == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"postLimit": 0}, "postLimit"),
        ({"postLimit": 501}, "postLimit"),
        ({"force": "yes"}, "force"),
    ],
)
async def test_refuses_what_cannot_be_meant(
    alice: Client, connect: Connect, body: dict[str, Any], field: str
) -> None:
    reply = await alice.post(f"/accounts/{await connect()}/analytics/refresh", body)
    assert (reply.status, list(reply.problems)) == (400, [field])


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
