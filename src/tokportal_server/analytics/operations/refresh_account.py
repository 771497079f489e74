"""Refresh an account: collect its numbers from its provider, and store all of them or none.

1. Claim: under the account's row, see whether it may be refreshed, and take a lease on it, so that
   of concurrent refreshes one runs.
2. Collect, outside any transaction and without a connection.
3. Finish, in one transaction: the lease must still be ours; store, count, tell. If the provider
   fails, the lease is given back, and nothing is noted but the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tokportal_server.analytics.levels import includes, level_required
from tokportal_server.analytics.observations import (
    Collected,
    ProviderFailedError,
    TrackedPost,
    Wanted,
)
from tokportal_server.analytics.operations.store_observations import Stored, store_observations
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.providers.simulator import Connect
from tokportal_server.analytics.refresh_wire import (
    DEFAULT_POSTS,
    RefreshAnalyticsRequest,
)
from tokportal_server.analytics.refreshing import (
    STATE,
    RefreshCooldownError,
    RefreshRules,
    account_to_refresh,
    month_of,
    quota_of,
    refuse_too_early,
)
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

EVENT: Final = "analytics.refreshed"
# Seconds that a collection may take: while somebody waits for it, and by the schedule, where many
# accounts share the budget of calls. Its lease ends only after that.
_WAITED_FOR: Final = 90.0
_UNATTENDED: Final = 600.0
_GRACE: Final = 30.0
# Posts read within the last hour are left alone, unless somebody insists.
_FRESH: Final = timedelta(hours=1)
# What the schedule reads of an account at a time: young posts, and of the others a few in turn.
_YOUNG: Final = timedelta(days=30)
_SCHEDULED_POSTS: Final = 200

ENSURE = """
INSERT INTO analytics_refreshes (workspace_id, saved_account_id) VALUES ($1, $2)
ON CONFLICT DO NOTHING
"""
LOCK = """
SELECT due_at FROM analytics_refreshes WHERE workspace_id = $1 AND saved_account_id = $2 FOR UPDATE
"""
ENSURE_QUOTA = """
INSERT INTO analytics_quotas (workspace_id, month) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
LOCK_QUOTA = "SELECT 1 FROM analytics_quotas WHERE workspace_id = $1 AND month = $2 FOR UPDATE"
LEASE = """
UPDATE analytics_refreshes
   SET lease_token = $3, lease_until = now() + $4, lease_counts = $5
 WHERE workspace_id = $1 AND saved_account_id = $2
"""
# $3: whether posts that were read after $4 are wanted as well.
POSTS_TO_READ = """
SELECT id, platform_post_id, platform_url FROM tracked_posts
 WHERE workspace_id = $1 AND saved_account_id = $2
   AND ($3 OR read_at IS NULL OR read_at <= $4)
 ORDER BY ordinal DESC LIMIT $5
"""
POSTS_IN_TURN = """
SELECT id, platform_post_id, platform_url FROM tracked_posts
 WHERE workspace_id = $1 AND saved_account_id = $2 AND (read_at IS NULL OR read_at <= $3)
 ORDER BY COALESCE(published_at, tracked_at) > $4 DESC, read_at NULLS FIRST, ordinal DESC LIMIT $5
"""
FINISH = """
UPDATE analytics_refreshes
   SET refreshed_at = $4, asked_at = CASE WHEN lease_counts THEN $4 ELSE asked_at END, due_at = $5,
       failures = 0, failure_reason = NULL,
       lease_token = NULL, lease_until = NULL, lease_counts = false
 WHERE workspace_id = $1 AND saved_account_id = $2 AND lease_token = $3
RETURNING 1
"""
USE_QUOTA = """
INSERT INTO analytics_quotas AS q (workspace_id, month, used) VALUES ($1, $2, 1)
ON CONFLICT (workspace_id, month) DO UPDATE SET used = q.used + 1
"""
GIVE_BACK = """
UPDATE analytics_refreshes
   SET lease_token = NULL, lease_until = NULL, lease_counts = false
 WHERE workspace_id = $1 AND saved_account_id = $2 AND lease_token = $3
"""
FAILED = """
UPDATE analytics_refreshes
   SET lease_token = NULL, lease_until = NULL, lease_counts = false,
       failures = failures + 1, failure_reason = $4
 WHERE workspace_id = $1 AND saved_account_id = $2 AND lease_token = $3
RETURNING failures
"""
POSTPONE = """
UPDATE analytics_refreshes SET due_at = GREATEST(due_at, $3)
 WHERE workspace_id = $1 AND saved_account_id = $2
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A refresh that may run; ``asked`` says whether somebody asked for it, and pays by the quota.

    ``now`` is the workspace's clock.
    """

    account: Row
    token: UUID
    now: datetime
    asked: bool
    wanted: Wanted

    @property
    def seconds(self) -> float:
        """How long the collection may take."""
        return _WAITED_FOR if self.asked else _UNATTENDED

    @property
    def key(self) -> tuple[UUID, UUID]:
        """The workspace and the account."""
        return self.account["workspace_id"], self.account["id"]


