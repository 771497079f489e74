"""An operator puts orders away that are over."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, ordered, posted, workable
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.errors import BundleNotFoundError, BundleStatusError
from tokportal_server.workbench.doctor import examine


async def test_archives_what_is_completed_or_cancelled(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    done = await workable(alice, conn, world, ports, videos=1)
    await posted(conn, world, ports, done)
    dropped = await ordered(alice)
    await olga.cancel(dropped)
    for bundle_id in (done, dropped):
        await olga.archive(bundle_id)
        assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "archived"
    told = await events_of(conn, world, "bundle.archived")
    assert [event["data"]["previous_status"] for event in told] == ["completed", "cancelled"]
    assert [(row["action"], row["subject_id"]) for row in await olga.audit()][-2:] == [
        ("bundle.archive", UUID(done)),
        ("bundle.archive", UUID(dropped)),
    ]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_refuses_what_is_not_over(alice: Client, olga: Office) -> None:
    bundle_id = await ordered(alice)
    with pytest.raises(BundleStatusError) as refusal:
        await olga.archive(bundle_id)
    assert "completed or cancelled" in refusal.value.message
    await olga.cancel(bundle_id)
    with pytest.raises(ValidationError):
        await olga.archive(bundle_id, reason="  ")
    await olga.archive(bundle_id)
    with pytest.raises(BundleStatusError):
        await olga.archive(bundle_id)
    with pytest.raises(BundleNotFoundError):
        await olga.archive(str(uuid4()))
