"""Days are the same whatever order readings came in, and whoever worked them out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analytics.collecting import a_post, an_account, collect, post, reading
from tests.cast import World, people_the_world
from tokportal_server.analytics.observations import Source
from tokportal_server.analytics.operations.rebuild_rollups import rebuild_rollups
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.workspaces.operations.create_workspace import create_workspace

START = datetime(2026, 10, 1, tzinfo=UTC)
POSTS = ("11111", "22222", "33333")
IMPORTED = {"22222"}
ROWS = {
    "account_days": "SELECT metric, day, baseline, gain, fall, seen FROM account_days"
    " WHERE workspace_id = $1 ORDER BY metric, day",
    "workspace_days": "SELECT metric, day, baseline, gain, fall, seen, accounts_seen"
    " FROM workspace_days WHERE workspace_id = $1 ORDER BY metric, day",
    "account_latest": "SELECT views, likes, followers, begun, meta, tracked_posts, engagements,"
    " engaged_views FROM account_latest WHERE workspace_id = $1",
}


@dataclass(frozen=True)
class Seen:
    """One collection: which post (None: the account itself), when, by whom, how much."""

    post: str | None
    hour: int
    source: Source
    views: int | None
    likes: int | None

    @property
    def at(self) -> datetime:
        return START + timedelta(hours=self.hour)


# A source says one thing at one time; and it may say it again.
_SEEN = st.builds(
    Seen,
    post=st.sampled_from([*POSTS, None]),
    hour=st.integers(0, 24 * 6).map(lambda n: n // 5 * 5),
    source=st.sampled_from(["simulator", "manual"]),
    views=st.none() | st.integers(0, 1000),
    likes=st.none() | st.integers(0, 50),
)
READINGS = st.lists(_SEEN, max_size=25, unique_by=lambda s: (s.post, s.hour, s.source)).flatmap(
    lambda seen: st.permutations([*seen, *seen[::3]])
)


def model(readings: list[Seen]) -> dict[tuple[str, date], list[int]]:
    """Work out baseline, gain, fall and last values by day, plainly."""
    days: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for name in [*POSTS, None]:
        own = sorted({s for s in readings if s.post == name}, key=lambda s: (s.at, s.source))
        for metric in ("views", "likes") if name else ("followers",):
            field = "views" if metric == "followers" else metric
            values = [(s.at.date(), v) for s in own if (v := getattr(s, field)) is not None]
            before = 0
            for index, (day, value) in enumerate(values):
                parts = days[metric, day]
                if index == 0 and (name is None or name in IMPORTED):
                    parts[0] += value
                else:
                    parts[1 if value >= before else 2] += abs(value - before)
                if all(later != day for later, _ in values[index + 1 :]):
                    parts[3] += value
                before = value
    return dict(days)


async def _play(conn: Connection, world: World, readings: list[Seen]) -> None:
    workspace = await create_workspace(conn=conn, name="Acme", owner_id=world.alice)
    account = await an_account(conn, workspace)
    for name in POSTS:
        await a_post(conn, workspace, account, name, imported=name in IMPORTED)
    for seen in readings:
        await _collect(conn, workspace, account, seen)
    kept = await _rows(conn, workspace)
    found = {(row[0], row[1]): list(row[2:]) for row in kept["account_days"]}
    assert found == model(readings)

    await conn.execute("UPDATE account_days SET gain = 77, seen = 5")
    await conn.execute("TRUNCATE workspace_days")
    await rebuild_rollups(conn=conn, workspace_id=workspace)
    assert await _rows(conn, workspace) == kept


async def _collect(conn: Connection, workspace: UUID, account: UUID, seen: Seen) -> None:
    numbers = {"views": seen.views, "likes": seen.likes}
    if seen.post is None:
        known = {} if seen.views is None else {"followers": seen.views}
        await collect(
            conn, workspace, account, at=seen.at, source=seen.source, profile=reading(None, **known)
        )
    else:
        known = {name: value for name, value in numbers.items() if value is not None}
        told = post(seen.post, description=None, published_at=None, **known)
        await collect(conn, workspace, account, told, at=seen.at, source=seen.source)


async def _rows(conn: Connection, workspace: UUID) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: [tuple(row) for row in await conn.fetch(query, workspace)]
        for table, query in ROWS.items()
    }


def test_days_are_those_of_the_model_in_any_order_and_when_they_are_made_anew(dsn: str) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(asyncpg.connect(dsn))
        runner.run(prepare_connection(conn))
        world = runner.run(people_the_world(conn))

        @settings(max_examples=40, deadline=None, database=None)
        @given(READINGS)
        def against_the_model(readings: list[Seen]) -> None:
            runner.run(_play(conn, world, readings))

        against_the_model()
        runner.run(conn.close())
