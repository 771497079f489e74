"""Jobs that were held, endpoints that fail, and the doctor."""

from __future__ import annotations

from typing import Any

from tests.client import Client
from tests.orders.walk import ordered
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.jobs.runner import JobRunner

ACTIONS = "SELECT action, details ->> 'name' AS name, reason FROM audit ORDER BY ordinal"
FAIL = """
UPDATE webhook_endpoints SET consecutive_failures = 4, first_failure_at = now() - interval '2 hours'
"""


async def hold(conn: Connection, database: Database, key: str | None = None) -> int:
    """Have a job fail for good; give its id."""

    async def fail(_: dict[str, Any]) -> None:
        raise ValueError("no <em>such</em> file")

    await enqueue(conn, "thumbnail", {"media_id": "m1"}, dedupe_key=key)
    await JobRunner(database, {"thumbnail": fail}, attempts=1).drain()
    return int(await conn.fetchval("SELECT id FROM pgqueuer WHERE status = 'failed'"))


async def test_a_held_job_says_what_went_wrong_and_runs_again(
    conn: Connection, database: Database, olga: Guest
) -> None:
    job_id = await hold(conn, database)
    assert "Held jobs have failed as often as they are tried 1" in (await olga.get("/admin")).text
    page = await olga.get("/admin/jobs")
    assert "<p>ValueError: no &lt;em&gt;such&lt;/em&gt; file</p>" in page.html
    assert "media_id m1" in page.text
    there = f"/admin/jobs/{job_id}"
    blank = await olga.post(there, {"decision": "run_again", "reason": ""})
    assert blank.status == 400
    assert f'id="job-{job_id}-reason-wrong"' in blank.html
    again = await olga.post(there, {"decision": "run_again", "reason": "The disk is back"})
    assert again.status == 303
    ran: list[dict[str, Any]] = []

    async def succeed(payload: dict[str, Any]) -> None:
        ran.append(payload)

    await JobRunner(database, {"thumbnail": succeed}, attempts=1).drain()
    assert ran == [{"media_id": "m1"}]
    assert "No job waits, runs or is held." in (await olga.get("/admin/jobs")).text
    rows = [tuple(row) for row in await conn.fetch(ACTIONS)]
    assert rows == [("job.run_again", "thumbnail", "The disk is back")]


async def test_a_held_job_is_given_up_once(
    conn: Connection, database: Database, olga: Guest
) -> None:
    there = f"/admin/jobs/{await hold(conn, database)}"
    drop = {"decision": "give_up", "reason": "Not needed"}
    assert (await olga.post(there, drop)).status == 303
    late = await olga.post(there, drop)
    assert late.status == 400
    assert "is not held" in late.text
    for odd in ("x", "9" * 30):
        assert (await olga.post(f"/admin/jobs/{odd}", drop)).code == "PAGE_NOT_FOUND"
    assert len(await conn.fetch(ACTIONS)) == 1


async def test_the_same_work_does_not_wait_twice(
    conn: Connection, database: Database, olga: Guest
) -> None:
    job_id = await hold(conn, database, key="m1")
    await enqueue(conn, "thumbnail", {"media_id": "m1"}, dedupe_key="m1")
    seen = await olga.post(f"/admin/jobs/{job_id}", {"decision": "run_again", "reason": "X"})
    assert seen.status == 400
    assert "the same work waits or runs already" in seen.text
    assert await conn.fetch(ACTIONS) == []


async def test_endpoints_that_fail_stand_first_and_healthy_ones_are_left_out(
    alice: Client, conn: Connection, olga: Guest
) -> None:
    hook = {"url": "https://hooks.example.com/in", "events": ["bundle.published"]}
    assert (await alice.post("/webhooks", hook)).status == 201
    await ordered(alice, videos=0)
    page = (await olga.get("/admin/deliveries")).text
    assert "No endpoint has a backlog or failures." in page
    assert "Events that wait to be handed to endpoints: " in page
    assert (
        "https://hooks.example.com/in Acme on" in (await olga.get("/admin/deliveries?all=yes")).text
    )
    await conn.execute(FAIL)
    failing = (await olga.get("/admin/deliveries")).text
    assert "https://hooks.example.com/in Acme failing 0 4 2 h ago" in failing
    assert (
        "Failing endpoints three deliveries in a row or more 1" in (await olga.get("/admin")).text
    )
    await conn.execute("UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'Gone'")
    assert "off Gone" in (await olga.get("/admin/deliveries")).text


async def test_the_doctor_proves_the_books_and_names_what_is_off(
    alice: Client, conn: Connection, olga: Guest
) -> None:
    await ordered(alice, videos=0)
    assert "holds" not in (await olga.get("/admin/doctor")).text.split("Prove the books now")[1]
    assert "proofs hold." in (await olga.post("/admin/doctor")).text
    await conn.execute("UPDATE bundle_charges SET refunded = 1")
    off = (await olga.post("/admin/doctor")).text
    assert "Proofs that found contradictions: 1." in off
    assert "charge refunds" in off
    assert "1 of 1 contradiction" in off
