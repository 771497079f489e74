"""Store what a provider has seen of an account: all of it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from tokportal_server.analytics.account_sums import ACCOUNT_METRICS, lock_numbers, sum_up
from tokportal_server.analytics.comment_rows import store_comments
from tokportal_server.analytics.day_rows import add_days
from tokportal_server.analytics.latest import Latest
from tokportal_server.analytics.observations import Collected, Reading, Source
from tokportal_server.analytics.post_rows import SeenPost, find_posts, store_posts
from tokportal_server.analytics.rollups import Days, Sighting, add_chain, subtract
from tokportal_server.analytics.snapshots import (
    Chain,
    account_chain,
    append_account,
    append_posts,
    post_chains,
)
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

STORE_ACCOUNT = """
UPDATE account_latest
   SET followers = $3, following = $4, posts = $5, meta = meta || $6::jsonb,
       read_at = $7, read_source = $8
 WHERE workspace_id = $1 AND saved_account_id = $2
"""
STORE_AGE = """
UPDATE account_latest SET collected_at = GREATEST(collected_at, $3)
 WHERE workspace_id = $1 AND saved_account_id = $2
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a collection; readings that were here already are not counted."""

    posts_refreshed: int
    posts_imported: int
    comments_collected: int


async def store_observations(
    *, tx: UnitOfWork, account_id: UUID, collected: Collected, bootstrap: bool
) -> Stored:
    """Store a collection of one account (contract section 11).

    1. Lock the account's numbers: collections of one account queue up here.
    2. Find the tracked posts that it speaks of; with ``bootstrap`` the others are tracked as well,
       without it they are left alone.
    3. Append the snapshots. One that is here already (same post, source and time) is left out.
    4. Bring the latest numbers and the days up to date. What is newer than all before it needs one
       step; what comes late has its chain of snapshots read again.
    5. Add up the account's posts, and store the comments.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    # Times go over the wire in milliseconds, and what is told must be what is compared.
    moment = _in_milliseconds(collected.collected_at)
    account = await lock_numbers(tx, account_id)
    posts, imported = await find_posts(
        tx, account_id, account["platform"], collected.posts, import_new=bootstrap
    )
    days: Days = {}
    fresh = await _only_new(tx, posts, collected.source, moment, days)
    if fresh:
        await append_posts(tx, collected.source, moment, [(p.id, p.seen.reading) for p in fresh])
        await store_posts(tx, collected.source, moment, fresh)
    if collected.account is not None:
        await _store_account(tx, account, collected.account, collected.source, moment, days)
    await add_days(tx, account, days)
    await sum_up(tx, account_id)
    await tx.conn.execute(STORE_AGE, tx.workspace_id, account_id, moment)
    comments = await store_comments(tx, account_id, collected, moment)
    return Stored(len(fresh), imported, comments)


async def _only_new(
    tx: UnitOfWork, posts: Sequence[SeenPost], source: Source, moment: datetime, days: Days
) -> list[SeenPost]:
    """Give the posts whose reading is not here yet, and collect what they change in ``days``."""
    late = [post.id for post in posts if not post.is_older_than(moment, source)]
    found = await post_chains(tx, late) if late else {}
    fresh = []
    for post in posts:
        reading, chain = post.seen.reading, found.get(post.id)
        if chain is None:
            post.latest.count(days, reading, moment, born=not post.imported)
        elif (moment, source) in chain.readings:
            continue
        else:
            _add_late(days, chain, reading, source, moment, born=not post.imported)
        fresh.append(post)
    return fresh


async def _store_account(
    tx: UnitOfWork, account: Row, reading: Reading, source: Source, moment: datetime, days: Days
) -> None:
    """Store a reading of the account itself, unless it is here already."""
    account_id: UUID = account["saved_account_id"]
    latest = Latest.of(account, ACCOUNT_METRICS)
    read = account["read_at"] and (account["read_at"], account["read_source"])
    if read is None or (moment, source) > read:
        latest.count(days, reading, moment, born=False)
        read = moment, source
    else:
        chain = await account_chain(tx, account_id, ACCOUNT_METRICS)
        if (moment, source) in chain.readings:
            return
        _add_late(days, chain, reading, source, moment, born=False)
    latest.merge(reading, source, moment)
    await append_account(tx, account_id, source, moment, reading)
    await tx.conn.execute(
        STORE_ACCOUNT,
        tx.workspace_id,
        account_id,
        *latest.values.values(),
        latest.meta,
        *read,
    )


def _add_late(
    days: Days, chain: Chain, reading: Reading, source: Source, moment: datetime, *, born: bool
) -> None:
    """Collect what a reading changes that comes between others, or before them."""
    before: Days = {}
    for metric, sightings in chain.sightings.items():
        if (value := reading.metrics.get(metric)) is not None:
            add_chain(before, metric, sightings, born=born)
            add_chain(days, metric, [*sightings, Sighting(moment, source, value)], born=born)
    subtract(days, before)


def _in_milliseconds(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
