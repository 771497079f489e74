"""Comment tasks under a workspace's own Instagram posts, verified by the Graph API."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.analytics.providers.conftest import Connect
from tests.analytics.providers.platforms import (
    FakeInstagram,
    graph_error,
    instagram_media,
    times,
)
from tests.cast import World
from tokportal_server.comments.verification import (
    CannotLookError,
    CommentSource,
    Look,
    LookFailedError,
    look_for,
)
from tokportal_server.entry.worker import comment_source
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

TRACK = """
INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_post_id,
                           platform_url, imported, tracked_at)
VALUES ($1, $2, $3, $4, $5, false, now())
"""
COMMENT = {"id": "18001", "text": "Which flour is it?", "username": "Acme.Daily"}


@pytest.fixture
def source(ports: Ports) -> CommentSource:
    """What the worker looks with."""
    return comment_source(ports)


@pytest.fixture
async def look(conn: Connection, world: World, connect: Connect, instagram: FakeInstagram) -> Look:
    """A comment that is to stand under the second post of a connected account."""
    owner = await connect("instagram")
    instagram.media = [instagram_media(number) for number in range(5)]
    one = instagram.media[3]
    await conn.execute(TRACK, world.acme, owner, one["shortcode"], None, one["permalink"])
    instagram.comments[one["id"]] = [
        {"id": f"1700{number}", "text": "First!", "username": "guest"} for number in range(4)
    ] + [COMMENT]
    return Look(
        workspace_id=world.acme,
        task_id=uuid4(),
        saved_account_id=uuid4(),
        platform="instagram",
        post_url=one["permalink"],
        post=one["shortcode"],
        author_handle="acme.daily",
        text="Which flour is it?",
        comment_id=None,
        attempt=1,
    )


async def test_finds_the_comment_under_the_post(source: CommentSource, look: Look) -> None:
    verdict = await look_for(source, look)
    assert (verdict.outcome, verdict.comment_id, verdict.seen) == ("verified", "18001", 5)


async def test_knows_the_post_by_its_id_once_it_was_refreshed(
    conn: Connection, source: CommentSource, look: Look, instagram: FakeInstagram
) -> None:
    name = "UPDATE tracked_posts SET platform_post_id = $1"
    await conn.execute(name, instagram.media[3]["id"])
    assert (await look_for(source, look)).outcome == "verified"
    assert ("GET", "/v23.0/me/media") not in instagram.calls


async def test_says_what_stands_there_instead(
    source: CommentSource, look: Look, instagram: FakeInstagram
) -> None:
    instagram.comments[instagram.media[3]["id"]] = [{**COMMENT, "text": "Buy at my shop"}]
    assert (await look_for(source, look)).outcome == "wrong_text"


async def test_cannot_look_under_strangers_posts_or_on_tiktok(
    source: CommentSource, look: Look, world: World, instagram: FakeInstagram
) -> None:
    for other in (
        replace(look, post="Cxyz0000000"),
        replace(look, workspace_id=world.other),
        replace(look, platform="tiktok"),
    ):
        with pytest.raises(CannotLookError, match="confirmed by hand"):
            await source.comments(other)
    assert instagram.calls == []


async def test_cannot_look_without_the_permission_for_comments(
    conn: Connection, source: CommentSource, look: Look
) -> None:
    take = "UPDATE analytics_connections SET scopes = '{instagram_business_basic}'"
    await conn.execute(take)
    with pytest.raises(CannotLookError, match="instagram_business_manage_comments"):
        await source.comments(look)


async def test_a_limit_is_tried_again_and_an_ended_consent_is_not(
    source: CommentSource, look: Look, instagram: FakeInstagram
) -> None:
    instagram.faults.append(times(1, lambda: graph_error(17, "Slow down", 400)))
    with pytest.raises(LookFailedError, match="limit"):
        await source.comments(look)
    instagram.tokens.clear()
    with pytest.raises(CannotLookError, match="connect it again"):
        await source.comments(look)


async def test_cannot_look_under_a_post_that_is_gone(
    source: CommentSource, look: Look, instagram: FakeInstagram
) -> None:
    instagram.media = instagram.media[:2]
    with pytest.raises(CannotLookError, match="any more"):
        await source.comments(look)
