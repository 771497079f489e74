"""Comments that were disputed three times: an operator reads, and decides."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from uuid import UUID

from tokportal_server.admin.frame import Preview, refused, show
from tokportal_server.comments.errors import CommentTaskNotFoundError
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit, nothing_here
from tokportal_server.workbench.acting import act, workspace_of_task
from tokportal_server.workbench.operations.settle_dispute import settle_dispute

DISPUTED = """
SELECT t.workspace_id, t.id, t.platform, t.target_video_url, t.comment_text, t.comment_url,
       t.correction, t.disputes, t.attempts, t.price, t.updated_at AS since, a.username,
       w.name AS workspace, p.name AS manager, t.manager_id, now() + w.clock_offset AS now,
       v.outcome_kind, v.reason AS verification
  FROM comment_tasks t
  JOIN workspaces w ON w.id = t.workspace_id
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
  LEFT JOIN people p ON p.id = t.manager_id
  LEFT JOIN LATERAL (
      SELECT outcome_kind, reason FROM comment_verifications
       WHERE workspace_id = t.workspace_id AND task_id = t.id ORDER BY attempt_n DESC LIMIT 1
  ) v ON true
 WHERE t.with_operator AND NOT w.rehearsal ORDER BY t.updated_at LIMIT 100
"""
_DECISIONS: Final = ("finalize", "cancel")


async def show_disputes(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show what waits for a decision, the longest waiting first."""
    facts = {"tasks": await visit.conn.fetch(DISPUTED)}
    return await show(visit, "admin_disputes.html", facts, refusal, preview)


async def post_settle(visit: Visit) -> Answer:
    """Let a comment stand, or cancel its task with its price back."""
    task_id = visit.id("task")
    try:
        workspace_id: UUID = await workspace_of_task(visit.conn, task_id)
    except CommentTaskNotFoundError:
        raise nothing_here() from None
    try:
        settle = partial(
            settle_dispute,
            actor=visit.operator,
            task_id=task_id,
            decision=_decision(visit),
            reason=visit.field("reason"),
        )
        await act(visit.conn, workspace_id, lambda tx: settle(tx=tx))
    except ApiError as error:
        return await refused(visit, f"settle-{task_id}", error, show_disputes)
    return Redirect("/admin/disputes?done=settled")


def _decision(visit: Visit) -> Any:
    decision = visit.field("decision")
    if decision not in _DECISIONS:
        refuse([Problem("decision", f"must be one of {' or '.join(_DECISIONS)}", decision)])
    return decision


DISPUTE_PAGES: Final = (
    Page("admin_disputes", "GET", "/admin/disputes", show_disputes),
    Page("admin_settle", "POST", "/admin/disputes/{task}", post_settle),
)
