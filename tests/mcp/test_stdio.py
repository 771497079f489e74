"""The tools on standard input and output: ``tokportal-server mcp`` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.cast import World
from tests.conftest import free_port
from tests.mcp.conftest import Tools
from tests.orders.walk import order
from tests.uploads import media
from tokportal_server.lib.resources import contract_file
from tokportal_server.lib.settings import SettingsError
from tokportal_server.mcp.credentials import key_in_environment
from tokportal_server.mcp.files import LocalFiles
from tokportal_server.mcp.signature import signatures
from tokportal_server.mcp.tool import Backend, Identity, OperationTool

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


async def test_an_absent_server_is_told_as_a_result() -> None:
    address = f"http://127.0.0.1:{free_port()}/api/ext"
    document = json.loads(contract_file("openapi.json").read_bytes())
    async with httpx2.AsyncClient(base_url=address) as client:
        backend = Backend(client, LocalFiles(), lambda: Identity("sk_any", "one-id"))
        result = await OperationTool.of(signatures(document)[0], backend).run({})
    assert result.is_error
    assert result.structured_content is not None
    error = result.structured_content["error"]
    assert (error["code"], error["request_id"]) == ("SERVICE_UNAVAILABLE", "one-id")
    assert address in error["message"]


async def test_does_not_start_without_a_key() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *PROGRAM,
        env={},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"TOKPORTAL_API_KEY" in err


@pytest.mark.parametrize("key", ["", " ", "schlüssel", "sk_\r\nX-Other: 1"])
def test_refuses_a_key_that_cannot_be_a_header(key: str) -> None:
    with pytest.raises(SettingsError, match="TOKPORTAL_API_KEY"):
        key_in_environment({"TOKPORTAL_API_KEY": key})


async def test_the_program_loads_fastmcp_for_its_tools_only() -> None:
    code = (
        "import sys, tokportal_server.entry.main, tokportal_server.entry.api;"
        "sys.exit(str({'fastmcp', 'mcp', 'httpx2'} & sys.modules.keys()))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert err.strip() == b"set()"
