"""The ``tokportal-server`` command."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import uvloop
from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tokportal_server import __version__
from tokportal_server.cli import administration
from tokportal_server.entry import demo as demonstration
from tokportal_server.entry import documents, stack
from tokportal_server.entry.account_commands import account
from tokportal_server.entry.analytics_commands import analytics
from tokportal_server.entry.backup_commands import backup, restore
from tokportal_server.entry.bundle_commands import bundle
from tokportal_server.entry.credit_commands import credits_
from tokportal_server.entry.earnings_commands import earnings
from tokportal_server.entry.installation import console, settings, with_connection
from tokportal_server.entry.jobs_commands import jobs
from tokportal_server.entry.key_commands import key
from tokportal_server.entry.maintenance_commands import maintenance
from tokportal_server.entry.manager_commands import manager
from tokportal_server.entry.person_commands import person
from tokportal_server.entry.price_commands import price
from tokportal_server.entry.proof_commands import proof
from tokportal_server.entry.publishing_commands import pause, resume
from tokportal_server.entry.rehearse_commands import rehearse
from tokportal_server.entry.upgrade_commands import migrate, upgrade
from tokportal_server.entry.vault_commands import vault
from tokportal_server.entry.webhook_commands import webhook
from tokportal_server.entry.worker import run_worker
from tokportal_server.entry.workspace_commands import workspace
from tokportal_server.http.registry import BASE_PATH
from tokportal_server.lib.crypto import VaultError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.dumps import DumpError
from tokportal_server.lib.embedded import EmbeddedPostgresError
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.settings import SettingsError
from tokportal_server.mcp.credentials import key_in_environment
from tokportal_server.workbench.doctor_runs import examine_and_remember

app = App(
    name="tokportal-server",
    help="An independent, self-hosted server for the TokPortal public API.",
    version=__version__,
)
_GROUPS = (
    workspace,
    person,
    key,
    webhook,
    credits_,
    bundle,
    price,
    account,
    vault,
    backup,
    proof,
    rehearse,
    manager,
    earnings,
    analytics,
    maintenance,
    jobs,
)
for group in _GROUPS:
    app.command(group)
for act in (pause, resume, restore, upgrade, migrate):
    app.command(act)

# An option that is only ever switched on.
Flag = Annotated[bool, Parameter(negative="")]


@app.command
def serve(*, workers: int = 1, with_worker: Flag = False) -> int:
    """Start the database, migrate it, and serve the API until stopped.

    Parameters
    ----------
    workers
        API processes.
    with_worker
        Run a worker beside them; without it start `tokportal-server worker` elsewhere.
    """
    return stack.serve(settings(), workers=workers, with_worker=with_worker)


@app.command
def worker() -> None:
    """Run a worker: events, webhook deliveries, deadlines, jobs, simulated managers."""
    with stack.borrowed_database(settings()) as ready:
        uvloop.run(run_worker(ready))


@app.command
def demo(
    *,
    json: Flag = False,
    exit: Annotated[bool, Parameter(name="--exit", negative="")] = False,  # noqa: A002
) -> int:
    """Walk one order through the public API with the published client, in a rehearsal.

    Parameters
    ----------
    json
        Print one JSON object a line, for scripts.
    exit
        Stop after the walk; the exit code tells whether every step succeeded.
    """
    return demonstration.run(settings(), as_json=json, stay=not exit)


@app.command
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


@app.command
def openapi(*, check: Flag = False) -> int:
    """Write contract/openapi.json from the code.

    Parameters
    ----------
    check
        Write nothing, and fail if the file is not current.
    """
    return documents.write_openapi(check=check)


@app.command
def docs(*, check: Flag = False, site: Path | None = None) -> int:
    """Write the generated pages of docs/ and the Postman collection.

    Parameters
    ----------
    check
        Write nothing, and fail if they are not current or the reference cannot be made.
    site
        Write all documentation instead, as a folder that needs no server.
    """
    if site is not None:
        return documents.write_site(site)
    return documents.write_docs(app, check=check)


@app.command
def mcp(*, base_url: Annotated[str | None, Parameter(env_var="TOKPORTAL_BASE_URL")] = None) -> None:
    """Offer the API's operations as tools (Model Context Protocol) on standard input and output.

    The API key is read from TOKPORTAL_API_KEY, never from the command line.

    Parameters
    ----------
    base_url
        Base URL of the API, ending in /api/ext; if not given, that of a server with these settings.
    """
    read, api_key = settings(), key_in_environment(os.environ)
    from tokportal_server.mcp.stdio import run_stdio  # noqa: PLC0415 - loads FastMCP

    address = base_url or read.origin() + BASE_PATH
    asyncio.run(run_stdio(base_url=address, api_key=api_key))


def _stop(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


_REFUSALS = (
    SettingsError,
    EmbeddedPostgresError,
    DumpError,
    administration.AdministrationError,
    ApiError,
    stack.StartError,
    VaultError,
)


def main() -> None:
    """Run the command line; what an operator can mend is one message, without a traceback."""
    # Until a part takes the signals over: being told to stop while starting still cleans up. Left
    # alone, asyncio would turn an interrupt into a cancellation, which a migration may not notice.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        result = app(result_action="return_value")
    except _REFUSALS as error:
        # A message may hold brackets of its own, such as the name of an extra.
        console.print(
            f"[red]tokportal-server:[/red] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(2)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
