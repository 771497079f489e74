from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented, delivered, history
from tests.rehearsal.test_managers import rounds
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

SENT_BACK = ["pending", "submitted", "pending_corrections", "submitted", "verified_auto"]


@pytest.fixture
async def account(conn: Connection, world: World) -> str:
    """An account of the rehearsal."""
    return await delivered(conn, world)


async def outcomes(alice: Client, task_id: str) -> list[str]:
    """Give the outcomes of the looks for a task."""
    shown = (await alice.get(f"/comments/{task_id}/verifications")).data
    return [attempt["outcome_kind"] for attempt in shown["attempts"]]


async def advance(alice: Client, hours: int) -> None:
    """Move the rehearsal's clock."""
    reply = await alice.post("/clock/advance", {"hours": hours}, base="/api/rehearsal")
    assert reply.status == 200


async def test_a_comment_is_written_found_and_a_day_later_done(
    alice: Client, conn: Connection, ports: Ports, account: str
) -> None:
    task_id = await commented(alice, account)
    assert await rounds(ports) == [2, 0]
    assert await outcomes(alice, task_id) == ["verified"]
    await advance(alice, 24)
    assert await history(conn, task_id) == ["pending", "submitted", "verified_auto", "finalized"]


@pytest.mark.parametrize("outcome", ["wrong_text", "wrong_account"])
async def test_a_text_can_ask_for_corrections(
    alice: Client, conn: Connection, ports: Ports, account: str, outcome: str
) -> None:
    task_id = await commented(alice, account, comment_text=f"Nice! simulate:{outcome}")
    assert await rounds(ports) == [2, 2, 0]
    assert await outcomes(alice, task_id) == [outcome, "verified"]
    assert await history(conn, task_id) == SENT_BACK


async def test_a_text_can_ask_for_a_failure(alice: Client, ports: Ports, account: str) -> None:
    task_id = await commented(alice, account, comment_text="Nice! simulate:scrape_failed")
    await rounds(ports)
    assert await outcomes(alice, task_id) == ["scrape_failed"]
    await advance(alice, 2)
    assert await outcomes(alice, task_id) == ["scrape_failed", "verified"]


async def test_the_whole_way_to_an_operator_can_be_rehearsed(
    alice: Client, conn: Connection, account: str
) -> None:
    task_id = await commented(alice, account, comment_text="Nice! simulate:couldnt_verify")
    for _ in range(3):
        await advance(alice, 73)
        assert (await alice.get(f"/comments/{task_id}")).data["status"] == "manually_confirmed"
        reply = await alice.post(f"/comments/{task_id}/dispute", {"reason": "Not there."})
        assert reply.status == 200
    await advance(alice, 200)
    assert (await history(conn, task_id))[-1] == "pending_corrections"
    assert await conn.fetchval("SELECT with_operator FROM comment_tasks")


async def test_what_nobody_disputes_is_done_after_three_days(
    alice: Client, conn: Connection, account: str
) -> None:
    task_id = await commented(alice, account, comment_text="Nice! simulate:couldnt_verify")
    await advance(alice, 145)
    assert (await history(conn, task_id))[-2:] == ["manually_confirmed", "finalized"]
    # The moments are those of the deadlines, not of the call.
    gaps = await conn.fetchrow(
        "SELECT manually_confirmed_at - submitted_at, finalized_at - manually_confirmed_at"
        "  FROM comment_tasks"
    )
    assert gaps is not None
    assert [round(gap.total_seconds() / 3600, 2) for gap in gaps] == [72, 72]
