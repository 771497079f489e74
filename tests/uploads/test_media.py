"""Linking what a slot shows, and reading it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.outbound import OutboundPolicy
from tokportal_server.lib.storage import make_key
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.uploads.ingest import Ingested
from tokportal_server.uploads.media import (
    MediaLink,
    MediaNotFoundError,
    MediaState,
    link_media,
    media_of,
    media_state,
    media_status,
)
from tokportal_server.uploads.operations.record_upload import record_upload
from tokportal_server.uploads.wire import MediaError, MediaKind, Purpose

BASE = "https://tokens.example.net"
ELSEWHERE = "https://cdn.example.com/clip.mp4"
JOBS = """
SELECT convert_from(payload, 'UTF8')::jsonb FROM pgqueuer
 WHERE entrypoint = 'fetch_media' ORDER BY id
"""


async def uploaded(
    conn: Connection, workspace: UUID, bundle: UUID, purpose: Purpose = "video"
) -> str:
    """Record an upload, and give its storage path."""
    media = Ingested(
        storage_key=make_key(workspace.hex, ".mp4" if purpose == "video" else ".jpg"),
        content_type="video/mp4" if purpose == "video" else "image/jpeg",
        size_bytes=10,
        sha256="ab" * 32,
        width=64,
        height=96,
        duration_seconds=1.5 if purpose == "video" else None,
    )
    async with unit_of_work(conn, workspace, now=real_now()) as tx:
        await record_upload(tx=tx, bundle_id=bundle, purpose=purpose, filename="clip", media=media)
    return media.storage_key


async def link(
    conn: Connection,
    workspace: UUID,
    bundle: UUID,
    values: Sequence[str],
    *,
    kind: MediaKind = "video",
    owner: UUID | None = None,
    dry_run: bool = False,
) -> list[MediaLink]:
    async with unit_of_work(conn, workspace, now=real_now(), dry_run=dry_run) as tx:
        return await link_media(
            tx,
            bundle_id=bundle,
            owner_kind="slot",
            owner_id=owner or uuid4(),
            kind=kind,
            values=values,
            base_url=BASE,
            policy=OutboundPolicy(),
        )


async def jobs(conn: Connection) -> list[Any]:
    return [row[0] for row in await conn.fetch(JOBS)]


@pytest.mark.parametrize(
    "written",
    ["{key}", BASE + "/media/{key}", "HTTPS://TOKENS.example.net/media/{key}?t=1#x"],
)
async def test_an_upload_is_ready_at_once_however_it_is_named(
    conn: Connection, world: World, bundle: UUID, written: str
) -> None:
    key = await uploaded(conn, world.acme, bundle)
    owner = uuid4()
    [made] = await link(conn, world.acme, bundle, [written.format(key=key)], owner=owner)
    assert made.status == "ready"
    assert await jobs(conn) == []
    [shown] = (await media_of(conn, world.acme, [owner], base_url=BASE))[owner]
    assert (shown.url, shown.storage_path) == (f"{BASE}/media/{key}", key)
    assert (shown.status, shown.content_type, shown.size_bytes) == ("ready", "video/mp4", 10)
    assert (shown.width, shown.height, shown.duration_seconds) == (64, 96, 1.5)


async def test_an_external_address_is_fetched_by_a_job_after_the_commit(
    conn: Connection, world: World, bundle: UUID
) -> None:
    owner = uuid4()
    [made] = await link(conn, world.acme, bundle, [ELSEWHERE], owner=owner)
    assert made.status == "fetching"
    assert await jobs(conn) == [{"workspace_id": str(world.acme), "media_id": str(made.id)}]
    [shown] = (await media_of(conn, world.acme, [owner], base_url=BASE))[owner]
    assert (shown.url, shown.storage_path, shown.status) == (ELSEWHERE, None, "fetching")
    assert await media_state(conn, world.acme, owner) == MediaState("fetching", None)


async def test_a_dry_run_links_nothing_and_wants_no_job(
    conn: Connection, world: World, bundle: UUID
) -> None:
    owner = uuid4()
    await link(conn, world.acme, bundle, [ELSEWHERE], owner=owner, dry_run=True)
    assert await media_of(conn, world.acme, [owner], base_url=BASE) == {}
    assert await jobs(conn) == []


async def test_keeps_the_order_and_replaces_what_was_there(
    conn: Connection, world: World, bundle: UUID
) -> None:
    owner = uuid4()
    key = await uploaded(conn, world.acme, bundle, "carousel")
    first = ["https://a.example.com/1.jpg", key, "https://a.example.com/3.jpg"]
    await link(conn, world.acme, bundle, first, kind="carousel_image", owner=owner)
    await link(conn, world.acme, bundle, [ELSEWHERE], kind="video", owner=owner)
    second = [key, "https://a.example.com/4.jpg"]
    await link(conn, world.acme, bundle, second, kind="carousel_image", owner=owner)
    shown = (await media_of(conn, world.acme, [owner, uuid4()], base_url=BASE))[owner]
    assert [(m.kind, m.storage_path or m.url) for m in shown] == [
        ("carousel_image", key),
        ("carousel_image", "https://a.example.com/4.jpg"),
        ("video", ELSEWHERE),
    ]
    await link(conn, world.acme, bundle, [], kind="video", owner=owner)
    shown = (await media_of(conn, world.acme, [owner], base_url=BASE))[owner]
    assert {m.kind for m in shown} == {"carousel_image"}


async def test_another_workspaces_upload_is_not_found(
    conn: Connection, world: World, bundle: UUID, charlies_bundle: UUID
) -> None:
    key = await uploaded(conn, world.other, charlies_bundle)
    for value in (key, f"{BASE}/media/{key}", f"{world.acme.hex}/nothing.mp4", "no-such"):
        with pytest.raises(MediaNotFoundError) as refused:
            await link(conn, world.acme, bundle, [value])
        assert refused.value.details == {"field": "video_url", "purpose": "video"}
    assert await jobs(conn) == []


@pytest.mark.parametrize(
    ("purpose", "kind", "fits"),
    [
        ("video", "video", True),
        ("carousel", "video", False),
        ("carousel", "carousel_image", True),
        ("carousel", "story_image", True),
        ("profile_picture", "profile_picture", True),
        ("carousel", "profile_picture", False),
        ("profile_picture", "carousel_image", False),
        ("video", "story_image", False),
    ],
)
async def test_an_upload_serves_its_purpose_only(
    conn: Connection, world: World, bundle: UUID, purpose: Purpose, kind: MediaKind, *, fits: bool
) -> None:
    key = await uploaded(conn, world.acme, bundle, purpose)
    if fits:
        [made] = await link(conn, world.acme, bundle, [key], kind=kind)
        assert made.status == "ready"
    else:
        with pytest.raises(MediaNotFoundError):
            await link(conn, world.acme, bundle, [key], kind=kind)


async def test_names_every_address_that_may_not_be_called(
    conn: Connection, world: World, bundle: UUID
) -> None:
    values = [
        "https://169.254.169.254/latest/meta-data",
        "https://cdn.example.com/fine.jpg",
        "file:///etc/passwd",
        "../../etc/passwd",
        "https://user:pw@cdn.example.com/1.jpg",
    ]
    with pytest.raises(ValidationError) as refused:
        await link(conn, world.acme, bundle, values, kind="carousel_image")
    named = [problem["field"] for problem in refused.value.details["errors"]]
    assert named == [f"carousel_images[{n}]" for n in (0, 2, 3, 4)]
    assert await jobs(conn) == []


@pytest.mark.parametrize(
    ("statuses", "together"),
    [
        ([], "none"),
        (["ready", "ready"], "ready"),
        (["ready", "fetching"], "fetching"),
        (["fetching", "failed", "ready"], "failed"),
    ],
)
def test_media_together_are_as_far_as_the_furthest_behind(
    statuses: list[str], together: str
) -> None:
    assert media_status(statuses) == together


async def test_the_first_failure_explains_the_state(
    conn: Connection, world: World, bundle: UUID
) -> None:
    owner = uuid4()
    urls = [f"https://a.example.com/{n}.jpg" for n in range(3)]
    links = await link(conn, world.acme, bundle, urls, kind="carousel_image", owner=owner)
    for made in reversed(links[1:]):
        await conn.execute(
            "UPDATE media SET status = 'failed', error = $2 WHERE id = $1",
            made.id,
            {"code": "FETCH_STATUS", "message": made.source_url},
        )
    state = await media_state(conn, world.acme, owner)
    assert state.status == "failed"
    assert state.error == MediaError("FETCH_STATUS", urls[1])


async def test_a_workspaces_time_stamps_what_it_links(
    conn: Connection, world: World, bundle: UUID
) -> None:
    ahead = real_now() + timedelta(days=30)
    async with unit_of_work(conn, world.acme, now=ahead) as tx:
        await link_media(
            tx,
            bundle_id=bundle,
            owner_kind="slot",
            owner_id=uuid4(),
            kind="video",
            values=[ELSEWHERE],
            base_url=BASE,
            policy=OutboundPolicy(),
        )
    assert await conn.fetchval("SELECT created_at FROM media") == ahead
