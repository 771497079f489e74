"""Many rows through the door at once: what each leaves is what it would have left alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered, video, working
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection
from tokportal_server.lib.machine import IllegalTransitionError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.door import LostUpdateError, move, move_all
from tokportal_server.orders.locks import Row, lock_bundle, lock_slots
from tokportal_server.orders.states import SLOT

TRACES = """
SELECT j.kind, j.object_id, j.from_status, j.to_status, j.actor_kind FROM journal j
 WHERE j.to_status = 'published' AND j.kind = 'slot' ORDER BY j.at, j.object_id
"""


async def configured(alice: Client) -> str:
    """Order three slots and configure two of them; give the bundle's id."""
    bundle_id = await ordered(alice, videos=3)
    items = [{"position": position, **video()} for position in (1, 2)]
    await alice.put(f"/bundles/{bundle_id}/videos/batch", {"videos": items})
    return bundle_id


async def published(tx: UnitOfWork, bundle: Row, rows: list[Row], *, together: bool) -> list[Row]:
    """Publish slots in one step, or one after the other."""
    more: dict[str, Any] = {"published_at": tx.now}
    if together:
        return await move_all(
            tx,
            SLOT,
            rows,
            "published",
            actor=SYSTEM,
            data=lambda row: about_slot(bundle, row),
            **more,
        )
    return [
        await move(tx, SLOT, row, "published", actor=SYSTEM, data=about_slot(bundle, row), **more)
        for row in rows
    ]


async def test_journal_counters_events_and_rows_are_as_if_one_by_one(
    alice: Client, conn: Connection, world: World
) -> None:
    left = []
    for together in (False, True):
        bundle_id = await configured(alice)
        async with working(conn, world) as tx:
            bundle = await lock_bundle(tx, UUID(bundle_id))
            rows = (await lock_slots(tx, bundle))[:2]
            # The order is the caller's, not that of the statement's answer.
            done = await published(tx, bundle, rows[::-1], together=together)
        assert [row["position"] for row in done] == [2, 1]
        events = await conn.fetch(
            "SELECT type, data - 'video_id' - 'bundle_id' AS data FROM events"
            " WHERE data ->> 'bundle_id' = $1 AND type = 'video.published' ORDER BY sequence",
            bundle_id,
        )
        counts = await conn.fetch("SELECT status, n FROM counters WHERE kind = 'slot'")
        journal = await conn.fetch(TRACES)
        left.append(
            (
                [(row["status"], row["published_at"] is not None) for row in done],
                [tuple(event) for event in events],
                {row["status"]: row["n"] for row in counts}["published"],
                len(journal),
            )
        )
    (rows_alone, events_alone, counted, noted), many = left
    assert many == (rows_alone, events_alone, counted + 2, noted + 2)
    assert [data["position"] for _, data in events_alone] == [2, 1]


async def test_nothing_that_the_table_does_not_have_or_that_was_not_seen_is_written(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await configured(alice)
    async with working(conn, world) as tx:
        bundle = await lock_bundle(tx, UUID(bundle_id))
        slots = await lock_slots(tx, bundle)

        async def move_to(target: str, rows: list[Row]) -> list[Row]:
            return await move_all(tx, SLOT, rows, target, actor=SYSTEM, data=lambda _: {})

        assert await move_to("published", []) == []
        with pytest.raises(ValueError, match="too many values"):
            await move_to("published", slots)
        with pytest.raises(IllegalTransitionError):
            await move_to("finalized", slots[:2])
        await tx.conn.execute("UPDATE slots SET status = 'cancelled' WHERE id = $1", slots[0]["id"])
        with pytest.raises(LostUpdateError):
            await move_to("published", slots[:2])
        assert tx._journal == []
        assert tx._events == []
