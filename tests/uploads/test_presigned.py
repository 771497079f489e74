"""uploadVideo and uploadImage, from the address to the slot, on a directory and on a bucket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec
import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.lib.s3 import make_bucket, s3_endpoint, use_s3
from tests.orders.walk import PROFILE, ordered, video
from tests.uploads import media
from tokportal_server.entry.worker import job_runner
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules

VIDEO, IMAGE = "/upload/video", "/upload/image"
DRY = {"X-TokPortal-Dry-Run": "true"}
NOBODYS = "00000000-0000-4000-9000-000000000000"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with s3_endpoint() as address:
        yield address


@pytest.fixture(params=["directory", "bucket"])
def settings(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    if request.param == "directory":
        return settings
    endpoint: str = request.getfixturevalue("endpoint")
    use_s3(monkeypatch, endpoint)
    return msgspec.structs.replace(settings, storage_url=f"s3://{make_bucket(endpoint)}/kept")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


class Desk:
    """Alice's browser: asks for addresses, sends files, configures, and lets the worker work."""

    def __init__(
        self, alice: Client, session: aiohttp.ClientSession, ports: Ports, bundle: str
    ) -> None:
        self.alice = alice
        self.session = session
        self.ports = ports
        self.bundle = bundle

    async def ask(self, path: str = VIDEO, **more: Any) -> Any:
        asked = {"filename": "my clip.mp4", "bundle_id": self.bundle, **more}
        return (await self.alice.post(path, asked)).data

    async def send(self, presigned: Any, content: bytes) -> int:
        async with self.session.put(
            presigned["upload_url"], data=content, headers=presigned["headers"]
        ) as answer:
            return answer.status

    async def use(self, presigned: Any, position: int = 1, **more: Any) -> Reply:
        content = video(video_url=presigned["storage_path"], **more)
        return await self.alice.put(f"/bundles/{self.bundle}/videos/{position}", content)

    async def slot(self, position: int = 1) -> Any:
        return (await self.alice.get(f"/bundles/{self.bundle}/videos/{position}")).data

    async def work(self) -> None:
        await job_runner(self.ports, OrderRules.of(self.ports.settings)).drain()

    async def seen(self, url: str) -> bytes | None:
        async with self.session.get(url) as answer:
            return await answer.read() if answer.status == 200 else None

    async def objects(self) -> list[str]:
        return [listed.key async for listed in self.ports.storage.listing()]


@pytest.fixture
async def desk(alice: Client, session: aiohttp.ClientSession, ports: Ports) -> Desk:
    return Desk(alice, session, ports, await ordered(alice, videos=3))


