"""``approveCommentTask`` and ``disputeCommentTask``, and the operator's last word."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.bundles.traces import events
from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented, confirmed, history, submitted, swept
from tests.orders.walk import working
from tests.workbench.office import Office
from tokportal_server.comments.errors import CommentStatusError
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.errors import DisputeOpenError, NoDisputeError
from tokportal_server.workbench.operations.settle_dispute import settle_dispute

REASON = {"reason": "I cannot find it."}


@pytest.fixture
async def to_review(
    alice: Client, conn: Connection, world: World, ports: Ports, account: str
) -> str:
    """A task that was confirmed by hand."""
    task_id = await commented(alice, account)
    await confirmed(conn, world, ports, task_id)
    return task_id


async def dispute_again(
    alice: Client, conn: Connection, world: World, ports: Ports, task_id: str
) -> None:
    """Dispute, have Mona hand it in again, and let it be confirmed by hand again."""
    assert (await alice.post(f"/comments/{task_id}/dispute", REASON)).status == 200
    await confirmed(conn, world, ports, task_id)


@pytest.fixture
async def disputed(
    alice: Client, conn: Connection, world: World, ports: Ports, to_review: str
) -> str:
    """A task that was disputed three times."""
    for _ in range(2):
        await dispute_again(alice, conn, world, ports, to_review)
    assert (await alice.post(f"/comments/{to_review}/dispute", REASON)).status == 200
    return to_review


async def settle(
    conn: Connection, world: World, task_id: str, decision: str, reason: str = "Seen."
) -> int:
    """Have Olga decide."""
    async with working(conn, world) as tx:
        return await settle_dispute(
            tx=tx,
            actor=world.as_olga,
            task_id=UUID(task_id),
            decision=decision,  # type: ignore[arg-type]
            reason=reason,
        )


async def test_what_was_confirmed_by_hand_can_be_disputed_for_72_hours(
    alice: Client, conn: Connection, to_review: str
) -> None:
    task = (await alice.get(f"/comments/{to_review}")).data
    assert task["status"] == "manually_confirmed"
    assert task["deadline_at"] is None
    given = await conn.fetchval(
        "SELECT client_dispute_deadline_at - manually_confirmed_at FROM comment_tasks"
    )
    assert given.total_seconds() == 72 * 3600


async def test_approving_finalizes(
    alice: Client, conn: Connection, world: World, to_review: str
) -> None:
    reply = await alice.post(f"/comments/{to_review}/approve")
    assert (reply.status, reply.data["status"]) == (200, "finalized")
    assert reply.data["finalized_at"] is not None
    assert await history(conn, to_review) == [
        "pending",
        "submitted",
        "manually_confirmed",
        "finalized",
    ]
    assert [name for name, _ in await events(conn, world.acme)][1:] == [
        "comment.submitted",
        "comment.manually_confirmed",
        "comment.finalized",
    ]
    for call in ("approve", "dispute"):
        refused = await alice.post(
            f"/comments/{to_review}/{call}", REASON if call == "dispute" else None
        )
        assert (refused.status, refused.code) == (409, "COMMENT_INVALID_STATUS")
        assert refused.details["allowed_from"] == ["manually_confirmed"]


async def test_a_dispute_sends_it_back_for_72_hours(
    alice: Client, conn: Connection, world: World, ports: Ports, to_review: str
) -> None:
    reply = await alice.post(f"/comments/{to_review}/dispute", REASON)
    assert (reply.status, reply.data["status"]) == (200, "pending_corrections")
    assert reply.data["correction_required"] is True
    assert reply.data["deadline_at"] is not None
    assert (await events(conn, world.acme))[-1][0] == "comment.pending_corrections"
    reason = await conn.fetchval("SELECT reason FROM journal ORDER BY ordinal DESC LIMIT 1")
    assert reason == "I cannot find it."
    before = (await alice.get("/credits/balance")).data["credits"]
    assert await swept(conn, ports, hours=71.9) == []
    assert await swept(conn, ports, hours=72.1) == ["comment"]
    assert (await alice.get(f"/comments/{to_review}")).data["status"] == "cancelled"
    assert (await alice.get("/credits/balance")).data["credits"] == before + 1


@pytest.mark.parametrize("reason", ["", "no", "x" * 501, "   "])
async def test_a_dispute_says_why(alice: Client, to_review: str, reason: str) -> None:
    reply = await alice.post(f"/comments/{to_review}/dispute", {"reason": reason})
    assert (reply.status, set(reply.problems)) == (400, {"reason"})


async def test_the_third_dispute_waits_for_an_operator(
    alice: Client, conn: Connection, world: World, ports: Ports, disputed: str
) -> None:
    task = (await alice.get(f"/comments/{disputed}")).data
    assert (task["status"], task["correction_required"]) == ("pending_corrections", False)
    assert task["deadline_at"] is None
    assert await swept(conn, ports, hours=1000) == []
    with pytest.raises(DisputeOpenError):
        await submitted(conn, world, disputed)
    for call in ("approve", "dispute"):
        reply = await alice.post(
            f"/comments/{disputed}/{call}", REASON if call == "dispute" else None
        )
        assert reply.code == "COMMENT_INVALID_STATUS"


@pytest.mark.parametrize(
    ("decision", "status", "refund"), [("finalize", "finalized", 0), ("cancel", "cancelled", 1)]
)
async def test_the_operator_has_the_last_word(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    disputed: str,
    decision: str,
    status: str,
    refund: int,
) -> None:
    before = (await alice.get("/credits/balance")).data["credits"]
    assert await settle(conn, world, disputed, decision) == refund
    assert (await alice.get(f"/comments/{disputed}")).data["status"] == status
    assert (await alice.get("/credits/balance")).data["credits"] == before + refund
    entry = (await Office(conn, world, ports).audit())[-1]
    assert (entry["action"], entry["subject_id"]) == (f"comment.{decision}", UUID(disputed))
    assert (entry["reason"], entry["details"]) == ("Seen.", {"disputes": 3, "refund": refund})
    with pytest.raises(CommentStatusError):
        await settle(conn, world, disputed, decision)


async def test_an_operator_settles_nothing_else(
    alice: Client, conn: Connection, world: World, to_review: str
) -> None:
    with pytest.raises(CommentStatusError):
        await settle(conn, world, to_review, "finalize")
    await alice.post(f"/comments/{to_review}/dispute", REASON)
    with pytest.raises(NoDisputeError):
        await settle(conn, world, to_review, "finalize")
    with pytest.raises(ValidationError):
        await settle(conn, world, to_review, "finalize", reason=" ")
