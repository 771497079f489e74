from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, posted, published_with_videos, sent_back, workable
from tests.workbench.desk import Desk
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.errors import SlotTransitionError, VideoNotFoundError
from tokportal_server.workbench.errors import ClaimNotYoursError


async def test_the_customer_sees_the_issue_and_is_told(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    await mona.claim(bundle_id)
    await mona.report(bundle_id, reason="The file is empty.")
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot["download_issue"]["reason"] == "The file is empty."
    assert slot["download_issue"]["reported_at"] == slot["updated_at"]
    assert slot["status"] == "accepted"
    [event] = await events_of(conn, world, "video.download_issue")
    assert event["data"]["reason"] == "The file is empty."
    assert event["data"]["status"] == event["data"]["previous_status"] == "accepted"


async def test_reporting_gains_no_time_for_corrections(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id, 1)
    await sent_back(conn, world, ports, bundle_id, 1)
    asked = await conn.fetchval("SELECT requested_at FROM corrections")
    mona.hours = 24 * 6
    await mona.report(bundle_id, 1)
    await mona.post(bundle_id, 2)
    assert (await conn.fetchval("SELECT due_at FROM claims") - asked).total_seconds() == 48 * 3600


async def test_only_the_holder_may_report_and_only_what_is_being_worked_on(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    with pytest.raises(ClaimNotYoursError):
        await mona.report(bundle_id)
    await mona.claim(bundle_id)
    with pytest.raises(ClaimNotYoursError):
        await nora.report(bundle_id)
    with pytest.raises(VideoNotFoundError):
        await mona.report(bundle_id, 2)
    with pytest.raises(ValidationError, match="reason"):
        await mona.report(bundle_id, reason=" ")
    for status in ("pending", "configured", "published", "in_review", "finalized", "cancelled"):
        await conn.execute("UPDATE slots SET status = $1", status)
        with pytest.raises(SlotTransitionError):
            await mona.report(bundle_id)
    assert await conn.fetchval("SELECT download_issue FROM slots") is None
