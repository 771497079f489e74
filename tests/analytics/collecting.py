"""Accounts to collect numbers of, and collections as a provider would give them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from tests.cast import World
from tests.client import Client
from tests.orders.walk import posted, workable
from tokportal_server.analytics.observations import (
    METRICS,
    Collected,
    CommentReading,
    PostReading,
    Reading,
    Source,
)
from tokportal_server.analytics.operations.store_observations import Stored, store_observations
from tokportal_server.analytics.tracking import track_finalized
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
INSERT_ACCOUNT = """
WITH ids AS (SELECT gen_random_uuid() AS bundle_id),
made AS (
    INSERT INTO saved_accounts (workspace_id, id, platform, country, username, visible_name,
                                profile_url, bundle_id, delivered_at, created_at)
    SELECT $1, $2, $3, $4, $5, $5, 'https://www.tiktok.com/@' || $5, bundle_id, now(), now()
      FROM ids
)
INSERT INTO bundles (workspace_id, id, bundle_type, platform, country, status, videos_quantity,
                     edits_quantity, auto_finalize_videos, wants_niche_warming, wants_deep_warming,
                     wants_moderation, cost_breakdown, sold_prices, saved_account_id, created_at,
                     updated_at)
SELECT $1, bundle_id, 'account_only', $3, $4, 'completed', 0, 0, true, false, false, false,
       '{"account_creation": 0, "video_slots": 0, "edit_slots": 0, "niche_warming": 0,
         "deep_warming": 0, "moderation": 0, "total": 0}', '{}', $2, now(), now()
  FROM ids
"""
INSERT_POST = """
INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_post_id, platform_url,
                           imported, tracked_at, published_at)
VALUES ($1, $2, $3, $3, $4, $5, now(), $6)
RETURNING id
"""


async def an_account(
    conn: Connection,
    workspace: UUID,
    *,
    platform: str = "tiktok",
    country: str = "USA",
    username: str = "acme.daily",
) -> UUID:
    """Put a delivered account into the workspace, without the order that made it."""
    account = uuid4()
    async with conn.transaction():
        await conn.execute(INSERT_ACCOUNT, workspace, account, platform, country, username)
    return account


async def a_post(
    conn: Connection,
    workspace: UUID,
    account: UUID,
    name: str,
    *,
    imported: bool = False,
    published_at: datetime | None = None,
) -> UUID:
    """Track a post of an account; ``name`` is the platform's id of it."""
    post: UUID = await conn.fetchval(
        INSERT_POST, workspace, account, name, url_of(name), imported, published_at
    )
    return post


def url_of(name: str) -> str:
    """Give the address of a post on TikTok."""
    return f"https://www.tiktok.com/@acme.daily/video/{name}"


def reading(payload: Mapping[str, object] | None = None, **metrics: int) -> Reading:
    """Give a reading of these metrics; none of the others is supported."""
    known = {metric: metrics[metric] for metric in METRICS if metric in metrics}
    return Reading(known, {}, json.dumps(payload or metrics).encode())


def post(
    name: str,
    *,
    description: str | None = "A cake.",
    published_at: datetime | None = NOON,
    **metrics: int,
) -> PostReading:
    """Give a reading of a post."""
    return PostReading(name, url_of(name), description, published_at, reading(None, **metrics))


def comment(
    number: int,
    text: str = "Lovely!",
    *,
    under: str,
    author: str = "guest",
    likes: int | None = 3,
    posted_at: datetime | None = NOON,
) -> CommentReading:
    """Give a comment under a post."""
    return CommentReading(f"c{number}", under, author, text, likes, None, posted_at)


async def collect(
    conn: Connection,
    workspace: UUID,
    account: UUID,
    *posts: PostReading,
    at: datetime = NOON,
    source: Source = "simulator",
    profile: Reading | None = None,
    comments: Sequence[CommentReading] = (),
    bootstrap: bool = False,
) -> Stored:
    """Store a collection."""
    async with unit_of_work(conn, workspace, now=at) as tx:
        return await store_observations(
            tx=tx,
            account_id=account,
            collected=Collected(source, at, profile, posts, comments),
            bootstrap=bootstrap,
        )


GRANT_PLAN = "UPDATE workspaces SET plan = 'full' WHERE id = $1"
SET_PLAN = "UPDATE workspaces SET plan = $2 WHERE id = $1"
FINALIZED = """
SELECT t.id AS post, t.slot_id AS slot, t.saved_account_id AS account, t.platform_url
  FROM tracked_posts t JOIN slots s ON s.workspace_id = t.workspace_id AND s.id = t.slot_id
 WHERE s.bundle_id = $1
"""


@dataclass(frozen=True)
class Measured:
    """An account with a posted video of which numbers were collected."""

    account: UUID
    slot: UUID
    post: UUID


async def measured(alice: Client, conn: Connection, world: World, ports: Ports) -> Measured:
    """Bring an order to its end, and collect numbers and a comment of what was posted."""
    bundle = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle)
    finalized = await alice.post(f"/bundles/{bundle}/videos/1/finalize")
    assert finalized.status == 200, finalized.body
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await track_finalized(tx)
    row = existing(await conn.fetchrow(FINALIZED, UUID(bundle)))
    name = row["platform_url"].rsplit("/", 1)[1]
    await collect(
        conn,
        world.acme,
        row["account"],
        post(name, views=200, likes=6, comments=3, shares=1, bookmarks=2),
        at=real_now(),
        profile=reading({"access_token": "abc"}, followers=40, following=2, posts=1),
        comments=[comment(1, under=name)],
    )
    return Measured(row["account"], row["slot"], row["post"])
