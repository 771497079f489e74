"""What was tried as often as it is tried: listed with its reason, and run again."""

from __future__ import annotations

from typing import Any

from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher

HERE = "/admin/dead-letters"
LAST = """
UPDATE webhook_deliveries SET status = 'failed', error_class = 'refused', finished_at = now()
 WHERE status = 'pending'
"""
ACTIONS = "SELECT action FROM audit ORDER BY ordinal"


async def hold(conn: Connection, database: Database, name: str, *, times: int = 1) -> list[int]:
    """Have jobs fail for good; give their ids."""

    async def fail(_: dict[str, Any]) -> None:
        raise ValueError("the disk at https://ann:hunter2@disk.example.com/ is full")

    for _ in range(times):
        await enqueue(conn, name, {"media_id": "m1"})
    await JobRunner(database, {name: fail}, attempts=1).drain()
    rows = await conn.fetch("SELECT id FROM pgqueuer WHERE entrypoint = $1 ORDER BY id", name)
    return [row["id"] for row in rows]


async def given_up(alice: Client, conn: Connection, ports: Ports) -> str:
    """Have deliveries of two events given up; give their endpoint's id."""
    hook = {"url": "http://127.0.0.1:9/in", "events": ["bundle.created"]}
    endpoint = (await alice.post("/webhooks", hook)).data["id"]
    await ordered(alice)
    await ordered(alice)
    await Dispatcher(ports).run_once()
    await conn.execute(LAST)
    return str(endpoint)


async def test_an_empty_page_says_what_it_is_for(olga: Guest) -> None:
    page = await olga.get(HERE)
    assert page.status == 200
    assert "stops here instead of vanishing" in page.text


async def test_held_jobs_and_mails_run_again_one_by_one_and_those_that_are_picked(
    conn: Connection, database: Database, olga: Guest
) -> None:
    first, second, third = await hold(conn, database, "thumbnail", times=3)
    (mail,) = await hold(conn, database, "notice_mail")
    page = await olga.get(HERE)
    assert "ValueError: the disk at" in page.text
    assert "hunter2" not in page.html
    assert f"job.{mail}" in page.html
    mails = (await olga.get(f"{HERE}?kind=mail")).html
    assert (f"job.{mail}" in mails, f"job.{first}" in mails) == (True, False)
    blank = await olga.post(HERE, {f"pick.job.{first}": "true", "reason": ""})
    assert blank.status == 400
    assert f'name="pick.job.{first}" value="true" checked' in blank.html
    nothing = await olga.post(HERE, {"reason": "Mended"})
    assert "pick at least one" in nothing.text
    one = await olga.post(HERE, {"only": f"job.{first}", "reason": "Mended"})
    assert one.to == f"{HERE}?done=again"
    picked = {f"pick.job.{second}": "true", f"pick.job.{mail}": "true", "reason": "Mended"}
    assert (await olga.post(HERE, picked)).status == 303
    waiting = await conn.fetch("SELECT id FROM pgqueuer WHERE status = 'queued' ORDER BY id")
    assert [row["id"] for row in waiting] == [first, second, mail]
    late = await olga.post(
        HERE, {f"pick.job.{first}": "true", f"pick.job.{third}": "true", "reason": "Mended"}
    )
    assert late.status == 200
    assert "Run again: 1. These were not:" in late.text
    assert "is not held" in late.text
    actions = [row["action"] for row in await conn.fetch(ACTIONS)]
    assert actions == ["job.run_again"] * 4


async def test_deliveries_that_were_given_up_are_sent_once_more_by_a_worker(
    alice: Client, conn: Connection, ports: Ports, world: World, olga: Guest
) -> None:
    endpoint = await given_up(alice, conn, ports)
    page = await olga.get(f"{HERE}?kind=delivery")
    letters = [part.split('"')[0] for part in page.html.split('name="only" value="')[1:]]
    assert len(letters) == 2
    assert all(one.startswith(f"delivery.{world.acme}.{endpoint}.") for one in letters)
    assert (await olga.post(HERE, {"only": letters[0], "reason": "It is back"})).status == 303
    assert letters[0] not in (await olga.get(HERE)).html
    twice = await olga.post(HERE, {"only": letters[0], "reason": "It is back"})
    assert "waits to be sent again already" in twice.text
    deliverer = Deliverer(ports)
    while await deliverer.run_once():
        pass
    await deliverer.drain()
    row = await conn.fetchrow("SELECT * FROM webhook_deliveries WHERE manual")
    assert row is not None
    # Refused by the receiver once more; nothing follows by itself, and it is here again.
    assert (row["status"], row["attempt"], row["next_attempt_at"]) == ("failed", 2, None)
    assert letters[0] in (await olga.get(HERE)).html
    audited = await conn.fetchrow("SELECT * FROM audit WHERE action = 'webhook.send_again'")
    assert audited is not None
    assert (audited["workspace_id"], audited["reason"]) == (world.acme, "It is back")


async def test_a_disabled_endpoint_and_made_up_letters_are_refused(
    alice: Client, conn: Connection, ports: Ports, olga: Guest
) -> None:
    await given_up(alice, conn, ports)
    page = await olga.get(HERE)
    letter = page.html.split('name="only" value="')[1].split('"')[0]
    await conn.execute("UPDATE webhook_endpoints SET enabled = false")
    assert "The endpoint is off" in (await olga.get(HERE)).text
    off = await olga.post(HERE, {"only": letter, "reason": "X"})
    assert "is disabled" in off.text
    for odd in ("job.x", "job.1.2", "delivery.1", "delivery", "", "job." + "9" * 30):
        seen = await olga.post(HERE, {"only": odd, "reason": "X"})
        assert seen.status in (200, 400)
        assert "done" not in seen.headers.get("location", "")
    actions = {row["action"] for row in await conn.fetch(ACTIONS)}
    assert actions & {"webhook.send_again", "job.run_again"} == set()
