"""The job fetch_media, against servers on loopback that behave and that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cast import World
from tests.lib.outbound_rig import receiver
from tests.uploads import media
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import StoredObject
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.uploads.jobs import ATTEMPTS, MediaFetcher
from tokportal_server.uploads.media import FETCH_MEDIA, link_media, media_of, media_state
from tokportal_server.uploads.wire import MediaKind, MediaObject

Stored = Callable[[], list[Path]]
BASE = "http://tokens.invalid"
JOBS_LEFT = "SELECT COALESCE(array_agg(entrypoint), '{}') FROM pgqueuer"


def answer(body: bytes, *, length: int | None = None, status: str = "200 OK") -> bytes:
    stated = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {stated}\r\n\r\n"
    return head.encode() + body


class Site:
    """Gives its answers one after the other, the last one for ever, and counts requests."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    async def __call__(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self.asked.append(head)
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()


async def hang(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"some", length=1000))
    await writer.drain()
    await asyncio.Event().wait()


async def endless(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + media.jpeg())
    while True:
        writer.write(bytes(65536))
        await writer.drain()


class Rig:
    """Links an external file, runs the jobs there are, and shows what became of it."""

    def __init__(self, ports: Ports, conn: Connection, workspace: UUID, bundle: UUID) -> None:
        self.ports = ports
        self.conn = conn
        self.workspace = workspace
        self.bundle = bundle
        self.owner = uuid4()
        self.settled: list[tuple[str, UUID, UUID]] = []

    async def link(self, url: str, kind: MediaKind = "carousel_image") -> UUID:
        async with unit_of_work(self.conn, self.workspace, now=real_now()) as tx:
            [made] = await link_media(
                tx,
                bundle_id=self.bundle,
                owner_kind="slot",
                owner_id=self.owner,
                kind=kind,
                values=[url],
                base_url=BASE,
                policy=self.ports.outbound_policy,
            )
        return made.id

    async def note(self, tx: UnitOfWork, row: asyncpg.Record) -> None:
        self.settled.append((row["status"], row["owner_id"], tx.workspace_id))

    def fetcher(self, **limits: float) -> MediaFetcher:
        return MediaFetcher(self.ports, self.note, **{"seconds": 20, **limits})

    async def work(self, **limits: float) -> None:
        runner = JobRunner(
            self.ports.database,
            {FETCH_MEDIA: self.fetcher(**limits).run},
            backoff=timedelta(milliseconds=10),
        )
        await runner.drain()

    async def shown(self) -> MediaObject:
        found = await media_of(self.conn, self.workspace, [self.owner], base_url=BASE)
        [one] = found[self.owner]
        return one

    async def error(self) -> tuple[str, str]:
        state = await media_state(self.conn, self.workspace, self.owner)
        assert state.status == "failed"
        assert state.error is not None
        return state.error.code, state.error.message


@pytest.fixture
def rig(ports: Ports, conn: Connection, world: World, bundle: UUID) -> Rig:
    return Rig(ports, conn, world.acme, bundle)


@asynccontextmanager
async def site(script: Any) -> AsyncIterator[str]:
    async with receiver(script) as port:
        yield f"http://127.0.0.1:{port}/my%20file.bin?signature=secret"


async def test_an_image_is_fetched_cleaned_and_stored(rig: Rig, stored: Stored) -> None:
    async with site(Site(answer(media.jpeg(orientation=6)))) as url:
        await rig.link(url)
        await rig.work()
    shown = await rig.shown()
    assert (shown.status, shown.content_type) == ("ready", "image/jpeg")
    assert (shown.width, shown.height) == (20, 40)
    assert shown.url == f"{BASE}/media/{shown.storage_path}"
    [file] = stored()
    assert media.GPS_TEXT not in file.read_bytes()
    assert sha256(file.read_bytes()).hexdigest() == shown.sha256
    assert rig.settled == [("ready", rig.owner, rig.workspace)]
    row = await rig.conn.fetchrow("SELECT * FROM uploads")
    assert row is not None
    assert (row["filename"], row["purpose"], row["source_url"]) == ("my file.bin", "carousel", url)
    assert await rig.conn.fetchval(JOBS_LEFT) == ["make_thumbnail"]


async def test_a_video_is_fetched_through_redirects(rig: Rig, clip: bytes, stored: Stored) -> None:
    async with site(Site(answer(clip))) as target:
        away = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        async with site(Site(away.encode())) as url:
            await rig.link(url, kind="video")
            await rig.work()
    assert (await rig.shown()).content_type == "video/mp4"
    assert [file.read_bytes() for file in stored()] == [clip]


