"""The process of a rehearsal server, which ``server.py`` starts.

1. A home in a temporary folder, with its own PostgreSQL, API and worker on a free port.
2. Says on standard output when it is ready: one JSON object, ``{"base_url": …}``.
3. Each line on standard input asks for a new rehearsal workspace: ``{"name", "credits", "plan"}``.
   The answer is one line, ``{"workspace_id", "api_key"}``.
4. Ends, and leaves nothing behind, at the end of the input or with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec import Meta

from tokportal_server.entry import stack
from tokportal_server.entry.rehearsing.workspaces import open_rehearsal, somebody
from tokportal_server.http.registry import BASE_PATH
from tokportal_server.lib import log
from tokportal_server.lib.db import prepare_connection
from tokportal_server.lib.process import die_with_parent
from tokportal_server.lib.settings import Settings


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A workspace to be made."""

    name: str = "Rehearsal"
    credits: Annotated[int, Meta(ge=0, le=1_000_000)] = 1_000
    plan: str = "full"


def main() -> None:
    """Run until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    die_with_parent(parent=parser.parse_args().parent)
    with tempfile.TemporaryDirectory(prefix="tokportal-rehearsal-") as folder:
        # PostgreSQL may run as a user of its own, who has to pass through here.
        Path(folder).chmod(0o755)
        settings = msgspec.structs.replace(
            Settings.from_env({**os.environ, "TOKPORTAL_HOME": folder}),
            port=stack.free_port("127.0.0.1"),
            log_level="error",
            webhooks_allow_loopback=True,
        )
        log.configure(settings.log_level, settings.log_format)
        with stack.database(settings) as ready:
            asyncio.run(_host(ready))


async def _host(settings: Settings) -> None:
    address = stack.local_address(settings)
    parts = stack.supervisor(settings, workers=1, with_worker=True)
    running = asyncio.create_task(parts.run())
    try:
        if await stack.until_ready(address, running):
            _say({"base_url": f"{address}{BASE_PATH}"})
            await _answer_requests(settings, running)
    finally:
        parts.stop()
        await running


async def _answer_requests(settings: Settings, running: asyncio.Task[int]) -> None:
    conn = await asyncpg.connect(settings.database_url)
    try:
        await prepare_connection(conn)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while not running.done() and (line := await reader.readline()):
            _say(await _made(conn, line))
    finally:
        await conn.close()


async def _made(conn: asyncpg.Connection[Any], line: bytes) -> dict[str, Any]:
    try:
        wanted = msgspec.json.decode(line, type=Wanted)
    except msgspec.DecodeError as error:
        return {"error": str(error)}
    workspace = await open_rehearsal(
        conn,
        name=wanted.name,
        owner_id=await somebody(conn),
        credits_=wanted.credits,
        plan=wanted.plan,
    )
    return {"workspace_id": str(workspace.id), "api_key": workspace.api_key}


def _say(facts: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
