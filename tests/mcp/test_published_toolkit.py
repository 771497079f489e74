"""The published LangChain toolkit, unmodified and in an environment of its own, against us."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cast import World
from tests.orders.walk import in_days

TOOLKIT = "langchain-tokportal==0.2.0"
SCRIPT = """
import asyncio, json, sys
from langchain_core.tools import ToolException
from langchain_tokportal import TokPortalToolkit

base, day = sys.argv[1:]
toolkit = TokPortalToolkit.from_api_key(base_url=base, mcp_url=base + "/mcp")
said = {}
native = {tool.name: tool for tool in toolkit.get_tools()}
said["native"] = sorted(native)

def ask(name, **arguments):
    return json.loads(native[name].invoke(arguments))

async def walk():
    mcp = {tool.name: tool for tool in await toolkit.aget_tools("mcp")}
    said["mcp"] = sorted(mcp)

    async def call(name, **arguments):
        [part] = await mcp[name].ainvoke(arguments)
        return json.loads(part["text"])

    said["balance"] = ask("tokportal_get_credit_balance")
    order = {"bundle_type": "account_and_videos", "platform": "tiktok", "country": "US",
             "videos_quantity": 1, "idempotency_key": "toolkit-1"}
    bundle = said["created"] = ask("tokportal_create_bundle", **order)
    id_ = bundle["data"]["id"]
    said["again"] = ask("tokportal_create_bundle", **order)["data"]["id"] == id_
    said["video"] = ask("tokportal_configure_bundle_video", bundle_id=id_, position=1,
        target_publish_date=day, description="Look", video_url="https://media.example.com/a.mp4")
    said["early"] = ask("tokportal_publish_bundle", bundle_id=id_)
    said["profile"] = await call("tokportal_configure_bundle_account", id=id_,
        username="acme.daily", visible_name="Acme", biography="Every day.")
    said["dry"] = await call("tokportal_publish_bundle", id=id_, dry_run=True)
    said["published"] = ask("tokportal_publish_bundle", bundle_id=id_)
    said["read"] = await call("tokportal_get_bundle", id=id_)
    said["native_read"] = ask("tokportal_get_bundle", bundle_id=id_)
    said["accounts"] = ask("tokportal_list_accounts", banned=False)
    try:
        said["refused"] = str(await mcp["tokportal_get_bundle"].ainvoke({"id": "none"}))
    except ToolException as error:
        said["refused"] = str(error)

asyncio.run(walk())
print(json.dumps(said))
"""


async def run(*command: str | Path, **variables: str) -> str:
    """Run a program to its end; give what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": "/usr/bin:/bin", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()[-4000:]
    return out.decode()


@pytest.fixture
async def toolkit(tmp_path: Path) -> Path:
    """The Python of an environment that holds the toolkit: it needs another ``mcp`` than we do."""
    await run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    await run(python, "-m", "pip", "install", "--quiet", TOOLKIT)
    return python


@pytest.mark.proof
async def test_both_kinds_of_its_tools_run_an_order(
    server: str, world: World, toolkit: Path
) -> None:
    script: list[str | Path] = [toolkit, "-c", SCRIPT, f"{server}/api/ext", in_days(5)]
    said: dict[str, Any] = json.loads(await run(*script, TOKPORTAL_API_KEY=world.alice_key))
    assert len(said["native"]) == 6
    assert len(said["mcp"]) == 78
    assert set(said["native"]) < set(said["mcp"])
    assert said["balance"]["data"]["credits"] == 1000
    assert said["created"]["credits_charged"] == 27
    assert said["again"] is True
    assert said["video"]["data"]["status"] == "configured"
    assert "code" in said["early"]["error"]
    assert said["profile"]["data"]["status"] == "configured"
    assert said["dry"]["dry_run"] is True
    assert said["published"]["data"]["status"] == "published"
    assert said["read"] == said["native_read"]
    assert said["accounts"]["pagination"]["total"] >= 0
    assert "BUNDLE_NOT_FOUND" in said["refused"]