async def claim_refresh(
    tx: UnitOfWork, account_id: UUID, request: RefreshAnalyticsRequest, rules: RefreshRules
) -> Claim:
    """Claim a refresh that somebody asks for.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
        AnalyticsLevelRequiredError: ``force`` or comments need the plan full.
        RefreshCooldownError: it is too early, the month is used up, or another one is running.
    """
    account = await account_to_refresh(tx.conn, tx.workspace_id, account_id)
    _require_plan(account, request)
    month = month_of(tx.now)
    await tx.conn.execute(ENSURE, tx.workspace_id, account_id)
    await tx.conn.fetchval(LOCK, tx.workspace_id, account_id)
    # The quota's row makes the accounts of a workspace queue up, so that no two take the last one.
    await tx.conn.execute(ENSURE_QUOTA, tx.workspace_id, month)
    await tx.conn.fetchval(LOCK_QUOTA, tx.workspace_id, month)
    state = await tx.conn.fetchrow(STATE, tx.workspace_id, account_id)
    quota = await quota_of(tx.conn, tx.workspace_id, rules, tx.now)
    refuse_too_early(account, state, quota, now=tx.now, force=request.force is True)
    posts: Sequence[TrackedPost] = ()
    if request.wants_posts:
        limit = request.post_limit or DEFAULT_POSTS
        posts = await _posts(tx, account_id, every=request.force_posts is True, limit=limit)
    wanted = _wanted(
        account,
        posts,
        include_posts=request.wants_posts,
        include_comments=request.include_comments is True,
        bootstrap=request.bootstrap_posts is True,
        limit=request.post_limit or DEFAULT_POSTS,
    )
    return await _claim(tx, account, wanted, asked=True)


async def claim_scheduled(tx: UnitOfWork, account_id: UUID) -> Claim | None:
    """Claim a refresh that is due by the schedule, or give None if it is not, or one is running.

    Whoever has found it due may have looked before another worker refreshed it.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
    """
    account = await account_to_refresh(tx.conn, tx.workspace_id, account_id)
    await tx.conn.execute(ENSURE, tx.workspace_id, account_id)
    due_at = await tx.conn.fetchval(LOCK, tx.workspace_id, account_id)
    state = await tx.conn.fetchrow(STATE, tx.workspace_id, account_id)
    if state is None or state["running"] or (due_at is not None and due_at > tx.now):
        return None
    rows = await tx.conn.fetch(
        POSTS_IN_TURN,
        tx.workspace_id,
        account_id,
        tx.now - _FRESH,
        tx.now - _YOUNG,
        _SCHEDULED_POSTS,
    )
    wanted = _wanted(
        account,
        [TrackedPost(**row) for row in rows],
        include_posts=True,
        include_comments=includes(account["plan"], "full"),
        bootstrap=False,
        limit=_SCHEDULED_POSTS,
    )
    return await _claim(tx, account, wanted, asked=False)