async def test_a_video_is_sent_used_checked_and_then_public(
    desk: Desk, clip: bytes, conn: Connection
) -> None:
    presigned = await desk.ask()
    assert presigned["method"] == "PUT"
    assert presigned["headers"] == {"Content-Type": "video/mp4"}
    path = presigned["storage_path"]
    assert presigned["public_url"] == f"{desk.alice.address}/media/{path}"
    left = datetime.fromisoformat(presigned["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)

    assert await desk.send(presigned, clip) == 200
    assert await desk.seen(presigned["public_url"]) is None
    slot = (await desk.use(presigned)).data
    assert slot["media_status"] == "fetching"
    [shown] = slot["media"]
    assert (shown["url"], shown["storage_path"]) == (presigned["public_url"], path)
    assert (shown["status"], shown["sha256"]) == ("fetching", None)
    assert await desk.seen(presigned["public_url"]) is None

    await desk.work()
    slot = await desk.slot()
    assert (slot["media_status"], slot["media_error"]) == ("ready", None)
    [shown] = slot["media"]
    assert (shown["url"], shown["storage_path"]) == (presigned["public_url"], path)
    assert shown["sha256"] == sha256(clip).hexdigest()
    assert (shown["content_type"], shown["width"], shown["height"]) == ("video/mp4", 64, 96)
    assert await desk.seen(presigned["public_url"]) == clip
    assert not [key for key in await desk.objects() if key.startswith("quarantine/")]
    row = await conn.fetchrow("SELECT * FROM uploads")
    assert row is not None
    assert (row["storage_key"], row["filename"]) == (path, "my clip.mp4")
    assert row["object_key"] != path
    assert await conn.fetchval("SELECT count(*) FROM presigned_uploads") == 0


async def test_what_was_checked_is_ready_at_once_wherever_it_is_used_next(
    desk: Desk, clip: bytes
) -> None:
    presigned = await desk.ask()
    await desk.send(presigned, clip)
    await desk.use(presigned)
    await desk.work()
    assert (await desk.use(presigned, 2)).data["media_status"] == "ready"


async def test_a_range_of_it_is_served(desk: Desk, clip: bytes) -> None:
    presigned = await desk.ask()
    await desk.send(presigned, clip)
    await desk.use(presigned)
    await desk.work()
    async with desk.session.get(
        presigned["public_url"], headers={"Range": "bytes=10-19"}
    ) as answer:
        assert (answer.status, await answer.read()) == (206, clip[10:20])
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["Content-Range"] == f"bytes 10-19/{len(clip)}"


async def test_a_profile_picture_loses_its_metadata_on_the_way(desk: Desk, photo: bytes) -> None:
    presigned = await desk.ask(
        IMAGE, filename="me.jpg", content_type="image/jpeg", purpose="profile_picture"
    )
    assert await desk.send(presigned, photo) == 200
    wanted = PROFILE | {"profile_picture_url": presigned["public_url"]}
    assert (await desk.alice.put(f"/bundles/{desk.bundle}/account", wanted)).status == 200
    readiness = (await desk.alice.get(f"/bundles/{desk.bundle}/publish-readiness")).data
    assert "MEDIA_FETCHING" in {warning["code"] for warning in readiness["warnings"]}
    await desk.work()
    served = await desk.seen(presigned["public_url"])
    assert served is not None
    assert media.GPS_TEXT in photo
    assert media.GPS_TEXT not in served
    profile = (await desk.alice.get(f"/bundles/{desk.bundle}/account")).data
    assert profile["profile_picture_url"] == presigned["public_url"]


async def test_what_was_never_sent_fails_and_the_named_call_mends_it(
    desk: Desk, clip: bytes
) -> None:
    presigned = await desk.ask()
    await desk.use(presigned)
    await desk.work()
    slot = await desk.slot()
    assert (slot["media_status"], slot["media_error"]["code"]) == ("failed", "NOT_UPLOADED")
    assert (await desk.alice.put(f"/bundles/{desk.bundle}/account", PROFILE)).status == 200
    blocker = await _blocker(desk)
    assert (blocker["code"], blocker["position"]) == ("MEDIA_FAILED", 1)
    assert "upload_url" in blocker["message"]
    assert blocker["resolve"]["operation_id"] == "configureBundleVideo"

    assert await desk.send(presigned, clip) == 200
    again = await desk.alice.call(
        blocker["resolve"]["method"],
        blocker["resolve"]["path"].removeprefix("/api/ext"),
        json=video(video_url=presigned["storage_path"]),
    )
    assert again.data["media_status"] == "fetching"
    await desk.work()
    assert (await desk.slot())["media_status"] == "ready"
    assert await _blocker(desk) is None


async def _blocker(desk: Desk) -> Any:
    readiness = (await desk.alice.get(f"/bundles/{desk.bundle}/publish-readiness")).data
    return next(iter(readiness["blockers"]), None)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html><script>alert(1)</script></html>", "UNSUPPORTED_MEDIA_TYPE"),
        (b"", "UNSUPPORTED_MEDIA_TYPE"),
        (media.jpeg(), "UNSUPPORTED_MEDIA_TYPE"),
        (media.video()[:600], "MEDIA_UNREADABLE"),
    ],
)
async def test_what_is_no_video_never_becomes_public(
    desk: Desk, conn: Connection, content: bytes, code: str
) -> None:
    presigned = await desk.ask()
    assert await desk.send(presigned, content) == 200
    await desk.use(presigned)
    await desk.work()
    assert (await desk.slot())["media_error"]["code"] == code
    assert await desk.seen(presigned["public_url"]) is None
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 0


async def test_a_bomb_is_refused_when_it_is_used(desk: Desk) -> None:
    presigned = await desk.ask(IMAGE, filename="a.png", content_type="image/png")
    assert await desk.send(presigned, media.png_bomb(20_000)) == 200
    slot = {
        "video_type": "carousel",
        "description": "Look.",
        "target_publish_date": video()["target_publish_date"],
        "carousel_images": [presigned["storage_path"]],
    }
    assert (await desk.alice.put(f"/bundles/{desk.bundle}/videos/1", slot)).status == 200
    await desk.work()
    assert (await desk.slot())["media_error"]["code"] == "IMAGE_TOO_LARGE"


