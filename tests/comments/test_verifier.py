from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from tests.bundles.traces import events
from tests.cast import World
from tests.client import Client
from tests.comments.steps import TEXT, Shown, commented, history, looked_for, submitted, swept
from tokportal_server.comments.rules import LOOK_AGAIN
from tokportal_server.comments.verification import FoundComment, Look, LookFailedError
from tokportal_server.comments.verifier import CommentVerifier, Unconnected, verify_due
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.ports import Ports

OURS = FoundComment("7400001", "acme.daily", TEXT)
WRONG = FoundComment("7400001", "acme.daily", "Something else.")


@pytest.fixture
async def task_id(alice: Client, conn: Connection, world: World, account: str) -> str:
    """A task of which the comment was handed in."""
    made = await commented(alice, account)
    await submitted(conn, world, made)
    return made


async def status(alice: Client, task_id: str) -> str:
    """Give a task's status."""
    return str((await alice.get(f"/comments/{task_id}")).data["status"])


async def outcomes(alice: Client, task_id: str) -> list[str]:
    """Give the outcomes of the looks for a task."""
    shown = (await alice.get(f"/comments/{task_id}/verifications")).data
    return [attempt["outcome_kind"] for attempt in shown["attempts"]]


async def test_a_comment_that_is_found_is_verified_and_finalized_a_day_later(
    alice: Client, conn: Connection, world: World, ports: Ports, task_id: str
) -> None:
    source = Shown(OURS)
    assert await looked_for(conn, source) == 1
    [look] = source.asked
    assert (look.author_handle, look.text, look.comment_id) == ("acme.daily", TEXT, "7400001")
    task = (await alice.get(f"/comments/{task_id}")).data
    assert (task["status"], task["verified_at"] is None) == ("verified_auto", False)
    assert await looked_for(conn, source, hours=1000) == 0
    assert await swept(conn, ports, hours=23.9) == []
    assert await swept(conn, ports, hours=24.1) == ["comment"]
    assert await history(conn, task_id) == ["pending", "submitted", "verified_auto", "finalized"]
    assert [name for name, _ in await events(conn, world.acme)][1:] == [
        "comment.submitted",
        "comment.verified",
        "comment.finalized",
    ]


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [(WRONG, "wrong_text"), (FoundComment("7400001", "stranger", TEXT), "wrong_account")],
)
async def test_a_wrong_comment_goes_back_to_its_manager(
    alice: Client,
    conn: Connection,
    world: World,
    task_id: str,
    shown: FoundComment,
    outcome: str,
) -> None:
    await looked_for(conn, Shown(shown))
    task = (await alice.get(f"/comments/{task_id}")).data
    assert (task["status"], task["correction_required"]) == ("pending_corrections", True)
    assert await outcomes(alice, task_id) == [outcome]
    reason = await conn.fetchval("SELECT correction FROM comment_tasks")
    assert shown.text in reason or shown.author_handle in reason
    await submitted(conn, world, task_id)
    await looked_for(conn, Shown(OURS))
    assert await status(alice, task_id) == "verified_auto"


async def test_a_comment_that_is_mended_is_found_before_it_is_handed_in_again(
    alice: Client, conn: Connection, task_id: str
) -> None:
    await looked_for(conn, Shown(WRONG))
    assert await looked_for(conn, Shown(OURS)) == 0
    # Still wrong an hour later: nothing happens but the attempt.
    assert await looked_for(conn, Shown(WRONG), hours=1.1) == 1
    assert await status(alice, task_id) == "pending_corrections"
    assert await looked_for(conn, Shown(OURS), hours=7) == 1
    assert await history(conn, task_id) == [
        "pending",
        "submitted",
        "pending_corrections",
        "verified_auto",
    ]