async def test_a_passing_failure_is_tried_again(rig: Rig) -> None:
    script = Site(answer(b"", status="503 Busy"), answer(b"cut", length=99), answer(media.png()))
    async with site(script) as url:
        await rig.link(url)
        await rig.work()
    assert (await rig.shown()).status == "ready"
    assert len(script.asked) == 3
    assert rig.settled == [("ready", rig.owner, rig.workspace)]


async def test_three_failures_are_the_end_and_say_why(rig: Rig, stored: Stored) -> None:
    script = Site(answer(b"", status="503 Busy"))
    async with site(script) as url:
        await rig.link(url)
        await rig.work()
    assert len(script.asked) == ATTEMPTS
    code, message = await rig.error()
    assert code == "FETCH_STATUS"
    assert "503" in message
    assert "127.0.0.1" in message
    assert "secret" not in message
    assert rig.settled == [("failed", rig.owner, rig.workspace)]
    assert stored() == []
    assert await rig.conn.fetchval(JOBS_LEFT) == []


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        (Site(answer(b"", status="404 Not Found")), "video", "FETCH_STATUS"),
        (Site(answer(b"<html>sign in</html>")), "video", "UNSUPPORTED_MEDIA_TYPE"),
        (Site(answer(media.jpeg())), "video", "UNSUPPORTED_MEDIA_TYPE"),
        (Site(answer(media.png_bomb(20_000))), "story_image", "IMAGE_TOO_LARGE"),
        (Site(answer(b"", length=10**12)), "video", "FILE_TOO_LARGE"),
        (endless, "profile_picture", "FILE_TOO_LARGE"),
        (
            Site(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"),
            "video",
            "FETCH_BLOCKED",
        ),
        (Site(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"), "video", "FETCH_REDIRECTS"),
    ],
)
async def test_what_cannot_get_better_fails_at_once(
    rig: Rig, stored: Stored, script: Any, kind: MediaKind, code: str
) -> None:
    async with site(script) as url:
        await rig.link(url, kind=kind)
        await rig.work()
    assert (await rig.error())[0] == code
    assert await rig.conn.fetchval("SELECT attempts FROM media") == 1
    assert stored() == []


async def test_a_host_that_never_finishes_is_given_up(rig: Rig, stored: Stored) -> None:
    async with site(hang) as url:
        await rig.link(url)
        await rig.work(seconds=0.2)
    assert (await rig.error())[0] == "FETCH_TIMEOUT"
    assert await rig.conn.fetchval("SELECT attempts FROM media") == ATTEMPTS
    assert stored() == []


async def test_a_file_whose_attempts_never_ended_is_abandoned(rig: Rig) -> None:
    script = Site(answer(media.png()))
    async with site(script) as url:
        await rig.link(url)
        await rig.conn.execute("UPDATE media SET attempts = $1", ATTEMPTS)
        await rig.work()
    assert script.asked == []
    assert (await rig.error())[0] == "FETCH_ABANDONED"


async def test_a_row_that_was_replaced_meanwhile_is_left_alone(
    rig: Rig, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_file = rig.ports.storage.put_file
    arrived: list[str] = []

    async def put_and_replace(key: str, path: Path) -> StoredObject:
        done = await put_file(key, path)
        arrived.append(key)
        if len(arrived) == 1:
            await rig.link(other)
        return done

    async with site(Site(answer(media.png()))) as url, site(Site(answer(media.jpeg()))) as other:
        await rig.link(url)
        monkeypatch.setattr(rig.ports.storage, "put_file", put_and_replace)
        await rig.work()
    assert (await rig.shown()).content_type == "image/jpeg"
    assert rig.settled == [("ready", rig.owner, rig.workspace)]
    assert len(arrived) == 2
    assert [file.suffix for file in stored()] == [".jpg"]


async def test_a_job_for_a_row_that_is_gone_does_nothing(rig: Rig) -> None:
    payload = {"workspace_id": str(rig.workspace), "media_id": str(uuid4())}
    await rig.fetcher().run(payload)
    assert rig.settled == []


async def test_a_hook_that_fails_takes_the_outcome_with_it(rig: Rig, stored: Stored) -> None:
    async def fail(_tx: UnitOfWork, _row: asyncpg.Record) -> None:
        raise ZeroDivisionError

    async with site(Site(answer(media.png()))) as url:
        media_id = await rig.link(url)
        payload = {"workspace_id": str(rig.workspace), "media_id": str(media_id)}
        with pytest.raises(ZeroDivisionError):
            await MediaFetcher(rig.ports, fail).run(payload)
        assert (await rig.shown()).status == "fetching"
        assert stored() == []
        await rig.work()
    assert (await rig.shown()).status == "ready"
