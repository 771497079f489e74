"""``GET /bundles``."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any
from uuid import UUID

import pytest

from tests.bundles.stages import in_review
from tests.bundles.traces import counters
from tests.cast import World
from tests.client import Client, Reply
from tests.orders.walk import PROFILE, claimed, order, ordered, published, working
from tokportal_server.bundles.queries import list_bundles
from tokportal_server.bundles.wire import ListBundlesQuery
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.operations.archive_bundle import archive_bundle
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle

DRY = {"X-TokPortal-Dry-Run": "true"}
COUNT = "SELECT status, count(*) AS n FROM bundles WHERE workspace_id = $1 GROUP BY status"


def names(reply: Reply) -> list[str]:
    return [bundle["external_ref"] for bundle in reply.data]


async def a_mixed_lot(alice: Client) -> None:
    """Order five bundles: c and e are on Instagram, b and e in France, d is published."""
    await ordered(alice, videos=0, external_ref="a")
    await ordered(alice, videos=0, external_ref="b", country="FR")
    await ordered(alice, videos=2, external_ref="c", platform="instagram")
    await published(alice, videos=0, external_ref="d")
    await ordered(alice, videos=0, external_ref="e", country="FR", platform="instagram")


async def test_the_newest_come_first_as_the_whole_object(alice: Client) -> None:
    await a_mixed_lot(alice)

    reply = await alice.get("/bundles")

    assert names(reply) == ["e", "d", "c", "b", "a"]
    assert reply.json["pagination"] == {"page": 1, "per_page": 25, "total": 5, "total_pages": 1}
    for bundle in reply.data:
        assert (await alice.get(f"/bundles/{bundle['id']}")).data == bundle


async def test_pages_divide_the_list_and_end(alice: Client) -> None:
    await a_mixed_lot(alice)

    pages = [await alice.get("/bundles", params={"page": n, "per_page": 2}) for n in (1, 2, 3, 4)]

    assert [names(page) for page in pages] == [["e", "d"], ["c", "b"], ["a"], []]
    for n, page in enumerate(pages, start=1):
        assert page.json["pagination"] == {
            "page": n,
            "per_page": 2,
            "total": 5,
            "total_pages": 3,
        }


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"status": "published"}, ["d"]),
        ({"status": "pending_setup"}, ["e", "c", "b", "a"]),
        ({"status": "archived"}, []),
        ({"bundle_type": "account_and_videos"}, ["c"]),
        ({"bundle_type": "videos_only"}, []),
        ({"platform": "instagram"}, ["e", "c"]),
        ({"platform": "youtube"}, []),
        ({"external_ref": "b"}, ["b"]),
        ({"external_ref": "B"}, []),
        ({"account_status": "published"}, ["d"]),
        ({"account_status": "pending"}, ["e", "c", "b", "a"]),
        ({"country": "FR"}, ["e", "b"]),
        ({"country": "france"}, ["e", "b"]),
        ({"country": "Atlantis"}, []),
        ({"country": "FR", "platform": "tiktok"}, ["b"]),
        ({"status": "pending_setup", "platform": "tiktok", "country": "US"}, ["a"]),
        ({"status": "published", "country": "FR"}, []),
    ],
)
async def test_filters_are_exact_and_all_must_match(
    alice: Client, params: dict[str, str], found: list[str]
) -> None:
    await a_mixed_lot(alice)

    reply = await alice.get("/bundles", params=params)

    assert names(reply) == found
    assert reply.json["pagination"]["total"] == len(found)
    short = await alice.get("/bundles", params={**params, "per_page": 1, "page": 2})
    assert names(short) == found[1:2]
    assert short.json["pagination"]["total_pages"] == len(found)


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"status": "lost"}, {"status"}),
        ({"status": ""}, {"status"}),
        ({"bundle_type": "channel"}, {"bundle_type"}),
        ({"account_status": "done"}, {"account_status"}),
        ({"page": "0"}, {"page"}),
        ({"page": "two"}, {"page"}),
        ({"per_page": "101"}, {"per_page"}),
        ({"per_page": "0", "page": "-1"}, {"per_page", "page"}),
        ([("status", "published"), ("status", "accepted")], {"status"}),
    ],
)
async def test_what_cannot_be_a_filter_is_refused(
    alice: Client, params: Any, fields: set[str]
) -> None:
    reply = await alice.get("/bundles", params=params)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields


async def test_a_page_may_hold_a_hundred(alice: Client) -> None:
    await ordered(alice, videos=0)

    reply = await alice.get("/bundles", params={"per_page": 100})

    assert (len(reply.data), reply.json["pagination"]["per_page"]) == (1, 100)


async def test_unknown_parameters_are_named(alice: Client) -> None:
    reply = await alice.get("/bundles", params={"state": "published", "sort": "new"})

    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
    assert set(reply.details["parameters"]) == {"state", "sort"}


async def test_totals_follow_every_change_of_status(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    first = await ordered(alice, videos=0)
    await ordered(alice, videos=0)
    reviewed, _ = await in_review(alice, conn, world, ports)
    await alice.put(f"/bundles/{first}/account", PROFILE)
    await alice.post(f"/bundles/{first}/publish")
    await alice.post(f"/bundles/{reviewed}/account/finalize")
    refused = await alice.post("/bundles", order(videos=500, edits_quantity=500))
    assert refused.status == 402

    counted = {row["status"]: row["n"] for row in await conn.fetch(COUNT, world.acme)}
    assert counted == {"pending_setup": 1, "published": 1, "completed": 1}
    kept = await counters(conn, world.acme)
    assert {status: n for (kind, status), n in kept.items() if kind == "bundle"} == counted
    for status, n in counted.items():
        reply = await alice.get("/bundles", params={"status": status})
        assert (len(reply.data), reply.json["pagination"]["total"]) == (n, n)


async def a_random_step(
    chance: Random, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    """Do something to some bundle, whether or not it can be done."""
    listed = (await alice.get("/bundles", params={"per_page": 100})).data
    step = chance.choice(["order", "bulk", "publish", "unpublish", "claim", "cancel", "archive"])
    if step == "order" or not listed:
        await ordered(alice, videos=chance.randrange(3))
        return
    if step == "bulk":
        body = {"platforms": ["tiktok"], "country": "USA", "accounts_count": 3}
        await alice.post("/bundles/bulk", body, headers=chance.choice([{}, DRY]))
        return
    bundle_id = chance.choice(listed)["id"]
    if step in ("publish", "unpublish"):
        await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
        await alice.post(f"/bundles/{bundle_id}/{step}")
        return
    with contextlib.suppress(ApiError):
        if step == "claim":
            await claimed(conn, world, ports, bundle_id)
        async with working(conn, world) as tx:
            about: dict[str, Any] = {
                "tx": tx,
                "actor": world.as_olga,
                "bundle_id": UUID(bundle_id),
                "reason": "x",
            }
            if step == "cancel":
                await cancel_bundle(**about)
            elif step == "archive":
                await archive_bundle(**about)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_totals_are_right_after_whatever_happened(
    alice: Client, conn: Connection, world: World, ports: Ports, seed: int
) -> None:
    chance = Random(seed)
    seen: set[str] = set()
    for _ in range(25):
        await a_random_step(chance, alice, conn, world, ports)
        counted = {row["status"]: row["n"] for row in await conn.fetch(COUNT, world.acme)}
        kept = await counters(conn, world.acme)
        assert {status: n for (kind, status), n in kept.items() if kind == "bundle"} == counted
        total = (await alice.get("/bundles")).json["pagination"]["total"]
        assert total == sum(counted.values())
        seen |= counted.keys()
    assert len(seen) > 2


@pytest.mark.parametrize(
    "query",
    [
        ListBundlesQuery(),
        ListBundlesQuery(status="pending_setup"),
        ListBundlesQuery(external_ref="a-1", country="USA", page=2),
    ],
)
async def test_a_longer_list_takes_no_more_statements(
    alice: Client, conn: Connection, world: World, query: ListBundlesQuery
) -> None:
    async def statements() -> list[str]:
        seen: list[str] = []
        with conn.query_logger(lambda logged: seen.append(logged.query)):
            await list_bundles(conn, world.acme, query)
            # The driver tells its logger in the loop's next turn.
            await asyncio.sleep(0)
        return seen

    await ordered(alice, videos=1, external_ref="a-1")
    # The first time the driver also asks for the types of parameters.
    await statements()
    one = await statements()
    bulk = {"platforms": ["tiktok"], "country": "USA", "accounts_count": 30, "external_ref": "b"}
    assert (await alice.post("/bundles/bulk", bulk)).status == 201

    assert await statements() == one
    assert len(one) <= 3


async def test_each_workspace_lists_its_own(alice: Client, bob: Client, charlie: Client) -> None:
    await ordered(alice, videos=0, external_ref="a")
    await ordered(charlie, videos=0, external_ref="c")

    assert names(await bob.get("/bundles")) == ["a"]
    assert names(await charlie.get("/bundles")) == ["c"]
    for params in ({"external_ref": "a"}, {"country": "USA", "external_ref": "a"}):
        assert names(await charlie.get("/bundles", params=params)) == []
