"""How the machinery does: background jobs, webhook deliveries, the doctor's proofs of the books."""

from __future__ import annotations

from typing import Any, Final

from tokportal_server.admin.frame import Preview, perform, show
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.jobs.held import list_held, loads
from tokportal_server.pages.page import Answer, Page, Refusal, Visit, nothing_here
from tokportal_server.workbench.doctor_runs import examine_and_remember
from tokportal_server.workbench.operations.settle_job import settle_job

# What waits and what is in flight, by two small indexes however long the log is.
ENDPOINTS = """
SELECT e.workspace_id, e.id, e.url, e.enabled, e.disabled_reason, e.consecutive_failures,
       e.first_failure_at, e.hold_until, e.last_delivery_at, w.name AS workspace,
       now() + w.clock_offset AS now, COALESCE(q.n, 0) AS waiting, q.since,
       COALESCE(f.n, 0) AS in_flight
  FROM webhook_endpoints e
  JOIN workspaces w ON w.id = e.workspace_id
  LEFT JOIN (SELECT workspace_id, endpoint_id, count(*) AS n, min(due_at) AS since
               FROM webhook_deliveries WHERE status = 'pending' AND lease_token IS NULL
              GROUP BY 1, 2) q ON q.workspace_id = e.workspace_id AND q.endpoint_id = e.id
  LEFT JOIN (SELECT workspace_id, endpoint_id, count(*) AS n
               FROM webhook_deliveries WHERE status = 'pending' AND lease_token IS NOT NULL
              GROUP BY 1, 2) f ON f.workspace_id = e.workspace_id AND f.endpoint_id = e.id
 WHERE $1 OR e.consecutive_failures > 0 OR e.disabled_reason IS NOT NULL OR q.n > 0
 ORDER BY e.disabled_reason IS NOT NULL DESC, e.consecutive_failures DESC, q.n DESC NULLS LAST,
          w.name, e.url
 LIMIT 200
"""
LAST_FAILURES = """
SELECT d.attempt, d.event_type, d.response_status, d.error_class, d.duration_ms, d.finished_at,
       d.next_attempt_at, d.url, w.name AS workspace
  FROM webhook_endpoints e
  JOIN workspaces w ON w.id = e.workspace_id
  CROSS JOIN LATERAL (
      SELECT * FROM webhook_deliveries
       WHERE workspace_id = e.workspace_id AND endpoint_id = e.id
         AND status IN ('failed', 'skipped_disabled')
       ORDER BY ordinal DESC LIMIT 3
  ) d
 WHERE e.consecutive_failures > 0 AND d.status = 'failed'
 ORDER BY d.finished_at DESC NULLS LAST LIMIT 50
"""
UNDISPATCHED = """
SELECT count(*) AS n, min(recorded_at) AS since, now() AS now FROM events
 WHERE dispatched_at IS NULL
"""
_MOST_JOBS: Final = 100


async def show_jobs(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show how many jobs wait and run, and which are held, with what went wrong."""
    facts = {
        "loads": await loads(visit.conn),
        "held": await list_held(visit.conn, _MOST_JOBS),
        "most": _MOST_JOBS,
    }
    return await show(visit, "admin_jobs.html", facts, refusal, preview)


async def post_job(visit: Visit) -> Answer:
    """Run a held job again, or give it up."""
    written = visit.path["job"]
    if not (written.isascii() and written.isdigit() and len(written) < len(str(2**63))):
        raise nothing_here()

    async def settle() -> None:
        await settle_job(
            conn=visit.conn,
            actor=visit.operator,
            job_id=int(written),
            decision=_decision(visit),
            reason=visit.field("reason"),
        )

    return await perform(
        visit, f"job-{written}", settle, again=show_jobs, then="/admin/jobs?done=job"
    )


def _decision(visit: Visit) -> Any:
    decision = visit.field("decision")
    if decision not in ("run_again", "give_up"):
        refuse([Problem("decision", "must be run_again or give_up", decision)])
    return decision


async def show_deliveries(visit: Visit) -> Answer:
    """Show endpoints with what waits for them and what fails; all of them if asked."""
    every = visit.query.get("all") == "yes"
    facts = {
        "every": every,
        "endpoints": await visit.conn.fetch(ENDPOINTS, every),
        "failures": await visit.conn.fetch(LAST_FAILURES),
        "undispatched": await visit.conn.fetchrow(UNDISPATCHED),
    }
    return await show(visit, "admin_deliveries.html", facts)


async def show_doctor(visit: Visit) -> Answer:
    """Say what the doctor proves, and how to have it done: it reads every row of the books."""
    return await show(visit, "admin_doctor.html", {"findings": None})


async def post_doctor(visit: Visit) -> Answer:
    """Prove the books, and show what holds and what does not."""
    findings = await examine_and_remember(visit.conn)
    return await show(visit, "admin_doctor.html", {"findings": findings})


MACHINE_PAGES: Final = (
    Page("admin_jobs", "GET", "/admin/jobs", show_jobs),
    Page("admin_job", "POST", "/admin/jobs/{job}", post_job),
    Page("admin_deliveries", "GET", "/admin/deliveries", show_deliveries),
    Page("admin_doctor", "GET", "/admin/doctor", show_doctor),
    Page("admin_examine", "POST", "/admin/doctor", post_doctor),
)
