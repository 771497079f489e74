"""An order moves from its creation to its delivery through customers' and managers' operations."""

from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, ordered, set_up
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.doctor import examine


async def test_an_account_is_ordered_set_up_approved_and_delivered(
    alice: Client, world: World, conn: Connection, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=0)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    readiness = (await alice.get(f"/bundles/{bundle_id}/publish-readiness")).data
    assert readiness["ready"] is True
    assert [w["code"] for w in readiness["warnings"]] == ["NO_PROFILE_PICTURE"]

    published = (await alice.post(f"/bundles/{bundle_id}/publish")).data
    assert published["status"] == "published"
    await claimed(conn, world, ports, bundle_id)
    account_id = await set_up(conn, world, ports, bundle_id)
    assert (await alice.get(f"/accounts/{account_id}")).data["delivered_at"] is None

    profile = (await alice.post(f"/bundles/{bundle_id}/account/finalize")).data
    assert profile["status"] == "finalized"
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert bundle["status"] == "completed"
    assert (await alice.get(f"/accounts/{account_id}")).data["delivered_at"] is not None
    assert [f for f in await examine(conn) if f.contradictions] == []
