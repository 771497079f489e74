"""Maintenance: reading goes on, nothing is written, and afterwards everything goes on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import order, ordered
from tests.pages.guest import Guest, give_passwords, visiting
from tokportal_server.entry.worker import run_worker
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib import maintenance
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.maintenance import Maintenance, Resting
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.workbench.operations import kill_switch
from tokportal_server.workbench.operations.kill_switch import Switch

WRITTEN = """
SELECT (SELECT count(*) FROM bundles), (SELECT count(*) FROM credit_entries),
       (SELECT count(*) FROM webhook_endpoints), (SELECT count(*) FROM idempotency_keys)
"""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is fresh: the two seconds are tested by themselves."""
    monkeypatch.setattr(maintenance, "FRESH_SECONDS", 0.0)


async def begin(conn: Connection, world: World, minutes: int | None = None) -> None:
    until = None if minutes is None else real_now() + timedelta(minutes=minutes)
    await kill_switch.pause(
        conn=conn,
        actor=world.as_olga,
        switch=Switch("maintenance", until=until),
        reason="Moving to a larger disk.",
    )


async def end(conn: Connection, world: World) -> bool:
    switch = Switch("maintenance")
    return await kill_switch.resume(conn=conn, actor=world.as_olga, switch=switch, reason="Moved.")


async def test_every_write_is_refused_with_the_reason_and_the_time_and_reads_go_on(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle = await ordered(alice)
    before = await conn.fetchrow(WRITTEN)
    await begin(conn, world, minutes=30)
    dry, keyed = {"X-TokPortal-Dry-Run": "true"}, {"Idempotency-Key": "k"}
    replies = [
        await alice.post("/bundles", order()),
        await alice.post("/bundles", order(), headers=dry),
        await alice.post("/bundles", order(), headers=keyed),
        await alice.post(f"/bundles/{bundle}/publish"),
        await alice.put(f"/bundles/{bundle}/account", {}),
        await alice.post("/webhooks", {"url": "https://a.example.com", "events": ["*"]}),
    ]
    for reply in replies:
        assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")
        assert reply.details["maintenance"]["reason"] == "Moving to a larger disk."
        assert 1700 < int(reply.headers["Retry-After"]) <= 1800
    for path in ("/bundles", f"/bundles/{bundle}", "/me"):
        assert (await alice.get(path)).status == 200
    assert await conn.fetchrow(WRITTEN) == before
    assert await end(conn, world)
    assert (await alice.post("/bundles", order(), headers=keyed)).status == 201


async def test_a_stored_answer_waits_too_and_is_replayed_afterwards(
    alice: Client, conn: Connection, world: World
) -> None:
    key = {"Idempotency-Key": "once"}
    first = await alice.post("/bundles", order(), headers=key)
    await begin(conn, world)
    refused = await alice.post("/bundles", order(), headers=key)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "60")
    await end(conn, world)
    again = await alice.post("/bundles", order(), headers=key)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")


async def test_readiness_says_so_and_does_not_fail(
    alice: Client, conn: Connection, world: World
) -> None:
    async with visiting(alice.address) as guest:
        assert msgspec.json.decode((await guest.get("/readyz")).html)["maintenance"] is None
        await begin(conn, world)
        ready = await guest.get("/readyz")
    assert ready.status == 200
    assert msgspec.json.decode(ready.html)["maintenance"] == "Moving to a larger disk."


async def test_pages_say_why_their_forms_are_disabled_and_an_operator_ends_it_there(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice, world.olga)
    async with visiting(alice.address) as customer, visiting(alice.address) as operator:
        await customer.sign_in("alice")
        keys = f"/console/{world.acme}/keys"
        await customer.get(keys)
        await begin(conn, world, minutes=5)
        await _refused(customer, keys)
        # Whoever comes during it can still come, and go.
        assert (await operator.sign_in("olga")).status == 303
        page = await operator.get("/admin/maintenance")
        assert '<fieldset class="resting" disabled>' not in page.html.split("<h1>")[1]
        off = await operator.post("/admin/maintenance/off", {"reason": "Moved."})
        assert off.to == "/admin/maintenance?done=maintenance_off"
        assert "Maintenance is over" in (await operator.get(off.to)).text
        assert "nothing can be written" not in (await customer.get(keys)).text
        await operator.get("/admin/maintenance")
        early = {"reason": "Again.", "until": "2001-01-01T10:00"}
        refused = await operator.post("/admin/maintenance/on", early)
        assert refused.status == 400
        assert "must be a time to come" in refused.text
        again = {"reason": "Again.", "until": ""}
        assert (await operator.post("/admin/maintenance/on", again)).status == 303
        assert "Again." in (await customer.get(keys)).text
    actions = [row[0] for row in await conn.fetch("SELECT action FROM audit ORDER BY ordinal")]
    assert actions[-3:] == ["maintenance.on", "maintenance.off", "maintenance.on"]


