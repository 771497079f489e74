from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from tests.faults.books import audit
from tests.faults.trial import SHORT, Trial, begun

# What takes little time to fall and to recover from; the long version has every kind.
QUICK = (
    "kill_api_worker",
    "kill_worker",
    "kill_postmaster",
    "cut_connections",
    "end_sessions",
)


async def test_nothing_is_lost_or_doubled_while_parts_die_under_load(tmp_path: Path) -> None:
    async with begun(seed=1, folder=tmp_path, scale=SHORT, kinds=QUICK) as trial:
        await trial.go_through(60, most=len(QUICK))
        assert trial.report.failures == [], trial.report.as_json()
        assert {one.kind for one in trial.report.struck} == set(QUICK)
        assert trial.report.counts["orders completed"] > 0
        expected = await tamper(trial)
        checks = await audit(trial.scene, trial.workspaces)
        assert {check.claim for check in checks if check.contradictions} == expected


async def tamper(trial: Trial) -> set[str]:
    """Break what was promised in many ways; give the claims that are wrong then."""
    [workspace] = trial.workspaces
    promises, inbox = workspace.promises, trial.scene.outside.inboxes["w1-healthy"]
    key, (bundle_id, cost) = next(iter(promises.orders.items()))
    promises.orders[key] = (bundle_id, cost + 1)
    promises.orders["lost"] = ("00000000-0000-0000-0000-000000000000", cost)
    promises.files[next(iter(promises.files))] = sha256(b"another").hexdigest()
    promises.endpoints["lost"] = "http://127.0.0.1/"
    promises.broken.append("an answer that was another one later")
    inbox.bodies["evt_imagined"] = inbox.bodies.pop(next(iter(inbox.bodies)))
    inbox.broken.append("a wrong signature")
    async with trial.scene.connected() as conn:
        reference = await conn.fetchval(
            "UPDATE bundles SET status = 'accepted' WHERE id = $1 RETURNING external_ref",
            bundle_id,
        )
        await conn.execute("UPDATE events SET sequence = 0 WHERE sequence = 1")
        await conn.execute(
            "INSERT INTO pgqueuer (priority, entrypoint, status) VALUES (0, 'nobody', 'queued')"
        )
    promises.denied.add(reference)
    return {
        "each order that was answered exists",
        "charged is what each order was said to cost",
        "what was said not to have happened did not",
        "every published order is completed in the end",
        "events are numbered without a gap",
        "each event came to the healthy endpoint at least once",
        "no delivery tells what did not happen",
        "deliveries are signed right, and an event has one body",
        "each file is there, byte for byte",
        "endpoints are those that were made and not deleted",
        "no answer was other than promised",
        "journal, counters, deadlines and books agree",
        "no job is lost, stuck or held",
        "doctor finds nothing",
    }


@pytest.mark.proof
async def test_nothing_is_lost_or_doubled_in_twenty_minutes_of_every_kind_of_fault(
    tmp_path: Path,
) -> None:
    seed = int(os.environ.get("FAULTS_SEED", "1"))
    async with begun(seed=seed, folder=tmp_path) as trial:
        await trial.go_through(1200)
        assert trial.report.failures == [], trial.report.as_json()
