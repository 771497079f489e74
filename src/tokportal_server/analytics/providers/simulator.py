"""The simulated platform of a rehearsal: numbers that could be true, and are not.

Everything follows from ids and the rehearsal's clock, so the same moment always shows the same
numbers. Each post grows as posts do: fast at first, then hardly; one in ten loses some views after
three days. As on the real platforms TikTok has no bookmarks, and Instagram's insights come a day
late. Words in the account's biography play what can go wrong: ``simulate:outage`` (always),
``simulate:flaky`` (every other six hours), ``simulate:no_permission`` (no insights).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar, Final

import msgspec

from tokportal_server.analytics.observations import (
    POST_METRICS,
    Collected,
    CommentReading,
    Metric,
    MissingReason,
    PostReading,
    ProviderFailedError,
    Reading,
    Source,
    Wanted,
)
from tokportal_server.analytics.providers.simulated_comments import comments_under
from tokportal_server.lib.db import Connection, existing
from tokportal_server.orders.locks import Row
from tokportal_server.orders.post_urls import is_post_url, post_key

# What the simulated platform knows: the account, and what simulated managers have posted on it.
ACCOUNT = """
SELECT id, username, biography, COALESCE(delivered_at, created_at) AS since FROM saved_accounts
 WHERE workspace_id = $1 AND id = $2
"""
POSTED = """
SELECT s.platform_url, s.content ->> 'description' AS description, s.submitted_at
  FROM slots s JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
 WHERE b.workspace_id = $1 AND b.saved_account_id = $2
   AND s.platform_url IS NOT NULL AND s.submitted_at IS NOT NULL
