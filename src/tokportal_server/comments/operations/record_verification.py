"""A look at the platform is over: keep what it came to, and act on it."""

from __future__ import annotations

from tokportal_server.comments.rules import LOOK_AGAIN
from tokportal_server.comments.tasks import LOCK_TASK, ask_for_corrections, move_task
from tokportal_server.comments.verification import Look, Verdict
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

RECORD = """
INSERT INTO comment_verifications (workspace_id, task_id, attempt_n, scraped_at, outcome_kind,
                                   match_score, found_comment_id, reason, comments_scraped)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
COUNT_LOOK = """
UPDATE comment_tasks SET attempts = $3, looks = looks + 1, look_at = $4
 WHERE workspace_id = $1 AND id = $2
RETURNING *
"""
# Statuses in which the comment is looked for.
LOOKED_FOR = ("submitted", "pending_corrections")


async def record_verification(*, tx: UnitOfWork, look: Look, verdict: Verdict) -> bool:
    """Keep the outcome of ``look``, and verify the task or send it back; say whether it counted.

    It does not if the task went on meanwhile, or another worker looked at the same time.
    """
    task = existing(await tx.conn.fetchrow(LOCK_TASK, tx.workspace_id, look.task_id))
    if task["status"] not in LOOKED_FOR or task["attempts"] != look.attempt - 1:
        return False
    await tx.conn.execute(
        RECORD,
        tx.workspace_id,
        look.task_id,
        look.attempt,
        tx.now,
        verdict.outcome,
        verdict.score,
        verdict.comment_id,
        verdict.reason,
        verdict.seen,
    )
    looked = existing(
        await tx.conn.fetchrow(
            COUNT_LOOK, tx.workspace_id, look.task_id, look.attempt, _look_at(tx, task, verdict)
        )
    )
    if verdict.outcome == "verified":
        await move_task(
            tx,
            looked,
            "verified_auto",
            actor=SYSTEM,
            verified_at=tx.now,
            comment_id=verdict.comment_id,
        )
    elif verdict.outcome in ("wrong_text", "wrong_account") and task["status"] == "submitted":
        await ask_for_corrections(tx, looked, actor=SYSTEM, reason=verdict.reason or "")
    return True


def _look_at(tx: UnitOfWork, task: Row, verdict: Verdict) -> object:
    again = LOOK_AGAIN[task["looks"] : task["looks"] + 1] if verdict.again else ()
    return next((tx.now + delay for delay in again), None)
