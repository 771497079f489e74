"""What must be true of many machines that are one server. Each fact is an assertion of its own."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from tokportal import TokPortal

from tests.client import Client, Reply
from tests.credits.moves import grant
from tests.entry.installation import kill, request
from tests.entry.walker import STEPS, Walker
from tests.http.test_admission import limited_key
from tests.lib.waiting import SAFETY_NET
from tests.orders.walk import PROFILE, order
from tests.pages.guest import visiting
from tests.scale.cluster import Cluster, homes
from tokportal_server.credits import ledger
from tokportal_server.entry.demo.walk import EVENTS
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workbench.doctor import examine
from tokportal_server.workspaces.operations.create_workspace import create_workspace

ORDERS: Final = 200
BUNDLES = "SELECT count(*) FROM bundles WHERE workspace_id = $1"
DEBITS = """
SELECT count(*) AS n, COALESCE(sum(amount), 0)::integer AS amount FROM credit_entries
 WHERE workspace_id = $1 AND type = 'debit'
"""
TOLD = """
SELECT count(*) AS n, count(DISTINCT data ->> 'lot_id') AS lots FROM events
 WHERE type = 'credits.expiring'
"""
UNTOLD = "SELECT count(*) FROM events WHERE dispatched_at IS NULL"
EVENT_IDS = "SELECT id FROM events WHERE workspace_id = $1 AND type = ANY ($2)"
_ENDING_WORKSPACES: Final = 6
_ENDING_LOTS: Final = 5


async def until(met: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something; fail if it takes much too long."""
    deadline = time.monotonic() + 2 * SAFETY_NET
    while not await met():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


async def an_order_goes_its_whole_way(cluster: Cluster) -> None:
    """The demo's walk, each request at the next server, and its media from each of them."""
    address = cluster.balancer.address
    with tempfile.TemporaryDirectory() as folder:
        client = TokPortal(cluster.world.alice_key, f"{address}/api/ext")
        walker = Walker(client, address, Path(folder))
        cluster.receiver.secret = await asyncio.to_thread(walker.subscribe, cluster.hook, EVENTS)
        for step in STEPS:
            await asyncio.to_thread(walker.take, step)
    assert set(cluster.balancer.served) == {api.port for api in cluster.apis}
    await every_event_has_arrived(cluster)
    assert Counter(cluster.receiver.types()) == Counter(EVENTS)
    path = walker.video.removeprefix(address)
    answers = [await asyncio.to_thread(request, api.address + path) for api in cluster.apis]
    assert {(one.status, one.body) for one in answers} == {(200, answers[0].body)}
    assert len(answers[0].body) > 1000


async def every_event_has_arrived(cluster: Cluster) -> None:
    """Wait for the events that the endpoint wants; each came once, with a signature that fits."""

    async def all_are_there() -> bool:
        async with cluster.connected() as conn:
            rows = await conn.fetch(EVENT_IDS, cluster.world.acme, sorted(set(EVENTS)))
        return len(cluster.receiver.types()) >= len(rows)

    await until(all_are_there, "an event never came")
    assert cluster.receiver.refused == 0


async def each_event_is_delivered_once(cluster: Cluster) -> None:
    """Several workers look for events and deliveries at once, and none is sent twice."""
    await every_event_has_arrived(cluster)
    assert cluster.receiver.duplicates == 0


async def orders_that_two_servers_get_are_made_once(cluster: Cluster) -> None:
    """200 orders, each sent to two servers at the same moment with one idempotency key."""
    acme = cluster.world.acme
    async with cluster.connected() as conn:
        before = await conn.fetchval(BUNDLES, acme)
        await grant(conn, acme, 100_000, now=real_now(), source="grant")
        debits = await conn.fetchrow(DEBITS, acme)
    at_once = asyncio.Semaphore(10)
    async with _callers(cluster, cluster.world.alice_key) as clients:
        pairs = list(itertools.islice(itertools.permutations(clients, 2), len(clients)))

        async def twice(number: int) -> set[bytes]:
            async with at_once:
                one, other = pairs[number % len(pairs)]
                replies = await asyncio.gather(
                    *(_ordered(client, f"order {number}") for client in (one, other))
                )
            assert sum("idempotent-replayed" in r.headers for r in replies) == 1
            return {reply.body for reply in replies}

        bodies = await asyncio.gather(*(twice(number) for number in range(ORDERS)))
    assert all(len(pair) == 1 for pair in bodies)
    assert len(set().union(*bodies)) == ORDERS
    async with cluster.connected() as conn:
        assert await conn.fetchval(BUNDLES, acme) == before + ORDERS
        after = await conn.fetchrow(DEBITS, acme)
    assert debits is not None
    assert after is not None
    assert after["n"] == debits["n"] + ORDERS