async def _refused(customer: Guest, keys: str) -> None:
    page = await customer.get(keys)
    assert page.status == 200
    assert "Moving to a larger disk." in page.text
    assert '<fieldset class="resting" disabled>' in page.html
    refused = await customer.post(keys, {"name": "x", "scope": "read"})
    assert refused.status == 503
    assert "Nothing was changed" in refused.text
    assert refused.headers["retry-after"]
    # A filter only reads.
    requests = (await customer.get(keys.replace("/keys", "/requests"))).html
    assert "disabled" not in requests.split('<form method="get"')[1].split("</form>")[0]


async def test_workers_take_nothing_up_and_go_on_afterwards(
    alice: Client, conn: Connection, world: World, settings: Settings
) -> None:
    await begin(conn, world)
    await ordered_before(alice, conn, world)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(settings, stop))
    waiting = "SELECT count(*) FROM events WHERE dispatched_at IS NULL"
    jobs = "SELECT count(*) FROM pgqueuer"
    await _looked(conn)
    assert (await conn.fetchval(waiting), await conn.fetchval(jobs)) == (1, 1)
    await end(conn, world)
    await _until(conn, f"SELECT ({waiting}) = 0 AND ({jobs}) = 0")
    # And the other way: a worker that runs stops taking up.
    await begin(conn, world)
    await _looked(conn)
    await _looked(conn)
    await ordered_before(alice, conn, world)
    await _looked(conn)
    assert (await conn.fetchval(waiting), await conn.fetchval(jobs)) == (1, 1)
    stop.set()
    await worker


async def ordered_before(alice: Client, conn: Connection, world: World) -> None:
    """Leave an event and a job, as a call would have that was let in just before."""
    await end(conn, world)
    await conn.execute(
        "INSERT INTO events (workspace_id, sequence, id, type, data, created_at)"
        " SELECT $1, count(*) + 100, 'evt_' || count(*), 'bundle.created', '{}', now() FROM events",
        world.acme,
    )
    await enqueue(conn, "sealed_mail", {"mail_id": str(world.alice)})
    await begin(conn, world)
    assert alice.address


async def _looked(conn: Connection) -> None:
    """Wait until the worker has looked at the switch a few times: it reads it at each turn."""
    reads = (
        "SELECT seq_scan + COALESCE(idx_scan, 0) FROM pg_stat_user_tables"
        " WHERE relname = 'kill_switches'"
    )
    seen = await conn.fetchval(reads)
    await _until(conn, f"SELECT ({reads}) > {seen + 20}")


async def _until(conn: Connection, condition: str) -> None:
    async with asyncio.timeout(60):
        while not await conn.fetchval(condition):
            await conn.execute("SELECT pg_stat_clear_snapshot()")
            await asyncio.sleep(0.05)


class Counting:
    """A loop that counts its turns, and how often it was asked to end what is under way."""

    name = "counting"

    def __init__(self) -> None:
        self.turns = 0
        self.settled = 0

    async def run_once(self) -> int:
        self.turns += 1
        return 1

    async def settle(self) -> None:
        self.settled += 1


async def test_a_loop_ends_what_is_under_way_once_and_rests(
    conn: Connection, world: World, ports: Ports
) -> None:
    loop = Counting()
    resting = Resting(loop, ports.maintenance, ports.database, loop.settle)
    assert await resting.run_once() == 1
    await begin(conn, world)
    assert [await resting.run_once() for _ in range(3)] == [0, 0, 0]
    assert (loop.turns, loop.settled) == (1, 1)
    await end(conn, world)
    assert await resting.run_once() == 1
    await begin(conn, world)
    assert await resting.run_once() == 0
    assert (loop.turns, loop.settled) == (2, 2)


async def test_what_is_known_is_two_seconds_old_at_most(
    conn: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FRESH_SECONDS", 3600.0)
    known = Maintenance()
    assert await known.look(conn) is None
    await begin(conn, world)
    assert await known.look(conn) is None
    known.forget()
    notice = await known.look(conn)
    assert notice is not None
    assert (notice.reason, notice.until) == ("Moving to a larger disk.", None)


async def test_what_has_passed_is_no_end_and_a_switch_that_is_off_stays_off(
    conn: Connection, world: World, ports: Ports
) -> None:
    with pytest.raises(ValidationError, match="must be a time to come"):
        await begin(conn, world, minutes=-1)
    assert await end(conn, world) is False
    assert await ports.maintenance.is_on(ports.database) is False
