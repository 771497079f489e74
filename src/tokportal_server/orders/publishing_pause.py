"""The kill switch as orders meet it: what the operator has stopped is neither offered nor claimed.

Who sets and clears it stands in ``workbench.operations.kill_switch``.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

PAUSED = """
SELECT scope, reason FROM kill_switches
 WHERE scope = 'all' OR (scope = 'workspace' AND subject_id = $1)
    OR (scope = 'account' AND subject_id = $2)
 ORDER BY scope
"""
_SCOPES = {"all": "everywhere", "workspace": "for the workspace", "account": "for the account"}


class PublishingPausedError(ApiError):
    """The operator has stopped publishing."""

    code = "PUBLISHING_PAUSED"
    status = 409
    remedy = "The operator: allow publishing again. Then send the same request."


async def pauses_of(conn: Connection, workspace_id: UUID, account_id: UUID | None) -> Sequence[Row]:
    """Give what is switched off for a workspace and, where there is one, its delivered account."""
    return await conn.fetch(PAUSED, workspace_id, account_id)


def pause_sentence(pause: Row) -> str:
    """Say to a customer what the operator has stopped, and why."""
    where = _SCOPES[pause["scope"]]
    return (
        f"The operator has paused publishing {where}; try again once that is over. Reason:"
        f" {pause['reason']}"
    )


async def check_not_paused(tx: UnitOfWork, bundle: Row) -> None:
    """Refuse to publish anything of a bundle while the operator has stopped that.

    Raises:
        PublishingPausedError: publishing is stopped everywhere, for the workspace or the account.
    """
    pauses = await pauses_of(tx.conn, tx.workspace_id, bundle["saved_account_id"])
    if pauses:
        raise PublishingPausedError(
            pause_sentence(pauses[0]),
            details={"scope": pauses[0]["scope"], "reason": pauses[0]["reason"]},
        )
