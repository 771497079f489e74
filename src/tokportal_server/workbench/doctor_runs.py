"""The doctor's last visit: what it found and when, for those who watch the server."""

from __future__ import annotations

import time

from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import Finding, examine

REMEMBER = """
INSERT INTO doctor_runs (seconds, contradictions) VALUES ($1, $2)
ON CONFLICT (is_only) DO UPDATE
   SET examined_at = now(), seconds = excluded.seconds, contradictions = excluded.contradictions
"""


async def examine_and_remember(conn: Connection) -> list[Finding]:
    """Run every check on one snapshot of the database, and keep how many contradictions it found.

    Outside of any transaction: the snapshot is one of its own.
    """
    began = time.perf_counter()
    findings = await examine(conn)
    found = sum(len(finding.contradictions) for finding in findings)
    await conn.execute(REMEMBER, time.perf_counter() - began, found)
    return findings