async def _ordered(client: Client, key: str) -> Reply:
    """Order, and ask again while the other server is still at it."""
    while True:
        reply = await client.post("/bundles", order(0), headers={"Idempotency-Key": key})
        if reply.status == 201:
            return reply
        assert reply.code == "IDEMPOTENCY_IN_PROGRESS", reply.body
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _callers(cluster: Cluster, key: str) -> AsyncIterator[list[Client]]:
    """Give a client for each server, past the balancer."""
    clients = [Client(api.address, key) for api in cluster.apis]
    for client in clients:
        await client.__aenter__()
    try:
        yield clients
    finally:
        for client in clients:
            await client.__aexit__(None, None, None)


async def a_key_has_one_bucket_at_all_servers(cluster: Cluster) -> None:
    """Of 120 calls on 50 tokens, spread over the servers at once, exactly 50 are answered."""
    async with cluster.connected() as conn:
        key = await limited_key(conn, cluster.world, capacity=50, refill=0.0001)
    async with _callers(cluster, key) as clients:
        calls = [client.get("/me") for _ in range(120 // len(clients)) for client in clients]
        replies = await asyncio.gather(*calls)
    assert Counter(reply.status for reply in replies) == {200: 50, 429: 70}


async def a_session_is_known_to_all_servers(cluster: Cluster) -> None:
    """Signed in at one, read at another, signed out at the third."""
    first, second, third = itertools.islice(itertools.cycle(cluster.apis), 3)
    async with visiting(first.address) as guest:
        assert (await guest.sign_in("alice")).status == 303
        guest.address = second.address
        assert (await guest.get(f"/console/{cluster.world.acme}")).status == 200
        guest.address = third.address
        assert (await guest.post("/sign-out")).status == 303
        guest.address = first.address
        assert "/sign-in" in (await guest.get("/you")).to


async def a_page_hears_of_what_happens_at_another_server(cluster: Cluster) -> None:
    """A stream of events at one server, an order at another."""
    here, there, *_ = cluster.apis
    async with visiting(here.address) as guest, Client(there.address, cluster.world.alice_key) as c:
        await guest.sign_in("alice")
        page = await guest.get(f"/console/{cluster.world.acme}")
        live = page.html.split('data-live="')[1].split('"')[0]
        async with guest.listening(live) as stream, asyncio.timeout(SAFETY_NET):
            assert (await stream.readline()).startswith(b"retry:")
            assert (await c.post("/bundles", order(0))).status == 201
            while b"moved" not in await stream.readline():
                pass


async def what_is_due_happens_once(cluster: Cluster) -> None:
    """Lots of many workspaces that end within a week: each is warned of by one worker only."""
    async with cluster.connected() as conn:
        for number in range(_ENDING_WORKSPACES):
            workspace = await create_workspace(
                conn=conn, name=f"Ending {number}", owner_id=cluster.world.charlie
            )
            await _grant_ending(cluster, workspace)

    async def all_are_told() -> bool:
        async with cluster.connected() as conn:
            told = await conn.fetchrow(TOLD)
            # Those are sent out too, so that a second one has had its time.
            untold = await conn.fetchval(UNTOLD)
        assert told is not None
        return told["lots"] == _ENDING_WORKSPACES * _ENDING_LOTS and not untold

    await until(all_are_told, "a lot ends, and nobody was told")
    await nobody_was_told_twice(cluster)


async def nobody_was_told_twice(cluster: Cluster) -> None:
    """A warning for each lot, and no second one."""
    async with cluster.connected() as conn:
        told = await conn.fetchrow(TOLD)
    assert told is not None
    assert told["n"] == told["lots"]


async def _grant_ending(cluster: Cluster, workspace: UUID) -> None:
    async with (
        cluster.connected() as conn,
        unit_of_work(conn, workspace, now=real_now()) as tx,
    ):
        for lot in range(_ENDING_LOTS):
            await ledger.grant(
                tx,
                amount=10,
                source="grant",
                expires_at=real_now() + timedelta(days=3, hours=lot),
                description="Ends soon",
                business_key=f"ending {lot}",
                actor=SYSTEM,
            )


async def what_a_killed_worker_held_is_taken_over(cluster: Cluster) -> None:
    """Orders are published, one worker is killed: managers set all of them up, all is told."""
    async with Client(cluster.balancer.address, cluster.world.alice_key) as alice:
        bundles = [await _published(alice) for _ in range(12)]
        await asyncio.to_thread(kill, cluster.workers[0].running.tree())

        async def all_are_set_up() -> bool:
            states = [
                (await alice.get(f"/bundles/{bundle}/account")).data["status"] for bundle in bundles
            ]
            return set(states) == {"in_review"}

        await until(all_are_set_up, "an order stands still")
    # A delivery whose sender was killed is sent again, with the same id: at least once.
    await every_event_has_arrived(cluster)
    await cluster.workers[0].start()


async def _published(alice: Client) -> str:
    bundle = str((await alice.post("/bundles", order(0))).data["id"])
    assert (await alice.put(f"/bundles/{bundle}/account", PROFILE)).status == 200
    assert (await alice.post(f"/bundles/{bundle}/publish")).status == 200
    return bundle


async def machines_are_restarted_in_turn_and_no_caller_notices(cluster: Cluster) -> None:
    """Each API is taken from the balancer, stopped, started and put back; workers just restart."""
    done = asyncio.Event()
    callers = [asyncio.create_task(_calling(cluster, done, number)) for number in range(4)]
    for api in cluster.apis:
        await cluster.balancer.take_out(api.port)
        await api.stop()
        await api.start()
        cluster.balancer.put_in(api.port)
    for worker in cluster.workers:
        await worker.stop()
        await worker.start()
    done.set()
    answered = await asyncio.gather(*callers)
    assert all(answered)
    assert not cluster.balancer.refused


async def _calling(cluster: Cluster, done: asyncio.Event, number: int) -> int:
    """Read and order until told to stop; give how often. Anything but a success is an error."""
    times = 0
    close = {"Connection": "close"}
    async with Client(cluster.balancer.address, cluster.world.alice_key) as alice:
        while not done.is_set():
            assert (await alice.get("/me", headers=close)).status == 200
            key = {"Idempotency-Key": f"caller {number} {times}"}
            assert (await alice.post("/bundles", order(0), headers=close | key)).status == 201
            times += 1
    return times


async def the_books_are_right(cluster: Cluster) -> None:
    """What the doctor says; and no machine has kept anything that others would need."""
    async with cluster.connected() as conn:
        found = {f.check.name: f.contradictions for f in await examine(conn) if f.contradictions}
    assert found == {}
    for home, names in homes(cluster).items():
        assert names.isdisjoint({"postgres", "vault.key", "media"}), (home, names)


# Cheap enough for each run of the suite.
SHORT: Final = (
    an_order_goes_its_whole_way,
    orders_that_two_servers_get_are_made_once,
    each_event_is_delivered_once,
    a_key_has_one_bucket_at_all_servers,
    a_session_is_known_to_all_servers,
    a_page_hears_of_what_happens_at_another_server,
    the_books_are_right,
)
ALL: Final = (
    *SHORT[:-1],
    what_is_due_happens_once,
    machines_are_restarted_in_turn_and_no_caller_notices,
    what_a_killed_worker_held_is_taken_over,
    nobody_was_told_twice,
    the_books_are_right,
)
