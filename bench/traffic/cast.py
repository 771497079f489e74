"""Who makes the traffic: customers with keys and sessions, a manager, an operator."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
from harness import browser
from harness.stage import connected, settle_in
from PIL import Image

from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_manager, create_person

LIVE: Final = 4
REHEARSALS: Final = 2
# How many of its own bundles a customer looks at.
_LOOKED_AT: Final = 400
_FULL_PLAN: Final = "UPDATE workspaces SET plan = 'full'"


@dataclass(slots=True)
class Customer:
    """A workspace and what its program remembers of its orders.

    Orders go from ``drafts`` to ``ready`` (with the username that they want), those with videos by
    way of ``stocked``, once they have an upload; who works on one takes it out meanwhile. ``alone``
    are those of an account without videos.
    """

    number: int
    workspace: UUID
    owner: UUID
    key: str
    read_key: str
    rehearsal: bool
    endpoint: str = ""
    today: date = field(default_factory=date.today)
    bundles: deque[str] = field(default_factory=lambda: deque(maxlen=_LOOKED_AT))
    accounts: list[str] = field(default_factory=list)
    # Accounts whose numbers were collected.
    collected: list[str] = field(default_factory=list)
    drafts: deque[str] = field(default_factory=deque)
    alone: set[str] = field(default_factory=set)
    unstocked: deque[str] = field(default_factory=deque)
    stocked: deque[tuple[str, str]] = field(default_factory=deque)
    ready: deque[tuple[str, str]] = field(default_factory=deque)
    published: deque[str] = field(default_factory=deque)
    # Whoever moves the clock, or counts on its standing still.
    clock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def console(self) -> str:
        """Its pages."""
        return f"/console/{self.workspace}"


@dataclass(slots=True)
class Cast:
    """Everybody; ``browsers`` are sessions that are signed in, by e-mail address."""

    customers: list[Customer]
    browsers: dict[str, aiohttp.ClientSession]
    video: bytes
    image: bytes
    # Published orders of an account alone in live workspaces, with the username that they want.
    offered: deque[tuple[Customer, str, str]] = field(default_factory=deque)

    @property
    def rehearsals(self) -> list[Customer]:
        """Those whose clocks can be moved."""
        return [one for one in self.customers if one.rehearsal]


async def assemble(dsn: str, folder: Path) -> Cast:
    """Make workspaces, people and media; nobody is signed in yet."""
    async with connected(dsn) as conn:
        customers = [
            await _customer(conn, number, rehearsal=number >= LIVE)
            for number in range(LIVE + REHEARSALS)
        ]
        operator = await create_person(
            conn=conn, email="operator@example.com", name="Olga", operator=True
        )
        manager = await create_person(conn=conn, email="manager@example.com", name="Mona")
        await create_manager(
            conn=conn,
            person_id=manager,
            display_name="Mona",
            countries=["USA"],
            platforms=["tiktok"],
        )
        people = [operator, manager, *(one.owner for one in customers)]
        await browser.let_in(conn, people)
        await conn.execute(_FULL_PLAN)
    video = folder / "sample.mp4"
    await asyncio.to_thread(write_sample_video, video)
    return Cast(customers, {}, video.read_bytes(), _image())


async def _customer(conn: Connection, number: int, *, rehearsal: bool) -> Customer:
    tenant = await settle_in(conn, f"customer{number}", rehearsal=rehearsal)
    _, read_key = await create_api_key(
        conn=conn,
        workspace_id=tenant.workspace,
        person_id=tenant.owner,
        name="reads",
        scope="read",
    )
    return Customer(number, tenant.workspace, tenant.owner, tenant.key, read_key, rehearsal)


def _image() -> bytes:
    buffer = BytesIO()
    Image.effect_noise((480, 640), 60).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


async def sign_in(cast: Cast, origin: str, connector: aiohttp.BaseConnector) -> None:
    """Give everybody who looks at pages a session."""
    names = [f"customer{one.number}" for one in cast.customers]
    for email in [f"{name}@example.com" for name in (*names, "operator", "manager")]:
        jar = aiohttp.CookieJar(unsafe=True)
        session = aiohttp.ClientSession(
            origin, cookie_jar=jar, connector=connector, connector_owner=False
        )
        cast.browsers[email] = session
        await browser.sign_in(session, email)


async def subscribe(cast: Cast, api: aiohttp.ClientSession, hooks: int) -> None:
    """Give every customer an endpoint for all events, and tell the receiver its secret."""
    base = f"http://127.0.0.1:{hooks}"
    for one in cast.customers:
        headers = {"X-API-Key": one.key}
        catalogue = await _data(api.get("/api/ext/webhooks/events", headers=headers))
        body = {
            "url": f"{base}/hooks/{one.number}",
            "events": [entry["type"] for entry in catalogue["events"]],
        }
        made = await _data(api.post("/api/ext/webhooks", json=body, headers=headers))
        one.endpoint = made["id"]
        secret = made["signing_secret"]
        async with api.put(f"{base}/secrets/{one.number}", data=secret) as answer:
            assert answer.status == 204


async def _data(request: Any) -> Any:
    async with request as answer:
        document = await answer.json()
        assert answer.status < 300, document
        return document["data"]
