"""The reference as it is, and a world in which every example of it succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cast import World
from tests.client import Client
from tests.http.seed import clip, seeded
from tests.orders.walk import in_days, uploaded
from tests.reference.stage import Stage
from tests.uploads import media
from tokportal_server.entry.operations import all_operations
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
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
    return build_site(all_operations(), exported)


@pytest.fixture
async def stage(
    alice: Client, conn: Connection, world: World, ports: Ports, tmp_path: Path
) -> Stage:
    """Everything that an example's placeholders stand for, and the files that examples send."""
    seed = await seeded(alice, conn, world, ports, hook="https://example.com/hook")
    (tmp_path / "clip.mp4").write_bytes(clip())
    (tmp_path / "photo.jpg").write_bytes(media.jpeg())
    return Stage(
        address=alice.address,
        folder=tmp_path,
        key=world.alice_key,
        rehearsal_key=await _rehearsal_key(conn, world),
        placeholders={
            "bundle_id": seed.fresh,
            "account_id": seed.account,
            "endpoint_id": seed.endpoint,
            "publish_date": in_days(10),
            "storage_path": await uploaded(conn, world.acme, seed.fresh),
        },
        bundles={
            "publishBundle": seed.ready,
            "publishBundleVideo": seed.live,
            "finalizeBundleVideo": seed.posted,
            "requestBundleAccountCorrections": seed.to_correct,
            "finalizeBundleAccount": seed.in_review,
        },
    )


async def _rehearsal_key(conn: Connection, world: World) -> str:
    workspace = await create_workspace(
        conn=conn, name="Rehearsal", owner_id=world.alice, rehearsal=True
    )
    _, key = await create_api_key(
        conn=conn, workspace_id=workspace, person_id=world.alice, name="Rehearsal"
    )
    return key
