"""``doctor``: what the database can prove of itself."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tokportal_server.entry.installation import with_connection
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor_runs import examine_and_remember


def doctor() -> int:
    """Prove the ledger, the journal and the counters from the database; exit 1 if they are off."""

    async def check(conn: Connection) -> int:
        table = Table("check", "what is proven", "result")
        findings = await examine_and_remember(conn)
        for finding in findings:
            wrong = finding.contradictions
            table.add_row(
                finding.check.name,
                finding.check.claim,
                f"[red]{len(wrong)} contradictions, e.g. {wrong[0]}" if wrong else "[green]holds",
            )
        Console().print(table)
        return 1 if any(finding.contradictions for finding in findings) else 0

    return with_connection(check)
