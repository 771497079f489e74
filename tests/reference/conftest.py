"""The reference as it is, and a world in which every example of it succeeds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.analytics.providers.platforms import FakeTikTok
from tests.cast import World, give_credits
from tests.client import Client
from tests.http.seed import clip, seeded
from tests.orders.walk import in_days, ordered, uploaded
from tests.reference.stage import Stage
from tests.uploads import media
from tests.uploads.gallery import gallery
from tokportal_server.entry.operations import all_operations
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.reference.site import Site, build_site, exported, served
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_workspace import create_workspace


@pytest.fixture(scope="session")
def site() -> Site:
    """The site as the server has it."""
    return build_site(all_operations(), served)


@pytest.fixture(scope="session")
def exported_site() -> Site:
    """The site as a folder has it."""
    return build_site(all_operations(), exported, whole=True)


@pytest.fixture
def settings(settings: Settings, tiktok: FakeTikTok) -> Settings:
    """The settings of a server that finds TikTok there."""
    return msgspec.structs.replace(settings, tiktok_api_url=tiktok.url)


@pytest.fixture
async def picture() -> AsyncIterator[str]:
    """A photo on somebody else's server."""
    async with gallery() as url:
        yield url


@pytest.fixture
async def stage(
    alice: Client, conn: Connection, world: World, ports: Ports, tmp_path: Path, picture: str
) -> Stage:
    """Everything that an example's placeholders stand for, and the files that examples send."""
    hook = "https://example.com/hook"
    seed = await seeded(alice, conn, world, ports, hook=hook, picture=picture)
    (tmp_path / "clip.mp4").write_bytes(clip())
    (tmp_path / "slots.csv").write_text(
        "position,video_type,description,target_publish_date,video_url\n"
        f"1,video,Look at this.,{in_days(10)},https://example.com/clip.mp4\n",
        encoding="utf-8",
    )
    (tmp_path / "photo.jpg").write_bytes(media.jpeg())
    rehearsal_key = await _rehearsal_key(conn, world)
    return Stage(
        address=alice.address,
        folder=tmp_path,
        key=world.alice_key,
        rehearsal_key=rehearsal_key,
        placeholders={
            "bundle_id": seed.fresh,
            "account_id": seed.account,
            "comment_id": seed.comment,
            "endpoint_id": seed.endpoint,
            "delivery_id": seed.delivery,
            "rehearsal_bundle_id": await _rehearsal_bundle(alice.address, rehearsal_key),
            "rehearsal_endpoint_id": await _rehearsal_endpoint(alice.address, rehearsal_key),
            "publish_date": in_days(10),
            "picture_url": picture,
            "storage_path": await uploaded(conn, world.acme, seed.fresh),
            "video_id": seed.video,
            "tracked_post_id": seed.tracked_post,
        },
        own={
            "publishBundle": {"bundle_id": seed.ready},
            "unpublishBundle": {"bundle_id": seed.offered},
            "publishBundleVideo": {"bundle_id": seed.live},
            "finalizeBundleVideo": {"bundle_id": seed.posted},
            "getBundleVideoProof": {"bundle_id": seed.approved},
            "publishAllBundleVideos": {"bundle_id": seed.scheduled},
            "unscheduleBundleVideo": {"bundle_id": seed.scheduled},
            "resetBundleVideo": {"bundle_id": seed.scheduled},
            "requestBundleVideoCorrections": {"bundle_id": seed.worked_on},
            "fixBundleVideoDownload": {"bundle_id": seed.worked_on},
            "requestBundleAccountCorrections": {"bundle_id": seed.to_correct},
            "finalizeBundleAccount": {"bundle_id": seed.in_review},
            "approveCommentTask": {"comment_id": seed.comment_to_approve},
            "disputeCommentTask": {"comment_id": seed.comment_to_dispute},
            "getAccountAnalytics": {"account_id": seed.measured},
            "listAnalyticsAccountComments": {"account_id": seed.measured},
            "refreshAccountAnalytics": {"account_id": seed.connected},
            "refreshAnalyticsAccount": {"account_id": seed.connected_too},
        },
    )


async def _rehearsal_bundle(address: str, key: str) -> str:
    async with Client(address, key) as rehearsing:
        return await ordered(rehearsing, videos=0)


async def _rehearsal_endpoint(address: str, key: str) -> str:
    async with Client(address, key) as rehearsing:
        made = await rehearsing.post(
            "/webhooks", {"url": "https://example.com/hook", "events": ["bundle.created"]}
        )
    return str(made.data["id"])


async def _rehearsal_key(conn: Connection, world: World) -> str:
    workspace = await create_workspace(
        conn=conn, name="Rehearsal", owner_id=world.alice, rehearsal=True
    )
    await give_credits(conn, workspace, 1000)
    _, key = await create_api_key(
        conn=conn, workspace_id=workspace, person_id=world.alice, name="Rehearsal"
    )
    return key
