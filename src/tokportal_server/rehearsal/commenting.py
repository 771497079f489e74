"""Comments of a rehearsal: simulated managers write them, and a simulated platform shows them.

Nothing is posted anywhere. A text that says ``simulate:wrong_text`` (or another outcome of a
verification) makes the platform behave so: failures the first time that it is looked at, except
``couldnt_verify``, which never shows the comment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog

from tokportal_server.comments.verification import FoundComment, Look, LookFailedError
from tokportal_server.comments.verifier import verify_due
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workbench.operations.submit_comment import submit_comment

log = structlog.get_logger(__name__)

# What the managers of one rehearsal ($1) can write or mend, oldest task first. The account's own
# manager does it; if it has none, one of its country and platform.
TO_WRITE = """
SELECT t.id, m.person_id FROM comment_tasks t
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
  JOIN LATERAL (
      SELECT person_id FROM managers
       WHERE rehearsal_workspace_id = t.workspace_id AND active
         AND (person_id = a.manager_id
              OR a.country = ANY (countries) AND a.platform = ANY (platforms))
       ORDER BY person_id = a.manager_id DESC NULLS LAST, person_id LIMIT 1
  ) m ON true
 WHERE t.workspace_id = $1
   AND (t.status = 'pending' OR t.status = 'pending_corrections' AND NOT t.with_operator)
 ORDER BY t.ordinal LIMIT 200
"""


class SimulatedComments:
    """A platform that shows each comment as it was ordered, unless its text asks otherwise."""

    async def comments(self, look: Look) -> Sequence[FoundComment]:
        """Give the comment of ``look``.

        Raises:
            LookFailedError: the text asks for it, the first time.
        """
        author, text, first = look.author_handle, look.text, look.attempt == 1
        if "simulate:couldnt_verify" in text:
            return []
        if first and "simulate:scrape_failed" in text:
            raise LookFailedError("the simulated platform did not answer")
        if first and "simulate:wrong_text" in text:
            text = "Something else."
        elif first and "simulate:wrong_account" in text:
            author = f"not.{author}"
        return [FoundComment(comment_id_of(look.task_id), author, text)]


def comment_id_of(task_id: UUID) -> str:
    """Give the id that the simulated platform has for a task's comment."""
    return f"{task_id.int % 10**19:019d}"


async def comment_once(conn: Connection, workspace_id: UUID, now: datetime) -> int:
    """Write what is to be written in a rehearsal at ``now``, and look for it; give the steps."""
    done = 0
    for row in await conn.fetch(TO_WRITE, workspace_id):
        try:
            async with unit_of_work(conn, workspace_id, now=now) as tx:
                await submit_comment(
                    tx=tx,
                    actor=Actor("manager", row["person_id"]),
                    task_id=row["id"],
                    comment_id=comment_id_of(row["id"]),
                )
            done += 1
        except ApiError as error:
            log.info("simulated_step_refused", what="comment", code=error.code)
    return done + await verify_due(conn, SimulatedComments(), now, workspace_id)
