from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented, delivered, history, post, submitted, swept
from tests.orders.walk import working
from tests.workbench.desk import hire
from tokportal_server.comments.errors import CommentStatusError, CommentTaskNotFoundError
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.errors import CommentNotYoursError
from tokportal_server.workbench.operations.submit_comment import submit_comment

URL = post(1) + "?share_comment_id=7400000000000000017"


@pytest.fixture
async def task_id(alice: Client, account: str) -> str:
    """A comment to be written."""
    return await commented(alice, account)


async def hand_in(conn: Connection, world: World, actor: Actor, task_id: str, **proof: Any) -> None:
    """Have somebody hand in a comment."""
    async with working(conn, world) as tx:
        proof = proof or {"comment_url": URL}
        await submit_comment(tx=tx, actor=actor, task_id=UUID(task_id), **proof)


async def test_the_accounts_manager_hands_in_the_comments_address(
    alice: Client, conn: Connection, world: World, task_id: str
) -> None:
    await hand_in(conn, world, world.as_mona, task_id)
    task = (await alice.get(f"/comments/{task_id}")).data
    assert (task["status"], task["deadline_at"]) == ("submitted", None)
    assert task["submitted_at"] is not None
    row = await conn.fetchrow("SELECT manager_id, comment_id, comment_url FROM comment_tasks")
    assert row is not None
    assert tuple(row) == (world.mona, "7400000000000000017", URL)
    with pytest.raises(CommentStatusError):
        await hand_in(conn, world, world.as_mona, task_id)


async def test_an_instagram_comment_has_an_address_too(
    alice: Client, conn: Connection, world: World
) -> None:
    account = await delivered(conn, world, platform="instagram")
    target = post(1, "instagram")
    task_id = await commented(alice, account, target_video_url=target)
    address = target.replace("/reel/", "/p/") + "c/17900000000000001/"
    await hand_in(conn, world, world.as_mona, task_id, comment_url=address)
    assert await conn.fetchval("SELECT comment_id FROM comment_tasks") == "17900000000000001"


@pytest.mark.parametrize(
    ("proof", "field"),
    [
        ({"comment_url": None}, "comment_url"),
        ({"comment_url": post(1)}, "comment_url"),
        ({"comment_url": URL.replace("7300000000000000001", "7300000000000000002")}, "comment_url"),
        ({"comment_url": "javascript:alert(1)"}, "comment_url"),
        ({"comment_url": URL, "comment_id": "5"}, "comment_id"),
        ({"comment_id": "not an id"}, "comment_id"),
    ],
)
async def test_a_proof_that_names_no_comment_under_the_post_is_refused(
    conn: Connection, world: World, task_id: str, proof: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        await hand_in(conn, world, world.as_mona, task_id, **proof)
    assert [problem["field"] for problem in refused.value.details["errors"]] == [field]


async def test_another_manager_writes_only_where_nobody_keeps_the_account(
    conn: Connection, world: World, task_id: str
) -> None:
    nora = await hire(conn)
    with pytest.raises(CommentNotYoursError, match="another manager"):
        await hand_in(conn, world, nora, task_id)
    await conn.execute("UPDATE managers SET active = false WHERE person_id = $1", world.mona)
    with pytest.raises(CommentNotYoursError, match="not active"):
        await hand_in(conn, world, world.as_mona, task_id)
    elsewhere = await hire(conn, countries=["FR"])
    with pytest.raises(CommentNotYoursError, match="do not work on tiktok in USA"):
        await hand_in(conn, world, elsewhere, task_id)
    await hand_in(conn, world, nora, task_id)
    assert await history(conn, task_id) == ["pending", "submitted"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "UPDATE saved_accounts SET status = 'banned'",
            "acme.daily cannot be used: its platform has banned it",
        ),
        ("UPDATE workspaces SET rehearsal = true", "it belongs to a rehearsal"),
        (
            """INSERT INTO kill_switches (scope, subject_id, reason)
               SELECT 'account', id, 'Held.' FROM saved_accounts""",
            "work is paused: Held.",
        ),
    ],
)
async def test_nothing_is_written_where_work_has_stopped(
    conn: Connection, world: World, task_id: str, change: str, reason: str
) -> None:
    await conn.execute(change)
    with pytest.raises(CommentNotYoursError, match=reason):
        await hand_in(conn, world, world.as_mona, task_id)


async def test_a_task_that_is_not_there_is_not_found(conn: Connection, world: World) -> None:
    with pytest.raises(CommentTaskNotFoundError):
        await hand_in(conn, world, world.as_mona, str(uuid4()))


async def test_a_task_that_nobody_writes_is_cancelled_and_refunded_after_72_hours(
    alice: Client, conn: Connection, world: World, ports: Ports, task_id: str
) -> None:
    before = (await alice.get("/credits/balance")).data["credits"]
    assert await swept(conn, ports, hours=71.9) == []
    assert await swept(conn, ports, hours=72.1) == ["comment"]
    assert await swept(conn, ports, hours=73) == []
    assert await history(conn, task_id) == ["pending", "cancelled"]
    assert (await alice.get("/credits/balance")).data["credits"] == before + 1
    with pytest.raises(CommentStatusError):
        await submitted(conn, world, task_id)


async def test_a_comment_that_nobody_disputes_is_finalized_after_72_hours(
    conn: Connection, world: World, ports: Ports, task_id: str
) -> None:
    await submitted(conn, world, task_id)
    assert await swept(conn, ports, hours=72.1) == ["comment"]
    assert await swept(conn, ports, hours=144) == []
    assert await swept(conn, ports, hours=144.2) == ["comment"]
    assert (await history(conn, task_id))[-2:] == ["manually_confirmed", "finalized"]


async def test_a_deadline_that_somebody_else_settles_is_left_to_them(
    conn: Connection, world: World, ports: Ports, task_id: str, dsn: str
) -> None:
    other = await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM comment_tasks FOR UPDATE")
            assert await swept(conn, ports, hours=72.1) == []
    finally:
        await other.close()
    del world, task_id
    assert await swept(conn, ports, hours=72.1) == ["comment"]
