"""``GET /accounts/{id}/bundles``."""

from __future__ import annotations

from tests.accounts.revealing import more_videos
from tests.bundles.stages import delivered
from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_the_bundles_of_an_account_come_newest_first_as_bundle_objects(
    alice: Client, bob: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    later = [(await more_videos(alice, account_id)).data["id"] for _ in range(2)]
    await ordered(alice)

    reply = await bob.get(f"/accounts/{account_id}/bundles")

    first = (await alice.get(f"/accounts/{account_id}")).data["bundle_id"]
    assert [bundle["id"] for bundle in reply.data] == [*reversed(later), first]
    assert reply.json["pagination"]["total"] == 3
    for bundle in reply.data:
        assert (await alice.get(f"/bundles/{bundle['id']}")).data == bundle


async def test_a_status_and_a_page_choose_some_of_them(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    await more_videos(alice, account_id)
    path = f"/accounts/{account_id}/bundles"

    completed = await alice.get(path, params={"status": "completed"})
    second = await alice.get(path, params={"per_page": 1, "page": 2})

    assert [bundle["bundle_type"] for bundle in completed.data] == ["account_only"]
    assert [bundle["id"] for bundle in second.data] == [completed.data[0]["id"]]
    assert second.json["pagination"]["total_pages"] == 2
    refused = await alice.get(path, params={"status": "lost"})
    assert (refused.status, set(refused.problems)) == (400, {"status"})


async def test_somebody_elses_account_has_no_bundles_to_list(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    reply = await charlie.get(f"/accounts/{account_id}/bundles")
    assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
