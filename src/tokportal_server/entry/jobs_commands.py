"""``tokportal-server jobs``: background jobs that were held after their last attempt."""

from __future__ import annotations

from cyclopts import App
from rich.markup import escape

from tokportal_server.cli.administration import AdministrationError
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import answer, with_connection
from tokportal_server.entry.operator_options import Flag, Why, report, show
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs.held import list_held
from tokportal_server.workbench.operations.settle_job import settle_job

jobs = App(name="jobs", help="Background jobs that have failed as often as they are tried.")
_MOST = 500


@jobs.command(name="list")
def list_jobs(*, name: str | None = None, json: Flag = False) -> int:
    """List the jobs that are held, the last one first, with what went wrong.

    Parameters
    ----------
    name
        Only those of this kind, such as notice_mail.
    json
        Answer with one JSON object a line, for scripts.
    """

    async def tell(conn: Connection) -> int:
        held = await list_held(conn, _MOST, name)
        if json:
            for one in held:
                facts = {"id": one.id, "name": one.name, "held_at": one.held_at, "error": one.error}
                report({**facts, "starts": one.starts, "payload": one.payload}, "", as_json=True)
        elif held:
            rows = [
                (str(one.id), one.name, f"{one.held_at:%Y-%m-%d %H:%M}", escape(one.error))
                for one in held
            ]
            show(("id", "job", "held (UTC)", "what went wrong"), rows)
        else:
            answer("No job is held.")
        return 0

    return with_connection(tell)


@jobs.command(name="retry")
def retry_jobs(*ids: int, why: Why, name: str | None = None) -> int:
    """Run held jobs again from their first attempt.

    Parameters
    ----------
    ids
        Which ones, as `jobs list` has them.
    why
        Who decides, and why.
    name
        All of this kind instead.
    """
    if bool(ids) == bool(name):
        raise AdministrationError("Name the ids of the jobs, or a kind of job with --name.")

    async def retry(conn: Connection) -> int:
        actor = await acting_operator(conn, why.by)
        wanted = list(ids) or [one.id for one in await list_held(conn, _MOST, name)]
        for job_id in wanted:
            await settle_job(
                conn=conn, actor=actor, job_id=job_id, decision="run_again", reason=why.reason
            )
        report({"retried": wanted}, f"Jobs that run again: {len(wanted)}.", as_json=why.json)
        return 0

    return with_connection(retry)
