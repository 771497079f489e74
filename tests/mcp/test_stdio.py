"""The tools on standard input and output: ``tokportal-server mcp`` as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.cast import World
from tests.conftest import free_port
from tests.mcp.conftest import Tools
from tests.orders.walk import order
from tests.uploads import media

PROGRAM = ["-m", "tokportal_server.entry.main", "mcp"]


@asynccontextmanager
async def local_tools(base_url: str, key: str) -> AsyncIterator[Tools]:
    """Start the program, and open a session with it."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=PROGRAM,
        env={"TOKPORTAL_API_KEY": key, "TOKPORTAL_BASE_URL": base_url},
    )
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield Tools(session)


async def test_lists_the_tools_and_uploads_a_file_of_this_machine(
    server: str, world: World, tmp_path: Path
) -> None:
    picture = tmp_path / "face.png"
    picture.write_bytes(media.png())
    async with local_tools(f"{server}/api/ext", world.alice_key) as tools:
        assert len((await tools.session.list_tools()).tools) == 78
        bundle = (await tools.data("tokportal_create_bundle", **order(videos=0)))["id"]
        form = {"bundle_id": bundle, "purpose": "profile_picture"}
        uploaded = await tools.data("tokportal_upload_image_direct", file_path=str(picture), **form)
        assert (uploaded["filename"], uploaded["content_type"]) == ("face.png", "image/png")
        for missing in (tmp_path / "none.png", tmp_path):
            error = await tools.error(
                "tokportal_upload_image_direct", file_path=str(missing), **form
            )
            assert [p["field"] for p in error["details"]["errors"]] == ["file_path"]


async def test_a_wrong_key_and_an_absent_server_are_told_as_results(
    server: str, world: World
) -> None:
    async with local_tools(f"{server}/api/ext/", "sk_wrong") as tools:
        error = await tools.error("tokportal_get_current_user")
        assert error["code"] == "AUTH_INVALID_KEY"
    async with local_tools(f"http://127.0.0.1:{free_port()}/api/ext", world.alice_key) as tools:
        error = await tools.error("tokportal_get_current_user")
        assert error["code"] == "SERVICE_UNAVAILABLE"


@pytest.mark.parametrize("key", ["", "schlüssel"])
async def test_does_not_start_without_a_key(key: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *PROGRAM,
        env={"TOKPORTAL_API_KEY": key},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"TOKPORTAL_API_KEY" in err
