"""The bucket of bundle creations, one per workspace (contract section 2)."""

from __future__ import annotations

import math

from tokportal_server.bundles.errors import CreateRateLimitError
from tokportal_server.lib.unit_of_work import UnitOfWork

TAKE = "SELECT * FROM take_token($1, 'create', $1, 1, $2, $3)"


async def take_create_token(tx: UnitOfWork, *, per_minute: int) -> None:
    """Take one token; it is given back if the transaction does not commit.

    Raises:
        CreateRateLimitError: none is left.
    """
    refill = per_minute / 60
    row = await tx.conn.fetchrow(TAKE, tx.workspace_id, per_minute, refill)
    if row is None or row["allowed"]:
        return
    wait = max(1, math.ceil((1 - row["remaining"]) / refill))
    raise CreateRateLimitError(
        f"The workspace has created its {per_minute} bundles of this minute. Wait {wait} s, or"
        " create many in one call (POST /bundles/bulk).",
        details={"limit_per_minute": per_minute},
        retry_after=wait,
    )