async def test_what_is_not_found_is_looked_for_again_and_then_confirmed_by_hand(
    alice: Client, conn: Connection, ports: Ports, task_id: str
) -> None:
    hours = 0.0
    for delay in (timedelta(), *LOOK_AGAIN):
        hours += delay.total_seconds() / 3600 + 0.01
        assert await looked_for(conn, Shown(), hours=hours - 0.02) == 0
        assert await looked_for(conn, Shown(), hours=hours) == 1
    assert await looked_for(conn, Shown(), hours=71) == 0
    assert await outcomes(alice, task_id) == ["couldnt_verify"] * 5
    assert await swept(conn, ports, hours=71.9) == []
    assert await swept(conn, ports, hours=72.1) == ["comment"]
    assert await status(alice, task_id) == "manually_confirmed"


async def test_a_source_that_fails_is_asked_again_later(
    alice: Client, conn: Connection, task_id: str
) -> None:
    class Failing:
        async def comments(self, _: Look) -> list[FoundComment]:
            raise LookFailedError("no answer within five seconds")

    assert await looked_for(conn, Failing()) == 1
    assert await status(alice, task_id) == "submitted"
    await looked_for(conn, Shown(OURS), hours=1.1)
    assert await outcomes(alice, task_id) == ["scrape_failed", "verified"]


async def test_without_a_source_the_customer_is_told_why_and_people_decide(
    alice: Client, conn: Connection, database: Database, task_id: str
) -> None:
    assert await CommentVerifier(database, Unconnected()).run_once() == 1
    [attempt] = (await alice.get(f"/comments/{task_id}/verifications")).data["attempts"]
    assert attempt["outcome_kind"] == "couldnt_verify"
    assert "no API for the comments of tiktok posts is connected" in attempt["reason"]
    assert await conn.fetchval("SELECT look_at FROM comment_tasks") is None


async def test_what_strangers_write_can_always_be_recorded(
    alice: Client, conn: Connection, task_id: str
) -> None:
    hostile = FoundComment("7400001", "acme.daily", "\0\ud800\u202e<b>" + "x" * 5000)
    assert await looked_for(conn, Shown(hostile)) == 1
    [attempt] = (await alice.get(f"/comments/{task_id}/verifications")).data["attempts"]
    assert attempt["outcome_kind"] == "wrong_text"
    assert attempt["reason"].startswith("the comment of acme.daily reads:    <b>xxx")
    assert len(attempt["reason"]) < 250


async def test_a_task_that_cannot_be_judged_holds_up_no_other(
    alice: Client, conn: Connection, world: World, account: str, task_id: str
) -> None:
    other = await commented(alice, account, 2)
    await submitted(conn, world, other)
    await conn.execute("ALTER TABLE comment_verifications ADD CHECK (comments_scraped <> 2)")
    source = Shown(OURS, WRONG)
    assert await looked_for(conn, source) == 0
    assert [str(look.task_id) for look in source.asked] == [task_id, other]
    assert await looked_for(conn, Shown(OURS)) == 2


async def test_of_two_looks_at_once_one_counts(
    alice: Client, conn: Connection, dsn: str, database: Database, task_id: str
) -> None:
    del conn, dsn
    together = asyncio.Barrier(2)

    class Slow:
        async def comments(self, _: Look) -> list[FoundComment]:
            await together.wait()
            return [OURS]

    async def look() -> int:
        async with database.connection() as own:
            return await verify_due(own, Slow(), real_now(), None)

    assert sorted(await asyncio.gather(look(), look())) == [0, 1]
    assert await outcomes(alice, task_id) == ["verified"]


async def test_a_look_that_comes_back_too_late_changes_nothing(
    alice: Client, conn: Connection, database: Database, ports: Ports, task_id: str
) -> None:
    class Late:
        async def comments(self, _: Look) -> list[FoundComment]:
            assert await swept(conn, ports, hours=72.1) == ["comment"]
            return [WRONG]

    async with database.connection() as own:
        assert await verify_due(own, Late(), real_now(), None) == 0
    assert await status(alice, task_id) == "manually_confirmed"
    assert await outcomes(alice, task_id) == []


async def test_an_attempt_has_one_number(conn: Connection, task_id: str) -> None:
    del task_id
    await looked_for(conn, Shown())
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute("INSERT INTO comment_verifications SELECT * FROM comment_verifications")
