"""A manager enters the numbers of an account that no API can be asked about."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tokportal_server.analytics.observations import TrackedPost
from tokportal_server.analytics.operations.store_observations import Stored, store_observations
from tokportal_server.analytics.providers.manual import EnteredNumbers, collected_from
from tokportal_server.analytics.tracking import tracked_posts
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.post_urls import is_post_url, post_key
from tokportal_server.workbench.account_guard import lock_own_account
from tokportal_server.workspaces.audit import write_audit

# What was read longer ago is not remembered well enough to be entered.
_OLDEST: Final = timedelta(days=30)


async def enter_metrics(
    *,
    tx: UnitOfWork,
    actor: Actor,
    account_id: UUID,
    entered: EnteredNumbers,
    read_at: datetime | None = None,
) -> Stored:
    """Store what a person has read on the platform, with the source ``manual``.

    ``read_at`` is when it was read, on the workspace's clock: now, unless said otherwise. A
    collection of the same account and time that is here already is not stored twice.

    Raises:
        SavedAccountNotFoundError, NotAccountsManagerError: not this manager's account.
        ValidationError: the numbers cannot be: no post of the account, or a time that is to come.
    """
    account = await lock_own_account(tx, actor, account_id)
    platform, at = account["platform"], read_at or tx.now
    tracked = _by_key(platform, await tracked_posts(tx.conn, tx.workspace_id, account_id))
    problems = list(entered.problems_on(platform, tracked))
    if not tx.now - _OLDEST <= at <= tx.now:
        problems.append(
            Problem("read_at", "must lie in the last 30 days", at.isoformat("T", "seconds"))
        )
    refuse(problems)
    collected = collected_from(entered, tracked, platform=platform, at=at)
    stored = await store_observations(
        tx=tx, account_id=account_id, collected=collected, bootstrap=False
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="analytics.enter",
        subject=("saved_account", account_id),
        actor=actor,
        details={"posts": stored.posts_refreshed},
    )
    return stored


def _by_key(platform: str, posts: list[TrackedPost]) -> dict[str, TrackedPost]:
    return {
        post_key(platform, post.platform_url): post
        for post in posts
        if is_post_url(platform, post.platform_url)
    }
