"""A transaction that fails at any step leaves no job, event, entry or idempotency row."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.credits.moves import empty_workspace, grant
from tests.http.test_dry_run import everything
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)
NOTE_ANSWER = """
INSERT INTO idempotency_keys (workspace_id, key, fingerprint, status, body, expires_at)
VALUES ($1, $2, '\\x00', 201, '\\x00', now() + interval '1 day')
"""


class StepError(Exception):
    """The step that fails."""


async def _enqueue(tx: UnitOfWork) -> None:
    await enqueue(tx.conn, "note", {"id": str(uuid4())})


async def _emit(tx: UnitOfWork) -> None:
    tx.emit("bundle.created", {"id": str(uuid4())})


async def _debit(tx: UnitOfWork) -> None:
    subject = uuid4()
    await ledger.debit(
        tx,
        amount=1,
        description="Something",
        breakdown={"something": 1, "total": 1},
        reference=ledger.Reference("thing", subject, f"thing:{subject}"),
        actor=SYSTEM,
    )


async def _answer(tx: UnitOfWork) -> None:
    await tx.conn.execute(NOTE_ANSWER, tx.workspace_id, str(uuid4()))


async def _fail(_: UnitOfWork) -> None:
    raise StepError


async def _break(tx: UnitOfWork) -> None:
    await tx.conn.execute("SELECT 1 / 0")


async def _cancelled(_: UnitOfWork) -> None:
    raise asyncio.CancelledError


Step = Callable[[UnitOfWork], Awaitable[None]]
WORK: list[Step] = [_enqueue, _emit, _debit, _answer]
FAILURES: list[Step] = [_fail, _break, _cancelled]
HANDLERS = st.tuples(
    st.lists(st.sampled_from(WORK), min_size=1, max_size=8),
    st.sampled_from(FAILURES),
    st.integers(0, 8),
)


async def _handle(conn: Connection, workspace: UUID, steps: list[Step]) -> None:
    async with unit_of_work(conn, workspace, now=START) as tx:
        for step in steps:
            await step(tx)


async def _play(
    conn: Connection, workspace: UUID, home: Path, handler: tuple[list[Step], Step, int]
) -> None:
    steps, failure, place = handler
    before = await everything(conn, home)
    broken = [*steps[:place], failure, *steps[place:]]
    with pytest.raises((StepError, asyncpg.DivisionByZeroError, asyncio.CancelledError)):
        await _handle(conn, workspace, broken)
    assert await everything(conn, home) == before
    # The same handler without the failure does leave something, so that nothing proves nothing.
    await _handle(conn, workspace, steps)
    assert await everything(conn, home) != before


@pytest.mark.hazard(5)
@pytest.mark.parametrize(
    "examples", [30, pytest.param(500, marks=pytest.mark.proof)], ids=["short", "long"]
)
def test_a_handler_that_fails_at_any_step_leaves_nothing(
    dsn: str, home: Path, examples: int
) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(asyncpg.connect(dsn))
        runner.run(prepare_connection(conn))
        workspace = runner.run(empty_workspace(conn))
        runner.run(grant(conn, workspace, 10_000, now=START))

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(HANDLERS)
        def failing(handler: tuple[list[Step], Step, int]) -> None:
            runner.run(_play(conn, workspace, home, handler))

        failing()
        runner.run(conn.close())
