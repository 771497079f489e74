"""Bring the parts of the demo together."""

from __future__ import annotations

import asyncio
import importlib
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tokportal_server.entry import stack
from tokportal_server.entry.demo.reporter import ConsoleReporter, JsonReporter, Reporter
from tokportal_server.entry.rehearsing.workspaces import open_rehearsal
from tokportal_server.lib import log
from tokportal_server.lib.db import prepare_connection
from tokportal_server.lib.process import Supervisor
from tokportal_server.lib.settings import Settings
from tokportal_server.workspaces.operations.create_person import create_person

CREDITS = 500
_STARTUP_SECONDS = 30.0
CONSOLE_NOTE = (
    "Sign in there with one of these log-ins: Alice owns the workspace and sees her order, Olga is"
    " an operator. The orders of a rehearsal are worked by simulated managers."
)


def run(settings: Settings, *, as_json: bool, stay: bool) -> int:
    """Run the demo; give 0 if every step succeeded.

    With ``stay`` the server runs on after the walk until SIGINT or SIGTERM.

    Raises:
        StartError: the published client is not installed, or the server does not start.
    """
    _require_client()
    report: Reporter = JsonReporter() if as_json else ConsoleReporter()
    hook_port = stack.free_port("127.0.0.1")
    settings = _for_demo(settings, hook_port, quiet=not as_json)
    log.configure(settings.log_level, settings.log_format)
    with stack.database(settings) as ready:
        return asyncio.run(_run(ready, report, hook_port, stay=stay))


def _require_client() -> None:
    """Refuse before anything is started; the other commands do without the extra."""
    try:
        importlib.import_module("tokportal")
    except ImportError:
        raise stack.StartError(
            "The demo walks its order with the published client, which is not installed. Install"
            " it with: pip install 'tokportal-server[demo]'"
        ) from None


def _for_demo(settings: Settings, hook_port: int, *, quiet: bool) -> Settings:
    """Let webhooks reach the receiver on loopback, and find another port if ours is taken."""
    is_free = settings.port != 0 and stack.is_free(settings.host, settings.port)
    return msgspec.structs.replace(
        settings,
        home=settings.home / "demo",
        port=settings.port if is_free else stack.free_port(settings.host),
        log_level="error" if quiet else settings.log_level,
        webhooks_allow_loopback=True,
        webhooks_allowed_ports=(*settings.webhooks_allowed_ports, hook_port),
    )


async def _run(settings: Settings, report: Reporter, hook_port: int, *, stay: bool) -> int:
    # The client and its extra are only needed here: a server without the demo runs without them.
    from tokportal import TokPortal  # noqa: PLC0415

    from tokportal_server.entry.demo.receiver import receiving  # noqa: PLC0415
    from tokportal_server.entry.demo.walk import Walk  # noqa: PLC0415

    address = stack.local_address(settings)
    parts = stack.supervisor(settings, workers=1, with_worker=True)
    async with receiving(hook_port) as receiver, _running(parts) as running:
        await _until_ready(address, running)
        stage = await _set_the_stage(settings)
        report.ready(_facts(address, stage))
        with tempfile.TemporaryDirectory() as folder:
            walk = Walk(
                client=TokPortal(stage.api_key, base_url=f"{address}/api/ext"),
                server=address,
                receiver=receiver,
                hook_url=f"http://127.0.0.1:{hook_port}/hook",
                folder=Path(folder),
                report=report,
            )
            ok = await asyncio.to_thread(walk.run)
        if stay:
            await running
    return 0 if ok else 1


@asynccontextmanager
async def _running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[int]]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        supervisor.stop()
        await task


async def _until_ready(address: str, running: asyncio.Task[int]) -> None:
    try:
        async with asyncio.timeout(_STARTUP_SECONDS):
            is_ready = await stack.until_ready(address, running)
    except TimeoutError:
        raise stack.StartError(
            f"The server at {address} was not ready within {_STARTUP_SECONDS:.0f} s; its log, on"
            " standard error with --json, says why."
        ) from None
    if not is_ready:
        raise stack.StartError("The demo was stopped before the server was ready.")


@dataclass(frozen=True, slots=True)
class _Stage:
    """The rehearsal workspace and who belongs to it."""

    workspace_id: UUID
    api_key: str
    logins: dict[str, dict[str, str]]


async def _set_the_stage(settings: Settings) -> _Stage:
    """Make a new rehearsal with an owner, an operator, credits and a key."""
    conn = await asyncpg.connect(settings.database_url)
    try:
        await prepare_connection(conn)
        tag = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
        logins: dict[str, dict[str, str]] = {}
        ids: dict[str, UUID] = {}
        for name in ("alice", "olga"):
            login = {"email": f"{name}.{tag}@example.com", "password": secrets.token_urlsafe(9)}
            ids[name] = await create_person(
                conn=conn,
                email=login["email"],
                name=name.title(),
                password=login["password"],
                operator=name == "olga",
            )
            logins[name] = login
        workspace = await open_rehearsal(
            conn, name=f"Demo {tag}", owner_id=ids["alice"], credits_=CREDITS
        )
        return _Stage(workspace.id, workspace.api_key, logins)
    finally:
        await conn.close()


def _facts(address: str, stage: _Stage) -> dict[str, Any]:
    return {
        "base_url": f"{address}/api/ext",
        "api_key": stage.api_key,
        "console_url": f"{address}/console",
        "console_note": CONSOLE_NOTE,
        "logins": stage.logins,
        "workspace_id": str(stage.workspace_id),
    }
