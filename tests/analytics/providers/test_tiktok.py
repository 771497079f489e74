"""TikTok's Display API: what is read of an account, and what its failures become."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from tests.analytics.collecting import url_of
from tests.analytics.providers.conftest import Connect
from tests.analytics.providers.platforms import (
    FakeTikTok,
    tiktok_error,
    tiktok_video,
    times,
)
from tests.cast import World
from tokportal_server.analytics.observations import ProviderFailedError, TrackedPost, Wanted
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.providers.logins import TikTokLogin
from tokportal_server.lib.clock import real_now


def wanted(world: World, account: UUID, **more: Any) -> Wanted:
    """Want everything that the API lists."""
    asked: dict[str, Any] = {
        "posts": None,
        "include_posts": True,
        "include_comments": False,
        "bootstrap": False,
        "post_limit": 100,
        **more,
    }
    return Wanted(
        workspace_id=world.acme, account_id=account, platform="tiktok", username="acme", **asked
    )


def tracked(*ids: str) -> list[TrackedPost]:
    return [TrackedPost(uuid4(), None, url_of(one)) for one in ids]


async def failure_of(providers: Providers, asked: Wanted) -> ProviderFailedError:
    with pytest.raises(ProviderFailedError) as caught:
        await providers.tiktok.collect(asked)
    assert caught.value.provider == "tiktok_api"
    return caught.value


async def test_reads_account_and_videos_with_what_the_api_said(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.videos = [tiktok_video(2, view_count=5000), tiktok_video(1)]
    before = real_now()
    collected = await providers.tiktok.collect(wanted(world, await connect()))
    assert (collected.source, collected.comments) == ("tiktok_api", ())
    assert before <= collected.collected_at <= real_now()
    account = collected.account
    assert account is not None
    assert account.metrics == {"followers": 1200, "following": 30, "likes": 5600, "posts": 2}
    assert account.missing["views"] == "not_supported"
    assert json.loads(account.payload)["follower_count"] == 1200
    first, second = collected.posts
    assert first.platform_post_id == tiktok.videos[0]["id"]
    assert first.description == "Video 2"
    assert first.published_at == datetime.fromtimestamp(1_760_000_002, UTC)
    assert first.reading.metrics == {"views": 5000, "likes": 10, "comments": 3, "shares": 2}
    assert first.reading.missing == {"bookmarks": "not_supported"}
    assert json.loads(second.reading.payload) == tiktok.videos[1]


async def test_walks_through_the_pages_up_to_the_limit(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.videos = [tiktok_video(number) for number in range(55)]
    account = await connect()
    everything = await providers.tiktok.collect(wanted(world, account))
    assert [p.platform_post_id for p in everything.posts] == [v["id"] for v in tiktok.videos]
    tiktok.bodies.clear()
    some = await providers.tiktok.collect(wanted(world, account, post_limit=30))
    assert len(some.posts) == 30
    assert [body.get("cursor") for body in tiktok.bodies] == [None, 20]


async def test_asks_for_tracked_videos_by_their_ids_twenty_at_a_time(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.videos = [tiktok_video(number) for number in range(30)]
    asked = tracked(*(video["id"] for video in tiktok.videos[:25]), "7999999999999999999")
    short = TrackedPost(uuid4(), None, "https://vm.tiktok.com/ZMabcdefg/")
    collected = await providers.tiktok.collect(
        wanted(world, await connect(), posts=[*asked, short])
    )
    # One is gone from the platform, and a short link does not tell its id.
    assert len(collected.posts) == 25
    assert [len(body["filters"]["video_ids"]) for body in tiktok.bodies] == [20, 6]


async def test_leaves_videos_alone_if_they_are_not_wanted(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.videos = [tiktok_video(1)]
    collected = await providers.tiktok.collect(wanted(world, await connect(), include_posts=False))
    assert collected.posts == []
    assert tiktok.calls == [("GET", "/v2/user/info/")]


async def test_what_was_not_consented_to_is_missing_for_that_reason(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.videos = [tiktok_video(1)]
    account = await connect(scopes=("user.info.basic",))
    posts = tracked(tiktok.videos[0]["id"])
    collected = await providers.tiktok.collect(wanted(world, account, posts=posts))
    assert collected.account is not None
    assert collected.account.metrics == {}
    assert collected.account.missing["followers"] == "no_permission"
    [post] = collected.posts
    assert (post.platform_post_id, post.reading.metrics) == (tiktok.videos[0]["id"], {})
    assert set(post.reading.missing.values()) == {"no_permission"}


async def test_renews_a_token_that_is_about_to_end(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    account = await connect(lives=TikTokLogin.renew_before - timedelta(minutes=1))
    await providers.tiktok.collect(wanted(world, account))
    assert tiktok.calls[0] == ("POST", "/v2/oauth/token/")
    assert tiktok.renewals == 1
    await providers.tiktok.collect(wanted(world, account))
    assert tiktok.renewals == 1


async def test_renews_a_token_that_is_refused_and_asks_again(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    account = await connect(token="act.withdrawn")
    collected = await providers.tiktok.collect(wanted(world, account))
    assert collected.account is not None
    assert tiktok.renewals == 1


async def test_a_connection_that_cannot_be_renewed_says_so_until_it_is_made_anew(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.refresh_tokens.clear()
    account = await connect(token="act.withdrawn")
    failure = await failure_of(providers, wanted(world, account))
    assert "invalid_grant" in failure.reason
    assert not failure.retryable
    tiktok.calls.clear()
    assert (await failure_of(providers, wanted(world, account))).reason == failure.reason
    assert tiktok.calls == []


async def test_the_rate_limit_pauses_the_provider_for_everybody(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.faults.append(times(1, lambda: tiktok_error("rate_limit_exceeded", "Slow down.", 429)))
    first = await failure_of(providers, wanted(world, await connect()))
    assert (first.retryable, "rate_limit_exceeded" in first.reason) == (True, True)
    assert "20261123080000A1B2C3" in first.reason
    tiktok.calls.clear()
    other = await failure_of(providers, wanted(world, await connect(username="acme.other")))
    assert (other.retryable, "limit of calls was reached" in other.reason) == (True, True)
    assert tiktok.calls == []


async def test_an_error_of_the_server_is_tried_three_times(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    account = await connect()
    tiktok.faults.append(times(2, lambda: tiktok_error("internal_error", "", 500)))
    assert (await providers.tiktok.collect(wanted(world, account))).account is not None
    tiktok.faults.append(times(3, lambda: tiktok_error("internal_error", "", 500)))
    tiktok.calls.clear()
    failure = await failure_of(providers, wanted(world, account))
    assert (failure.retryable, failure.reason) == (True, "the platform's API answered 500")
    assert len(tiktok.calls) == 3


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"error":{"code":"ok"},"data":{"user":7}}', b"\xff\xfe"]
)
async def test_an_answer_of_another_shape_is_a_failure_and_not_a_number(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World, body: bytes
) -> None:
    tiktok.faults.append(times(1, lambda: web.Response(body=body)))
    failure = await failure_of(providers, wanted(world, await connect()))
    assert failure.retryable


async def test_a_failure_on_a_later_page_gives_nothing_at_all(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    tiktok.videos = [tiktok_video(number) for number in range(25)]

    def second_page(_: web.Request) -> web.Response | None:
        late = len(tiktok.bodies) == 1
        return tiktok_error("invalid_params", "Bad cursor.", 400) if late else None

    tiktok.faults.append(second_page)
    failure = await failure_of(providers, wanted(world, await connect()))
    assert (failure.retryable, "invalid_params" in failure.reason) == (False, True)


async def test_a_cursor_that_stands_still_ends_the_walk(
    providers: Providers, tiktok: FakeTikTok, connect: Connect, world: World
) -> None:
    page = {"videos": [tiktok_video(1)], "cursor": 7, "has_more": True}

    def same_page(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/list/"):
            return None
        return web.json_response({"data": page, "error": {"code": "ok"}})

    tiktok.faults.append(same_page)
    collected = await providers.tiktok.collect(wanted(world, await connect()))
    assert len(collected.posts) == 2
    assert tiktok.calls.count(("POST", "/v2/video/list/")) == 2


async def test_an_account_that_nobody_has_connected_cannot_be_read(
    providers: Providers, tiktok: FakeTikTok, world: World
) -> None:
    failure = await failure_of(providers, wanted(world, uuid4()))
    assert (failure.retryable, "connect it" in failure.reason) == (False, True)
    assert tiktok.calls == []
