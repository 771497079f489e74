"""The ledger's SQL functions against the model, and what they refuse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.credits.comparison import ENTRIES, LOTS, compare
from tests.credits.moves import debit, empty_workspace, grant, refund
from tests.credits.wallet import Wallet
from tokportal_server.credits.ledger import InsufficientCreditsError, adjust, spendable
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workbench.doctor import examine

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

LINES_OF = """
SELECT l.ordinal, -e.amount AS paid FROM credit_entry_lots e
  JOIN credit_lots l ON l.workspace_id = e.workspace_id AND l.id = e.lot_id
 WHERE e.workspace_id = $1 AND e.entry_id = $2 ORDER BY l.ordinal
"""

# Whole days, so that writes often fall on the very instant at which a lot ends; and now and then a
# step back, as between two writes that race for the wallet.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), st.integers(1, 20), st.sampled_from([None, 1, 2, 3, 30])),
        st.tuples(st.just("debit"), st.integers(1, 30)),
        st.tuples(st.just("refund"), st.integers(0, 9), st.integers(1, 25)),
        st.tuples(st.just("pass"), st.sampled_from([1, 1, 2, 30, -1])),
    ),
    min_size=5,
    max_size=25,
)


async def _play(conn: Connection, steps: list[tuple[Any, ...]]) -> None:
    """Do the steps in the database and in the model, and compare after each."""
    workspace = await empty_workspace(conn)
    wallet, debits, now = Wallet(), [], START
    for kind, *details in steps:
        done: bool | None = None
        match kind, *details:
            case "grant", amount, days:
                ends = None if days is None else max(now, wallet.moment) + days * DAY
                await grant(conn, workspace, amount, now=now, expires_at=ends)
                done = wallet.grant(now, amount, ends)
                expected = True
            case "debit", amount:
                expected = wallet.debit(now, amount)
                try:
                    debits.append(await debit(conn, workspace, amount, now=now))
                    done = True
                except InsufficientCreditsError:
                    done = False
            case "refund", number, amount if debits:
                number %= len(debits)
                expected = wallet.refund(now, number, amount)
                try:
                    await refund(conn, workspace, debits[number], amount, now=now)
                    done = True
                except ValueError:
                    done = False
            case "pass", days:
                now += days * DAY
        if done is not None:
            assert done is expected
            await compare(conn, workspace, wallet)


@pytest.mark.hazard(29)
@pytest.mark.parametrize(
    "examples", [150, pytest.param(2000, marks=pytest.mark.proof)], ids=["short", "long"]
)
def test_every_sequence_of_writes_ends_as_the_model_says(dsn: str, examples: int) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(asyncpg.connect(dsn))
        runner.run(prepare_connection(conn))

        @settings(max_examples=examples, deadline=None, database=None)
        @given(STEPS)
        def against_the_model(steps: list[tuple[Any, ...]]) -> None:
            runner.run(_play(conn, steps))

        against_the_model()
        assert [f for f in runner.run(examine(conn)) if f.contradictions] == []
        runner.run(conn.close())


async def test_the_earliest_expiring_lot_pays_first_then_the_oldest(conn: Connection) -> None:
    workspace = await empty_workspace(conn)
    for days in (None, 5, 2, 2):
        ends = None if days is None else START + days * DAY
        await grant(conn, workspace, 10, now=START, expires_at=ends)
    entry = await debit(conn, workspace, 33, now=START)
    lines = await conn.fetch(LINES_OF, workspace, entry)
    assert [row["paid"] for row in lines] == [3, 10, 10, 10]
    assert [row["remaining"] for row in await conn.fetch(LOTS, workspace)] == [7, 0, 0, 0]


async def test_an_expired_lot_comes_back_with_thirty_days_and_then_ends_again(
    conn: Connection,
) -> None:
    workspace = await empty_workspace(conn)
    await grant(conn, workspace, 10, now=START, expires_at=START + DAY)
    entry = await debit(conn, workspace, 10, now=START)
    back = START + 5 * DAY
    assert await refund(conn, workspace, entry, 4, now=back) == 4
    # A second part finds the lot alive and does not lengthen its life.
    assert await refund(conn, workspace, entry, 6, now=back + DAY) == 10
    (lot,) = await conn.fetch(LOTS, workspace)
    assert (lot["remaining"], lot["expires_at"]) == (10, back + 30 * DAY)
    assert await spendable(conn, workspace, back + 30 * DAY - timedelta(microseconds=1)) == 10
    assert await spendable(conn, workspace, back + 30 * DAY) == 0
    with pytest.raises(InsufficientCreditsError):
        await debit(conn, workspace, 1, now=back + 30 * DAY)


async def test_a_write_that_read_the_clock_before_an_expiry_cannot_undo_it(
    conn: Connection,
) -> None:
    workspace = await empty_workspace(conn)
    ends = START + DAY
    await grant(conn, workspace, 10, now=START, expires_at=ends)
    entry = await debit(conn, workspace, 4, now=START)
    await grant(conn, workspace, 1, now=ends)
    # It waited for the wallet while the one above let the lot expire.
    assert await refund(conn, workspace, entry, 4, now=ends - timedelta(milliseconds=1)) == 5
    (returned, _) = await conn.fetch(LOTS, workspace)
    assert returned["expires_at"] == ends + 30 * DAY
    assert await grant(conn, workspace, 1, now=ends + 31 * DAY) == 2
    assert [f for f in await examine(conn) if f.contradictions] == []


@pytest.mark.parametrize("already", [0, 1, 7])
async def test_refuses_to_give_back_more_than_was_paid(conn: Connection, already: int) -> None:
    workspace = await empty_workspace(conn)
    await grant(conn, workspace, 100, now=START)
    entry = await debit(conn, workspace, 7, now=START)
    if already:
        await refund(conn, workspace, entry, already, now=START)
    with pytest.raises(ValueError, match="less than"):
        await refund(conn, workspace, entry, 8 - already, now=START)
    assert await spendable(conn, workspace, START) == 93 + already


@pytest.mark.parametrize("amount", [0, -5])
async def test_refuses_a_refund_that_gives_nothing_back(conn: Connection, amount: int) -> None:
    workspace = await empty_workspace(conn)
    await grant(conn, workspace, 100, now=START)
    entry = await debit(conn, workspace, 7, now=START)
    with pytest.raises(ValueError, match="left to refund"):
        await refund(conn, workspace, entry, amount, now=START)


async def test_refuses_to_refund_a_grant_a_refund_or_another_workspaces_debit(
    conn: Connection,
) -> None:
    ours, theirs = await empty_workspace(conn), await empty_workspace(conn)
    for workspace in (ours, theirs):
        await grant(conn, workspace, 100, now=START)
    entry = await debit(conn, theirs, 7, now=START)
    await refund(conn, theirs, entry, 3, now=START)
    others = await conn.fetch("SELECT id FROM credit_entries WHERE type <> 'debit'")
    for other in [*(row["id"] for row in others), entry]:
        with pytest.raises(ValueError, match="left to refund"):
            await refund(conn, ours, other, 1, now=START)
    assert await spendable(conn, ours, START) == 100


async def _adjust(conn: Connection, workspace: UUID, amount: int) -> int:
    async with unit_of_work(conn, workspace, now=START) as tx:
        return await adjust(
            tx, amount=amount, description="Counted", business_key=f"a:{uuid4()}", actor=SYSTEM
        )


async def test_an_adjustment_goes_up_as_a_lot_and_down_as_a_debit_that_nobody_refunds(
    conn: Connection,
) -> None:
    workspace = await empty_workspace(conn)
    await grant(conn, workspace, 10, now=START, expires_at=START + DAY)
    assert await _adjust(conn, workspace, 5) == 15
    assert await _adjust(conn, workspace, -12) == 3
    lots = await conn.fetch(LOTS, workspace)
    assert [(row["remaining"], row["expires_at"]) for row in lots] == [(0, START + DAY), (3, None)]
    entry = await conn.fetchval("SELECT id FROM credit_entries WHERE amount = -12")
    with pytest.raises(ValueError, match="left to refund"):
        await refund(conn, workspace, entry, 1, now=START)
    with pytest.raises(InsufficientCreditsError):
        await _adjust(conn, workspace, -4)
    with pytest.raises(ValueError, match="adjustment of 0"):
        await _adjust(conn, workspace, 0)
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_a_negative_debit_is_not_a_way_to_make_credits(conn: Connection) -> None:
    workspace = await empty_workspace(conn)
    await grant(conn, workspace, 5, now=START)
    with pytest.raises(asyncpg.CheckViolationError):
        await debit(conn, workspace, -5, now=START)
    assert await spendable(conn, workspace, START) == 5


async def test_an_effect_happens_once_whatever_repeats_it(conn: Connection) -> None:
    workspace, other = await empty_workspace(conn), await empty_workspace(conn)
    await grant(conn, workspace, 100, now=START, business_key="bought:1")
    entry = await debit(conn, workspace, 10, now=START, business_key="thing:1")
    await refund(conn, workspace, entry, 4, now=START, business_key="back:1")
    with pytest.raises(asyncpg.UniqueViolationError):
        await grant(conn, workspace, 100, now=START, business_key="bought:1")
    with pytest.raises(asyncpg.UniqueViolationError):
        await debit(conn, workspace, 10, now=START, business_key="thing:1")
    with pytest.raises(asyncpg.UniqueViolationError):
        await refund(conn, workspace, entry, 4, now=START, business_key="back:1")
    assert await spendable(conn, workspace, START) == 94
    # The key belongs to its workspace.
    assert await grant(conn, other, 1, now=START, business_key="bought:1") == 1


@pytest.mark.hazard(32)
@pytest.mark.parametrize("table", ["credit_entries", "credit_entry_lots"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET amount = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
async def test_nobody_changes_what_stands_in_the_ledger(
    conn: Connection, table: str, statement: str
) -> None:
    workspace = await empty_workspace(conn)
    await grant(conn, workspace, 5, now=START)
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await conn.execute(statement.format(table))
    assert await conn.fetchval(ENTRIES, workspace) == 5


async def test_a_lot_can_hold_neither_less_than_nothing_nor_more_than_it_was(
    conn: Connection,
) -> None:
    await grant(conn, await empty_workspace(conn), 5, now=START)
    for remaining in (-1, 6):
        with pytest.raises(asyncpg.CheckViolationError):
            await conn.execute("UPDATE credit_lots SET remaining = $1", remaining)
