from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import POST, events_of, published_with_videos, sent_back, workable
from tests.workbench.desk import Desk
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.errors import SlotTransitionError, VideoNotFoundError
from tokportal_server.workbench.errors import ClaimNotYoursError, WindowNotOpenError

PICTURE = "https://evidence.example.com/story.jpg"
STORY = "https://www.instagram.com/stories/acme.daily/3100000000000000000/"
REEL = "https://www.instagram.com/reel/Cabc123def4/"


async def test_with_auto_finalize_the_post_is_reviewed_and_finalized_in_one_transaction(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    mona.hours = 24 * 5
    await mona.post(bundle_id)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["platform_url"]) == ("finalized", POST)
    assert slot["submitted_at"] == slot["finalized_at"] is not None
    assert slot["review_deadline_at"] is None
    told = await events_of(conn, world, "video.in_review", "video.finalized")
    assert [(e["type"], e["data"]["platform_url"]) for e in told] == [
        ("video.in_review", POST),
        ("video.finalized", POST),
    ]
    writers = await conn.fetch(
        "SELECT DISTINCT xmin FROM journal WHERE object_id = $1"
        " AND to_status IN ('in_review', 'finalized')",
        UUID(slot["id"]),
    )
    assert len(writers) == 1
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"
    await mona.post(bundle_id, 2)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
    assert await conn.fetchval("SELECT status FROM claims") == "completed"


async def test_without_it_the_customer_has_72_hours(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    mona.hours = 24 * 5
    await mona.post(bundle_id)
    row = await conn.fetchrow("SELECT * FROM slots")
    assert row is not None
    assert row["status"] == "in_review"
    assert row["review_deadline_at"] - row["submitted_at"] == timedelta(hours=72)
    assert await conn.fetchval("SELECT due_at FROM claims") is None
    assert [e["type"] for e in await events_of(conn, world, "video.finalized")] == []


async def test_a_resubmission_settles_the_corrections_and_starts_72_new_hours(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    mona.hours = 24 * 5
    await mona.post(bundle_id)
    await sent_back(conn, world, ports, bundle_id)
    mona.hours = 24 * 6
    await mona.post(bundle_id, url=POST[:-1] + "1")
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["platform_url"]) == ("in_review", POST[:-1] + "1")
    assert slot["corrections"][0]["resolved_at"] == slot["submitted_at"]
    row = await conn.fetchrow("SELECT submitted_at, review_deadline_at FROM slots")
    assert row is not None
    assert row["review_deadline_at"] - row["submitted_at"] == timedelta(hours=72)


async def test_auto_finalize_counts_as_it_is_at_the_moment_of_the_submission(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await conn.execute("UPDATE bundles SET auto_finalize_videos = true")
    mona.hours = 24 * 5
    await mona.post(bundle_id)
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "finalized"


async def test_nothing_goes_up_before_its_day_and_late_posts_are_welcome(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    mona.hours = 24 * 4
    with pytest.raises(WindowNotOpenError) as refused:
        await mona.post(bundle_id)
    opens = await conn.fetchval("SELECT target_start FROM slots")
    assert refused.value.details == {"opens": opens.isoformat()}
    await conn.execute("UPDATE slots SET overdue_at = now()")
    mona.hours = 24 * 30
    await mona.post(bundle_id)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["overdue_at"] is None) == ("finalized", False)


async def test_nothing_goes_up_before_the_account_is_delivered(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    await mona.claim(bundle_id)
    mona.hours = 24 * 5
    with pytest.raises(WindowNotOpenError, match="waits for its account"):
        await mona.post(bundle_id)


@pytest.mark.parametrize(
    ("platform", "wrong", "right"),
    [
        (
            "tiktok",
            [
                None,
                "",
                "7300000000000000000",
                REEL,
                "http://www.tiktok.com/@a/video/7300000000000000000",
                "https://www.tiktok.com/@a",
                "https://tiktok.com.evil.example/@a/video/7300000000000000000",
                "https://www.tiktok.com/@a/video/73000x",
                "https://www.tiktok.com/@a/video/٧٣٠٠٠٠٠٠٠٠٠٠",
                "https://user@www.tiktok.com/@a/video/7300000000000000000",
                POST + " \njavascript:alert(1)",
                POST + "?" + "x" * 2048,
            ],
            "https://vm.tiktok.com/ZMabcdef1/",
        ),
        (
            "instagram",
            [POST, "https://www.instagram.com/acme.daily/", STORY, "javascript:alert(1)"],
            REEL + "?igsh=x",
        ),
    ],
)
async def test_the_proof_must_be_the_address_of_a_post_on_the_platform(
    alice: Client,
    mona: Desk,
    conn: Connection,
    world: World,
    ports: Ports,
    platform: str,
    wrong: list[str | None],
    right: str,
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute("UPDATE bundles SET platform = $1", platform)
    mona.hours = 24 * 5
    for url in wrong:
        with pytest.raises(ValidationError, match="platform_url"):
            await mona.post(bundle_id, url=url)
    await mona.post(bundle_id, url=right)
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["platform_url"] == right


async def test_a_story_needs_a_picture_of_it(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute("UPDATE bundles SET platform = 'instagram'")
    await conn.execute("UPDATE slots SET video_type = 'story'")
    mona.hours = 24 * 5
    for url, evidence in ((None, None), (STORY, None), (STORY, ""), (None, "javascript:alert(1)")):
        with pytest.raises(ValidationError, match="evidence_url"):
            await mona.post(bundle_id, url=url, evidence=evidence)
    with pytest.raises(ValidationError, match="platform_url"):
        await mona.post(bundle_id, url=REEL, evidence=PICTURE)
    await mona.post(bundle_id, url=None, evidence=PICTURE)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["evidence_url"]) == ("finalized", PICTURE)
    assert slot["platform_url"] is None


async def test_only_the_holder_may_hand_in_and_only_what_waits_for_them(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    mona.hours = nora.hours = 24 * 5
    with pytest.raises(ClaimNotYoursError):
        await nora.post(bundle_id)
    with pytest.raises(VideoNotFoundError):
        await mona.post(bundle_id, 2)
    for status in ("pending", "configured", "published", "in_review", "finalized", "cancelled"):
        await conn.execute("UPDATE slots SET status = $1", status)
        with pytest.raises(SlotTransitionError) as refused:
            await mona.post(bundle_id)
        assert refused.value.details is not None
        assert refused.value.details["current_status"] == status


async def test_the_claims_deadline_is_the_next_thing_to_do(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await conn.execute(
        "UPDATE slots SET target_start = target_start + 4, target_end = target_end + 4"
        " WHERE position = 2"
    )
    ends = [r["target_end"] for r in await conn.fetch("SELECT * FROM slots ORDER BY position")]
    due = await conn.fetchval("SELECT due_at FROM claims")
    assert (due.date() - ends[0], due.hour, due.minute) == (timedelta(days=3), 0, 0)
    mona.hours = 24 * 5
    await mona.post(bundle_id, 1)
    due = await conn.fetchval("SELECT due_at FROM claims")
    assert due.date() - ends[1] == timedelta(days=3)