async def test_two_uses_at_once_make_one_upload(desk: Desk, clip: bytes, conn: Connection) -> None:
    presigned = await desk.ask()
    await desk.send(presigned, clip)
    for position in (1, 2, 3):
        assert (await desk.use(presigned, position)).data["media_status"] == "fetching"
    await desk.work()
    for position in (1, 2, 3):
        assert (await desk.slot(position))["media_status"] == "ready"
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
    kept = await conn.fetchval(
        "SELECT array_agg(k) FROM (SELECT object_key FROM uploads"
        " UNION SELECT storage_key FROM thumbnails) AS x(k)"
    )
    assert set(await desk.objects()) == set(kept)


async def test_a_later_file_does_not_change_what_was_checked(
    desk: Desk, clip: bytes, conn: Connection
) -> None:
    presigned = await desk.ask()
    await desk.send(presigned, clip)
    await desk.use(presigned)
    await desk.work()
    await desk.send(presigned, b"<html>")
    assert await desk.seen(presigned["public_url"]) == clip
    await desk.use(presigned, 2)
    await desk.work()
    assert await desk.seen(presigned["public_url"]) == clip
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1


async def test_serves_its_purpose_and_its_workspace_only(
    desk: Desk, charlie: Client, clip: bytes
) -> None:
    presigned = await desk.ask(
        IMAGE, filename="me.jpg", content_type="image/jpeg", purpose="profile_picture"
    )
    assert (await desk.use(presigned)).code == "MEDIA_NOT_FOUND"
    presigned = await desk.ask()
    await desk.send(presigned, clip)
    theirs = await ordered(charlie, videos=1)
    content = video(video_url=presigned["storage_path"])
    assert (await charlie.put(f"/bundles/{theirs}/videos/1", content)).code == "MEDIA_NOT_FOUND"


async def test_a_replay_gives_the_same_address_and_is_stored_sealed_for_a_quarter_of_an_hour(
    desk: Desk, conn: Connection
) -> None:
    asked = {"filename": "a.mp4", "bundle_id": desk.bundle}
    key = {"Idempotency-Key": "presign-1"}
    first, again = [await desk.alice.post(VIDEO, asked, headers=key) for _ in range(2)]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body
    row = await conn.fetchrow("SELECT *, expires_at - created_at AS kept FROM idempotency_keys")
    assert row is not None
    assert row["sealed"]
    assert first.data["storage_path"].encode() not in row["body"]
    assert row["kept"] == timedelta(minutes=15)
    assert await conn.fetchval("SELECT count(*) FROM presigned_uploads") == 1


async def test_calls_at_once_with_one_key_promise_one_path(desk: Desk, conn: Connection) -> None:
    asked = {"filename": "a.mp4", "bundle_id": desk.bundle}
    key = {"Idempotency-Key": "presign-2"}
    replies = await asyncio.gather(*(desk.alice.post(VIDEO, asked, headers=key) for _ in range(5)))
    assert len({reply.body for reply in replies if reply.status == 200}) == 1
    assert await conn.fetchval("SELECT count(*) FROM presigned_uploads") == 1


async def test_a_dry_run_promises_nothing(desk: Desk, conn: Connection) -> None:
    reply = await desk.alice.post(
        VIDEO, {"filename": "a.webm", "bundle_id": desk.bundle}, headers=DRY
    )
    assert reply.data == {
        "upload_url": None,
        "method": "PUT",
        "headers": {"Content-Type": "video/webm"},
        "public_url": None,
        "storage_path": None,
        "expires_at": None,
    }
    assert await conn.fetchval("SELECT count(*) FROM presigned_uploads") == 0


async def test_names_every_wrong_field(alice: Client) -> None:
    reply = await alice.post(
        IMAGE,
        {
            "filename": "x" * 256,
            "content_type": "image/svg+xml",
            "bundle_id": "42",
            "purpose": "banner",
        },
    )
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == {"filename", "content_type", "bundle_id", "purpose"}
    reply = await alice.post(VIDEO, {"content_type": "text/html"})
    assert set(reply.problems) == {"filename", "content_type", "bundle_id"}


async def test_a_strangers_bundle_does_not_exist(desk: Desk, charlie: Client, world: World) -> None:
    assert world.acme != world.other
    for bundle in (desk.bundle, NOBODYS, str(uuid4())):
        asked = {"filename": "a.mp4", "bundle_id": bundle}
        assert (await charlie.post(VIDEO, asked)).code == "BUNDLE_NOT_FOUND"


async def test_the_reader_may_not(bob: Client, bundle: UUID) -> None:
    reply = await bob.post(VIDEO, {"filename": "a.mp4", "bundle_id": str(bundle)})
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")