"""
Connect = Callable[[], AbstractAsyncContextManager[Connection]]
_INSIGHTS: Final[tuple[Metric, ...]] = ("views", "shares", "bookmarks")
_NEVER_OF_ACCOUNT: Final[tuple[Metric, ...]] = ("views", "likes", "comments", "shares", "bookmarks")
_LATE: Final = timedelta(hours=24)
_FALL_AFTER: Final = 72.0
# What is on every account before anybody works on it, for imports: days before its delivery.
_OLD_POSTS: Final = (40, 12)
_FLAKY_HOURS: Final = 6


@dataclass(frozen=True, slots=True)
class SimulatedPost:
    """A post of the simulated platform; ``key`` is what its addresses have in common."""

    key: str
    url: str
    description: str | None
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Simulator:
    """Reads the simulated platform as it is at ``now``, the rehearsal's clock.

    ``connect`` opens a connection, or gives the one that the caller has already.
    """

    source: ClassVar[Source] = "simulator"

    connect: Connect
    now: datetime

    async def collect(self, wanted: Wanted) -> Collected:
        """Give what a refresh would bring.

        Raises:
            ProviderFailedError: the account's biography asks for it.
        """
        async with self.connect() as conn:
            account = existing(await conn.fetchrow(ACCOUNT, wanted.workspace_id, wanted.account_id))
            there = await _posts(conn, wanted, account)
        script = account["biography"] or ""
        self._refuse_outage(script)
        there = sorted(
            (one for one in there if one.published_at <= self.now),
            key=lambda one: (one.published_at, one.key),
            reverse=True,
        )
        shown = _shown(there, wanted) if wanted.include_posts else []
        return Collected(
            source=self.source,
            collected_at=self.now,
            account=self._account(account, there),
            posts=[self._post(one, wanted.platform, script) for one in shown],
            comments=list(self._comments(shown, wanted.platform))
            if wanted.include_comments
            else [],
        )

    def _refuse_outage(self, script: str) -> None:
        quarter = int(self.now.timestamp() // (_FLAKY_HOURS * 3600))
        if "simulate:outage" in script or ("simulate:flaky" in script and quarter % 2):
            raise ProviderFailedError(
                self.source,
                "the simulated platform does not answer, as it was asked to",
                retryable=True,
            )

    def _account(self, account: Row, posts: list[SimulatedPost]) -> Reading:
        seed = seed_of(account["id"].hex)
        days = max(0.0, (self.now - account["since"]) / timedelta(days=1))
        views = sum(_views(one, self.now) for one in posts)
        metrics: dict[Metric, int] = {
            "followers": 20 + seed % 180 + int(days * (1 + seed % 7)) + views // 150,
            "following": 10 + seed % 90,
            "posts": len(posts),
        }
        payload = {"simulated": True, "username": account["username"], "metrics": metrics}
        missing: dict[Metric, MissingReason] = dict.fromkeys(_NEVER_OF_ACCOUNT, "not_supported")
        return Reading(metrics, missing, msgspec.json.encode(payload))

    def _post(self, post: SimulatedPost, platform: str, script: str) -> PostReading:
        late = platform == "instagram"
        metrics = metrics_at(post, self.now - _LATE if late else self.now)
        missing: dict[Metric, MissingReason] = {}
        if not late:
            missing["bookmarks"] = "not_supported"
        elif "simulate:no_permission" in script:
            missing |= dict.fromkeys(_INSIGHTS, "no_permission")
        elif self.now < post.published_at + _LATE:
            missing |= dict.fromkeys(_INSIGHTS, "not_yet")
        kept = {metric: n for metric, n in metrics.items() if metric not in missing}
        payload = {"simulated": True, "id": post.key, "url": post.url, "metrics": kept}
        return PostReading(
            platform_post_id=_platform_id(post, platform),
            platform_url=post.url,
            description=post.description,
            published_at=post.published_at,
            reading=Reading(kept, missing, msgspec.json.encode(payload)),
        )

    def _comments(self, posts: list[SimulatedPost], platform: str) -> list[CommentReading]:
        return [
            comment
            for post in posts
            for comment in comments_under(
                _platform_id(post, platform),
                seed_of(post.key),
                metrics_at(post, self.now)["comments"],
                since=post.published_at,
                now=self.now,
            )
        ]


async def _posts(conn: Connection, wanted: Wanted, account: Row) -> list[SimulatedPost]:
    """Give every post of an account that the simulated platform knows of."""
    rows = await conn.fetch(POSTED, wanted.workspace_id, wanted.account_id)
    posted = [
        SimulatedPost(
            post_key(wanted.platform, row["platform_url"]),
            row["platform_url"],
            row["description"],
            row["submitted_at"],
        )
        for row in rows
        if is_post_url(wanted.platform, row["platform_url"])
    ]
    return posted + [_old_post(wanted.platform, account, days) for days in _OLD_POSTS]


def _old_post(platform: str, account: Row, days: int) -> SimulatedPost:
    """Make a post that was there before anybody worked on the account."""
    digest = sha256(f"{account['id']}:{days}".encode()).hexdigest()
    number = int(digest[:14], 16)
    if platform == "tiktok":
        key = f"{number:019d}"
        url = f"https://www.tiktok.com/@{account['username']}/video/{key}"
    else:
        key = digest[:11]
        url = f"https://www.instagram.com/reel/{key}/"
    published = account["since"] - timedelta(days=days)
    return SimulatedPost(key, url, "An older post of this account", published)


def _shown(there: list[SimulatedPost], wanted: Wanted) -> list[SimulatedPost]:
    """Choose what was asked for: the tracked posts, or the newest ones as well."""
    tracked = {post_key(wanted.platform, post.platform_url) for post in wanted.posts or ()}
    everything = wanted.bootstrap or wanted.posts is None
    return [
        one
        for place, one in enumerate(there)
        if one.key in tracked or (everything and place < wanted.post_limit)
    ]


def metrics_at(post: SimulatedPost, moment: datetime) -> dict[Metric, int]:
    """Give a post's numbers at a moment; 0 before it was published."""
    seed, views = seed_of(post.key), _views(post, moment)
    per_mille: dict[Metric, int] = {
        "likes": 30 + seed % 90,
        "comments": 4 + seed % 11,
        "shares": 2 + seed % 13,
        "bookmarks": 3 + seed % 17,
    }
    parts = {metric: views * rate // 1000 for metric, rate in per_mille.items()}
    return {metric: views if metric == "views" else parts[metric] for metric in POST_METRICS}


def _views(post: SimulatedPost, moment: datetime) -> int:
    seed = seed_of(post.key)
    hours = (moment - post.published_at) / timedelta(hours=1)
    if hours <= 0:
        return 0
    views = _grown(seed, hours)
    # The platform takes some views back, once, and the post grows on from there.
    if seed % 10 == 0 and hours > _FALL_AFTER:
        views -= _grown(seed, _FALL_AFTER) // 20
    return views


def _grown(seed: int, hours: float) -> int:
    most = 10 ** (2.3 + (seed % 997) / 997 * 2.7)
    pace = 12 + seed % 60
    return int(most * (1 - math.exp(-hours / pace)) + most * hours / 20_000)


def seed_of(text: str) -> int:
    """Give a number that always belongs to a text."""
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big")


def _platform_id(post: SimulatedPost, platform: str) -> str:
    return post.key if platform == "tiktok" else _numbered(post.key)


def _numbered(key: str) -> str:
    """Give the number that Instagram's API would have for a short code."""
    return f"1{seed_of(key):016d}"
