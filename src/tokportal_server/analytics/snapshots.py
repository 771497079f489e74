"""Snapshots: appended once, each with the provider's own words; read again for what came late."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from tokportal_server.analytics.observations import (
    METRICS,
    POST_METRICS,
    Metric,
    Reading,
    Source,
)
from tokportal_server.analytics.rollups import Sighting
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

APPEND_POSTS = f"""
INSERT INTO post_snapshots (workspace_id, collected_at, source, tracked_post_id,
                            {", ".join(POST_METRICS)}, payload)
SELECT $1, $2, $3, n.* FROM unnest($4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[],
                                   $8::bigint[], $9::bigint[], $10::bytea[]) AS n
"""
APPEND_ACCOUNT = f"""
INSERT INTO account_snapshots (workspace_id, saved_account_id, collected_at, source,
                               {", ".join(METRICS)}, payload)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
POST_CHAINS = f"""
SELECT tracked_post_id AS subject_id, collected_at, source, {", ".join(POST_METRICS)}
  FROM post_snapshots WHERE workspace_id = $1 AND tracked_post_id = ANY ($2::uuid[])
"""
ACCOUNT_CHAINS = f"""
SELECT saved_account_id AS subject_id, collected_at, source, {", ".join(METRICS)}
  FROM account_snapshots WHERE workspace_id = $1 AND saved_account_id = ANY ($2::uuid[])
"""
# Small texts gain most by the first step; the later ones cost time for little.
_LEVEL = 1


class Chain:
    """The kept sightings of one post or account, by metric."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.sightings: dict[Metric, list[Sighting]] = {metric: [] for metric in metrics}
        self.readings: set[tuple[datetime, str]] = set()

    def add(self, row: Row) -> None:
        """Take in a snapshot."""
        at, source = row["collected_at"], row["source"]
        self.readings.add((at, source))
        for metric, sightings in self.sightings.items():
            if row[metric] is not None:
                sightings.append(Sighting(at, source, row[metric]))


async def post_chains(tx: UnitOfWork, post_ids: Sequence[UUID]) -> dict[UUID, Chain]:
    """Give the kept snapshots of posts."""
    rows = await tx.conn.fetch(POST_CHAINS, tx.workspace_id, post_ids)
    return chains(rows, POST_METRICS)


async def account_chain(tx: UnitOfWork, account_id: UUID, metrics: Sequence[Metric]) -> Chain:
    """Give the kept snapshots of an account itself."""
    rows = await tx.conn.fetch(ACCOUNT_CHAINS, tx.workspace_id, [account_id])
    return chains(rows, metrics)[account_id]


def chains(rows: Iterable[Row], metrics: Sequence[Metric]) -> dict[UUID, Chain]:
    """Sort snapshots by what they are of."""
    found: dict[UUID, Chain] = defaultdict(lambda: Chain(metrics))
    for row in rows:
        found[row["subject_id"]].add(row)
    return found


async def append_posts(
    tx: UnitOfWork,
    source: Source,
    collected_at: datetime,
    readings: Sequence[tuple[UUID, Reading]],
) -> None:
    """Append a snapshot of each post, all of one source and time."""
    await tx.conn.execute(
        APPEND_POSTS,
        tx.workspace_id,
        collected_at,
        source,
        [post_id for post_id, _ in readings],
        *([reading.metrics.get(metric) for _, reading in readings] for metric in POST_METRICS),
        [pack(reading.payload) for _, reading in readings],
    )


async def append_account(
    tx: UnitOfWork, account_id: UUID, source: Source, collected_at: datetime, reading: Reading
) -> None:
    """Append a snapshot of the account itself."""
    await tx.conn.execute(
        APPEND_ACCOUNT,
        tx.workspace_id,
        account_id,
        collected_at,
        source,
        *(reading.metrics.get(metric) for metric in METRICS),
        pack(reading.payload),
    )


def pack(payload: bytes) -> bytes:
    """Give a payload as it is stored."""
    return zlib.compress(payload, _LEVEL)


def unpack(stored: bytes) -> bytes:
    """Give a stored payload as the provider sent it."""
    return zlib.decompress(stored)
