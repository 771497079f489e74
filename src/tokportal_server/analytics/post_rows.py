"""The rows of tracked posts: finding those that a provider speaks of, and storing what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tokportal_server.analytics.latest import Latest
from tokportal_server.analytics.observations import POST_METRICS, PostReading, Source
from tokportal_server.analytics.strange_text import storable
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.orders.post_urls import is_post_url, post_key

_COLUMNS = f"""id, post_key, platform_post_id, imported, {", ".join(POST_METRICS)}, meta, read_at,
               read_source"""
FIND_POSTS = f"""
SELECT {_COLUMNS} FROM tracked_posts
 WHERE workspace_id = $1 AND saved_account_id = $2
   AND (platform_post_id = ANY ($3::text[]) OR post_key = ANY ($4::text[]))
"""
IMPORT_POSTS = f"""
INSERT INTO tracked_posts (workspace_id, saved_account_id, imported, tracked_at, platform_post_id,
                           post_key, platform_url, description, published_at)
SELECT $1, $2, true, $3, n.*
  FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[]) AS n
RETURNING {_COLUMNS}
"""
_VALUES = "".join(f"{metric} = n.{metric}, " for metric in POST_METRICS)
STORE_POSTS = f"""
UPDATE tracked_posts t
   SET platform_post_id = COALESCE(t.platform_post_id, n.platform_post_id),
       description = COALESCE(n.description, t.description),
       published_at = COALESCE(n.published_at, t.published_at),
       {_VALUES}meta = n.meta,
       first_read_at = LEAST(t.first_read_at, $2),
       read_at = n.read_at, read_source = n.read_source
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[], $8::bigint[],
              $9::bigint[], $10::bigint[], $11::bigint[], $12::jsonb[], $13::timestamptz[],
              $14::text[])
       AS n(id, platform_post_id, description, published_at, {", ".join(POST_METRICS)}, meta,
            read_at, read_source)
 WHERE t.workspace_id = $1 AND t.id = n.id
"""


@dataclass(slots=True)
class SeenPost:
    """A tracked post, as it stood, and what is said of it now."""

    id: UUID
    imported: bool
    latest: Latest
    read: tuple[datetime, str] | None
    seen: PostReading

    @classmethod
    def of(cls, row: Row, seen: PostReading) -> SeenPost:
        """Join a row with its reading."""
        read = row["read_at"] and (row["read_at"], row["read_source"])
        return cls(row["id"], row["imported"], Latest.of(row, POST_METRICS), read, seen)

    def is_older_than(self, moment: datetime, source: Source) -> bool:
        """Say whether all readings of it so far come before this one."""
        return self.read is None or self.read < (moment, source)


def key_of(platform: str, post: PostReading) -> str:
    """Give what the addresses of a post have in common; the platform's id if it has no address."""
    url = post.platform_url
    return post_key(platform, url) if is_post_url(platform, url) else post.platform_post_id


async def find_posts(
    tx: UnitOfWork,
    account_id: UUID,
    platform: str,
    readings: Iterable[PostReading],
    *,
    import_new: bool,
) -> tuple[list[SeenPost], int]:
    """Give the tracked posts of readings; track the others if asked to, and say how many."""
    # A provider's pages may overlap: what it says last of a post holds.
    by_id = {reading.platform_post_id: reading for reading in readings}
    if not by_id:
        return [], 0
    keys = {name: key_of(platform, reading) for name, reading in by_id.items()}
    rows = await tx.conn.fetch(
        FIND_POSTS, tx.workspace_id, account_id, list(keys), list(keys.values())
    )
    named = {row["platform_post_id"]: row for row in rows}
    # A post of a slot has no id of the platform until a provider gives it one.
    unnamed = {row["post_key"]: row for row in rows if row["platform_post_id"] is None}
    found = []
    new = []
    for name, reading in by_id.items():
        row = named.get(name) or unnamed.pop(keys[name], None)
        if row is not None:
            found.append(SeenPost.of(row, reading))
        elif keys[name] not in {row["post_key"] for row in rows}:
            new.append(name)
    if new and import_new:
        found += await _import(tx, account_id, [(by_id[name], keys[name]) for name in new])
        return found, len(new)
    return found, 0


async def _import(
    tx: UnitOfWork, account_id: UUID, posts: Sequence[tuple[PostReading, str]]
) -> list[SeenPost]:
    readings = {reading.platform_post_id: reading for reading, _ in posts}
    rows = await tx.conn.fetch(
        IMPORT_POSTS,
        tx.workspace_id,
        account_id,
        tx.now,
        list(readings),
        [key for _, key in posts],
        [reading.platform_url for reading in readings.values()],
        [_description(reading) for reading in readings.values()],
        [reading.published_at for reading in readings.values()],
    )
    return [SeenPost.of(row, readings[row["platform_post_id"]]) for row in rows]


async def store_posts(
    tx: UnitOfWork, source: Source, moment: datetime, posts: Sequence[SeenPost]
) -> None:
    """Bring the rows of posts up to date with their readings, which may have come late."""
    for post in posts:
        post.latest.merge(post.seen.reading, source, moment)
    newest = [post.is_older_than(moment, source) for post in posts]
    words = [post.seen if new else None for post, new in zip(posts, newest, strict=True)]
    read = [(moment, source) if new else post.read for post, new in zip(posts, newest, strict=True)]
    await tx.conn.execute(
        STORE_POSTS,
        tx.workspace_id,
        moment,
        [post.id for post in posts],
        [post.seen.platform_post_id for post in posts],
        [said and _description(said) for said in words],
        [said and said.published_at for said in words],
        *([post.latest.values[metric] for post in posts] for metric in POST_METRICS),
        [post.latest.meta for post in posts],
        [at_and_from and at_and_from[0] for at_and_from in read],
        [at_and_from and at_and_from[1] for at_and_from in read],
    )


def _description(post: PostReading) -> str | None:
    return None if post.description is None else storable(post.description, 10_000)
