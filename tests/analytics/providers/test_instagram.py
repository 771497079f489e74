"""Instagram's Graph API: what is read of an account, and what its failures become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from tests.analytics.providers.conftest import Connect
from tests.analytics.providers.platforms import (
    FakeInstagram,
    graph_error,
    instagram_media,
    times,
)
from tests.cast import World
from tokportal_server.analytics.observations import ProviderFailedError, TrackedPost, Wanted
from tokportal_server.analytics.providers.choosing import Providers

NUMBERS = {"views": 900, "likes": 21, "comments": 2, "shares": 4, "saved": 6}


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
        workspace_id=world.acme, account_id=account, platform="instagram", username="acme", **asked
    )


def tracked(media: dict[str, Any], *, known: str | None = None) -> TrackedPost:
    url = f"https://www.instagram.com/acme.daily/reel/{media['shortcode']}/"
    return TrackedPost(uuid4(), known, url)


async def failure_of(providers: Providers, asked: Wanted) -> ProviderFailedError:
    with pytest.raises(ProviderFailedError) as caught:
        await providers.instagram.collect(asked)
    assert caught.value.provider == "instagram_api"
    return caught.value


async def test_reads_account_media_and_insights_with_what_the_api_said(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.media = [instagram_media(number) for number in range(5)]
    instagram.insights = {one["id"]: NUMBERS for one in instagram.media}
    collected = await providers.instagram.collect(wanted(world, await connect("instagram")))
    account = collected.account
    assert account is not None
    assert account.metrics == {"followers": 340, "following": 12, "posts": 5}
    assert account.missing["views"] == "not_supported"
    payload = json.loads(account.payload)
    assert payload["account"]["followers_count"] == 340
    assert payload["insights"]["data"][0]["total_value"] == {"value": 77}
    assert [post.platform_post_id for post in collected.posts] == [m["id"] for m in instagram.media]
    post = collected.posts[1]
    assert post.platform_url == instagram.media[1]["permalink"]
    assert (post.description, post.published_at) == (
        "Reel 1",
        datetime(2026, 11, 20, 8, tzinfo=UTC),
    )
    assert post.reading.metrics == {
        "views": 900,
        "likes": 21,
        "comments": 2,
        "shares": 4,
        "bookmarks": 6,
    }
    assert post.reading.missing == {}
    assert json.loads(post.reading.payload)["media"] == instagram.media[1]


async def test_finds_tracked_posts_by_their_short_codes_and_stops_there(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.media = [instagram_media(number) for number in range(9)]
    posts = [tracked(instagram.media[1]), tracked(instagram.media[2], known="Cabc0000002")]
    collected = await providers.instagram.collect(
        wanted(world, await connect("instagram"), posts=posts)
    )
    # The second one was first named by a person, and keeps the id that it is tracked by.
    assert [p.platform_post_id for p in collected.posts] == [
        instagram.media[1]["id"],
        "Cabc0000002",
    ]
    assert collected.posts[0].platform_url == posts[0].platform_url
    # Two to a page: the third media is on the second one.
    assert instagram.calls.count(("GET", "/v23.0/me/media")) == 2


async def test_imports_up_to_the_limit_and_still_reads_what_is_tracked(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.media = [instagram_media(number) for number in range(7)]
    collected = await providers.instagram.collect(
        wanted(
            world,
            await connect("instagram"),
            posts=[tracked(instagram.media[5])],
            bootstrap=True,
            post_limit=3,
        )
    )
    assert [p.platform_post_id for p in collected.posts] == [
        instagram.media[n]["id"] for n in (0, 1, 2, 5)
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({}, "not_yet"),
        (
            graph_error(10, "(#10) Not enough viewers for the media to show insights", 400),
            "not_yet",
        ),
        (graph_error(10, "Application does not have permission", 403), "no_permission"),
        (
            graph_error(100, "Invalid parameter", 400, error_subcode=2108006),
            "not_supported",
        ),
        (graph_error(100, "Invalid parameter", 400), "provider_error"),
    ],
)
async def test_insights_that_are_not_there_are_missing_for_their_reason(
    providers: Providers,
    instagram: FakeInstagram,
    connect: Connect,
    world: World,
    answer: dict[str, int] | web.Response,
    reason: str,
) -> None:
    instagram.media = [instagram_media(1)]
    instagram.insights = {instagram.media[0]["id"]: answer}
    collected = await providers.instagram.collect(wanted(world, await connect("instagram")))
    [post] = collected.posts
    assert post.reading.metrics == {"likes": 21, "comments": 2}
    assert post.reading.missing == {"views": reason, "shares": reason, "bookmarks": reason}


async def test_asks_for_no_insights_that_were_not_consented_to(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.media = [instagram_media(1, like_count=None)]
    account = await connect("instagram", scopes=("instagram_business_basic",))
    asked = wanted(world, account, include_comments=True)
    collected = await providers.instagram.collect(asked)
    [post] = collected.posts
    assert post.reading.metrics == {"comments": 2}
    assert post.reading.missing["likes"] == post.reading.missing["views"] == "no_permission"
    assert collected.comments == []
    assert {path for _, path in instagram.calls} == {"/v23.0/me", "/v23.0/me/media"}


async def test_collects_comments_with_their_likes_and_replies(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.media = [instagram_media(1), instagram_media(2, comments_count=0)]
    first = instagram.media[0]["id"]
    instagram.comments[first] = [
        {
            "id": f"1800{number}",
            "text": f"Lovely {number} 😍",
            "username": "guest",
            "timestamp": "2026-11-21T09:30:00+0000",
            "like_count": number,
            "replies": {"data": [{"id": "1"}, {"id": "2"}]},
        }
        for number in range(3)
    ]
    collected = await providers.instagram.collect(
        wanted(world, await connect("instagram"), include_comments=True)
    )
    assert [c.text for c in collected.comments] == ["Lovely 0 😍", "Lovely 1 😍", "Lovely 2 😍"]
    last = collected.comments[-1]
    assert (last.platform_post_id, last.author_handle) == (first, "guest")
    assert (last.like_count, last.reply_count) == (2, 2)
    assert last.posted_at == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    # A post without comments is not asked for any.
    assert ("GET", f"/v23.0/{instagram.media[1]['id']}/comments") not in instagram.calls


@pytest.mark.parametrize("code", [17, 32, 613, 80002])
async def test_a_limit_of_the_account_is_a_failure_that_passes(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World, code: int
) -> None:
    usage = {
        "178": [{"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 9}]
    }
    headers = {"X-Business-Use-Case-Usage": json.dumps(usage)}

    def limited() -> web.Response:
        answer = graph_error(code, "Application request limit reached", 400)
        answer.headers.update(headers)
        return answer

    instagram.faults.append(times(1, limited))
    account = await connect("instagram")
    failure = await failure_of(providers, wanted(world, account))
    assert failure.retryable
    assert failure.reason.endswith(f"(error {code}); it ends in about 9 min")
    # Others may be asked about meanwhile.
    assert (await providers.instagram.collect(wanted(world, account))).account is not None


async def test_the_limit_of_the_app_pauses_the_provider_for_everybody(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    account = await connect("instagram")
    instagram.faults.append(times(1, lambda: graph_error(4, "Application limit reached", 400)))
    assert (await failure_of(providers, wanted(world, account))).retryable
    instagram.calls.clear()
    failure = await failure_of(providers, wanted(world, account))
    assert (failure.retryable, "called again in 15 min" in failure.reason) == (True, True)
    assert instagram.calls == []


async def test_stops_by_itself_before_the_limit_that_the_headers_tell(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    usage = {"call_count": 96, "total_time": 20, "total_cputime": 5}
    instagram.headers = {"X-App-Usage": json.dumps(usage)}
    failure = await failure_of(providers, wanted(world, await connect("instagram")))
    assert "limit for this app is near" in failure.reason
    assert len(instagram.calls) == 1


async def test_usage_that_cannot_be_read_stops_nothing(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.headers = {"X-App-Usage": "lots"}
    collected = await providers.instagram.collect(wanted(world, await connect("instagram")))
    assert collected.account is not None


async def test_a_consent_that_was_withdrawn_ends_the_connection(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    account = await connect("instagram")
    instagram.tokens.clear()
    failure = await failure_of(providers, wanted(world, account))
    assert (failure.retryable, "ended the account's consent" in failure.reason) == (False, True)
    instagram.calls.clear()
    assert (await failure_of(providers, wanted(world, account))).reason == failure.reason
    assert instagram.calls == []


async def test_an_error_that_passes_is_retryable_and_another_is_not(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    account = await connect("instagram")
    instagram.faults.append(times(1, lambda: graph_error(2, "Service down", 400)))
    assert (await failure_of(providers, wanted(world, account))).retryable
    instagram.faults.append(times(1, lambda: graph_error(100, "Unsupported request", 400)))
    assert not (await failure_of(providers, wanted(world, account))).retryable


async def test_one_failed_post_gives_nothing_at_all(
    providers: Providers, instagram: FakeInstagram, connect: Connect, world: World
) -> None:
    instagram.media = [instagram_media(number) for number in range(6)]
    limited = times(1, lambda: graph_error(17, "User limit", 400), path="0003/insights")
    instagram.faults.append(limited)
    assert (await failure_of(providers, wanted(world, await connect("instagram")))).retryable
