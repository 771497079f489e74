"""Codes have an end: they are deleted after a day of real time (contract section 9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tokportal_server.lib.db import Connection

CODES_KEPT: Final = timedelta(hours=24)
PURGE_CODES = """
DELETE FROM verification_codes WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM verification_codes
     WHERE recorded_at < now() - $1::interval LIMIT 1000
)
"""


async def purge_codes(conn: Connection) -> int:
    """Delete a batch of codes that are past their time; give how many there were."""
    return int((await conn.execute(PURGE_CODES, CODES_KEPT)).removeprefix("DELETE "))
