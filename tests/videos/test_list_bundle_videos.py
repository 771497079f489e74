from __future__ import annotations

from uuid import uuid4

from tests.client import Client
from tests.orders.walk import ordered


async def test_lists_every_slot_by_position_without_pages(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=30)
    reply = await alice.get(f"/bundles/{bundle_id}/videos")
    assert [slot["position"] for slot in reply.data] == list(range(1, 31))
    assert "pagination" not in reply.json
    assert {slot["status"] for slot in reply.data} == {"pending"}
    assert {slot["bundle_id"] for slot in reply.data} == {bundle_id}


async def test_a_bundle_without_videos_has_an_empty_list(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0)
    assert (await alice.get(f"/bundles/{bundle_id}/videos")).data == []


async def test_a_read_only_key_may_list(alice: Client, bob: Client) -> None:
    bundle_id = await ordered(alice)
    assert len((await bob.get(f"/bundles/{bundle_id}/videos")).data) == 2


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.get(f"/bundles/{uuid4()}/videos")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_does_not_show_the_bundle_of_another_workspace(
    alice: Client, charlie: Client
) -> None:
    bundle_id = await ordered(alice)
    reply = await charlie.get(f"/bundles/{bundle_id}/videos")
    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


async def test_an_id_that_names_nothing_is_not_found(alice: Client) -> None:
    for bundle_id in ("nonsense", "1", uuid4()):
        reply = await alice.get(f"/bundles/{bundle_id}/videos")
        assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND"), bundle_id


async def test_refuses_parameters_that_do_not_exist(alice: Client) -> None:
    bundle_id = await ordered(alice)
    reply = await alice.get(f"/bundles/{bundle_id}/videos?page=2")
    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