async def collect_claimed(claim: Claim, providers: Providers, *, connect: Connect) -> Collected:
    """Ask the account's provider for what was claimed.

    Raises:
        ProviderFailedError: it gave nothing.
    """
    provider = providers.of_account(claim.account, connect=connect, now=claim.now)
    try:
        async with asyncio.timeout(claim.seconds):
            return await provider.collect(claim.wanted)
    except TimeoutError:
        raise ProviderFailedError(
            provider.source,
            f"the platform took longer than {claim.seconds:.0f} s; ask for fewer posts",
            retryable=True,
        ) from None


async def finish_refresh(
    tx: UnitOfWork, claim: Claim, collected: Collected, rules: RefreshRules
) -> Stored:
    """Store a collection, and tell of it.

    Raises:
        RefreshCooldownError: the lease has run out, and another refresh has the account now.
    """
    account_id = claim.account["id"]
    due = rules.due_after(tx.now, account_id)
    if await tx.conn.fetchval(FINISH, *claim.key, claim.token, tx.now, due) is None:
        raise RefreshCooldownError(
            f"The refresh of {claim.account['username']} took so long that another one has begun."
            " Nothing of it was stored; see GET /accounts/{id}/analytics/can-refresh.",
            details={"reason": "running"},
            retry_after=1,
        )
    stored = await store_observations(
        tx=tx, account_id=account_id, collected=collected, bootstrap=claim.wanted.bootstrap
    )
    if claim.asked:
        await tx.conn.execute(USE_QUOTA, tx.workspace_id, month_of(tx.now))
    tx.emit(
        EVENT,
        {
            "saved_account_id": account_id,
            "platform": claim.account["platform"],
            "refreshed_at": wire_time(tx.now),
            "posts_refreshed": stored.posts_refreshed,
            "posts_imported": stored.posts_imported,
            "comments_collected": stored.comments_collected,
        },
    )
    return stored


async def give_back(conn: Connection, claim: Claim) -> None:
    """Let go of a claim as if it had never been made."""
    await conn.execute(GIVE_BACK, *claim.key, claim.token)


async def note_failure(
    conn: Connection, claim: Claim, failure: ProviderFailedError, rules: RefreshRules
) -> None:
    """Let go of a claim whose provider failed: no cooldown, no quota, but a later next time."""
    failures = await conn.fetchval(FAILED, *claim.key, claim.token, failure.reason)
    if failures is not None:
        due = rules.due_after_failure(claim.now, failures, retryable=failure.retryable)
        await conn.execute(POSTPONE, *claim.key, due)


def _require_plan(account: Row, request: RefreshAnalyticsRequest) -> None:
    for asked, what in (
        (request.force, "A forced refresh (`force`)"),
        (request.include_comments, "Collecting comments (`includeComments`)"),
    ):
        if asked and not includes(account["plan"], "full"):
            raise level_required(account["plan"], "full", what=what)


async def _posts(tx: UnitOfWork, account_id: UUID, *, every: bool, limit: int) -> list[TrackedPost]:
    rows = await tx.conn.fetch(
        POSTS_TO_READ, tx.workspace_id, account_id, every, tx.now - _FRESH, limit
    )
    return [TrackedPost(**row) for row in rows]


def _wanted(
    account: Row,
    posts: Sequence[TrackedPost],
    *,
    include_posts: bool,
    include_comments: bool,
    bootstrap: bool,
    limit: int,
) -> Wanted:
    return Wanted(
        workspace_id=account["workspace_id"],
        account_id=account["id"],
        platform=account["platform"],
        username=account["username"],
        posts=posts,
        include_posts=include_posts,
        include_comments=include_comments,
        bootstrap=bootstrap,
        post_limit=limit,
    )


async def _claim(tx: UnitOfWork, account: Row, wanted: Wanted, *, asked: bool) -> Claim:
    claim = Claim(account, uuid4(), tx.now, asked, wanted)
    lease = timedelta(seconds=claim.seconds + _GRACE)
    await tx.conn.execute(LEASE, *claim.key, claim.token, lease, asked)
    return claim
