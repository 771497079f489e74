"""Every page that links lead to, in real Chromium: for everybody, on every screen, in the dark.

A person's pages are found by following links. Each is opened once: on a wide light screen, then on
a dark phone, and examined by axe-core both times.
"""

from __future__ import annotations

import os
import re
from collections import deque
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import ConsoleMessage
from playwright.async_api import Page as Tab

from tests.cast import World
from tests.client import Client
from tests.console.browser import (
    DESKTOP,
    PHONE,
    chromium,
    is_as_wide_as_its_window,
    signed_in,
)
from tests.console.scenery import set_the_scene
from tests.pages.guest import Guest, visiting
from tokportal_server.entry.pages import ALL_PAGES
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.page import Page

# Where to leave pictures for people to look at; nowhere unless asked.
PICTURES = os.environ.get("TEST_PICTURES")
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
RUN_AXE = """async () => {
  const found = await axe.run({resultTypes: ["violations"]});
  return found.violations.map(({id, impact, nodes}) =>
    ({id, impact, nodes: nodes.slice(0, 3).map(({html}) => html.slice(0, 200))}));
}"""
_LINK = re.compile(r'<a\b[^>]*\bhref="(/[^"#]*)')
# An order that is done looks other than one that begins; of other pages one is enough.
_MOST = {"bundle": 3, "work": 3}
# What only a search leads to.
_SOUGHT = {"olga": ["/admin/accounts?q=acme"]}
# What no link leads to: streams, files, what a mail or another site leads to, forms that only a
# step before opens, the files of a slot that has several, the proof of one that is done.
_APART = {
    "connected",
    "invitation",
    "slot_media",
    "slot_proof",
    # A file that a worker has made.
    "fetch_export",
    "asset",
    "home",
    "front",
    "code_form",
    "lost_form",
    "password_form",
    "factor_form",
    "sign_in_form",
    # Stands in a frame and runs nothing, axe neither; its templates are examined by themselves.
    "preview_report",
    *(page.name for page in ALL_PAGES if page.name.endswith("_live")),
}


def page_at(address: str) -> Page | None:
    """Give the page that answers an address."""
    path = address.partition("?")[0].rstrip("/") or "/"
    pages = (one for one in ALL_PAGES if one.method == "GET" and one.match(path) is not None)
    return next(pages, None)


async def pages_of(guest: Guest, who: str) -> tuple[dict[str, list[str]], list[str]]:
    """Sign somebody in and follow links; give the pages, by name, and what leads nowhere."""
    await guest.sign_in(who)
    starts = [(await guest.get("/console")).to, *_SOUGHT.get(who, [])]
    found: dict[str, list[str]] = {}
    broken: list[str] = []
    waiting, known = deque(starts), set(starts)
    while waiting:
        address = waiting.popleft()
        page = page_at(address)
        if page is None or page.name in _APART:
            continue
        if len(found.setdefault(page.name, [])) >= _MOST.get(page.name, 1):
            continue
        seen = await guest.get(address)
        if seen.status != 200:
            broken.append(f"{address}: {seen.status} {seen.code}")
            continue
        if not seen.headers["content-type"].startswith("text/html"):
            continue
        found[page.name].append(address)
        for link in map(unescape, _LINK.findall(seen.html)):
            if link not in known:
                known.add(link)
                waiting.append(link)
    return found, broken


async def examine(tab: Tab, name: str) -> list[str]:
    """Look at the page that is open, wide and light, then small and dark; give what is wrong."""
    wrong = []
    for size, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        await tab.set_viewport_size({"width": size["width"], "height": size["height"]})
        # Colours that are on their way to others would be examined as they are at that moment.
        await tab.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
        )
        if not await is_as_wide_as_its_window(tab):
            wrong.append(f"{name} ({scheme}): scrolls sideways")
        found: list[dict[str, Any]] = await tab.evaluate(RUN_AXE)
        wrong += [
            f"{name} ({scheme}): {one['id']} ({one['impact']}): {one['nodes']}"
            for one in found
            if one["impact"] in {"serious", "critical"}
        ]
        if PICTURES:
            await picture(tab, f"{name}-{size['width']}-{scheme}")
    if PICTURES:
        await tab.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
        await picture(tab, f"{name}-{DESKTOP['width']}-dark")
    return wrong


async def picture(tab: Tab, name: str) -> None:
    """Leave a picture of what is seen without scrolling, for people to look at."""
    await tab.screenshot(path=str(Path(PICTURES or "") / f"{name}.png"))


def complaint(tab: Tab, message: ConsoleMessage) -> list[str]:
    """Give what the browser says is wrong, but for media: those of this scene have no bytes."""
    where = message.location["url"]
    if message.type != "error" or "/media/" in where:
        return []
    return [f"{tab.url}: {message.text} {where}"]


@pytest.mark.parametrize("who", ["alice", "mona", "olga"])
async def test_every_page_is_usable_by_everybody_on_every_screen(
    alice: Client, conn: Connection, world: World, ports: Ports, who: str
) -> None:
    await set_the_scene(alice, conn, world, ports)
    async with visiting(alice.address) as guest:
        found, wrong = await pages_of(guest, who)
    async with chromium() as browser:
        tab = await signed_in(browser, alice.address, who, size=DESKTOP)
        tab.on("pageerror", lambda error: wrong.append(f"{tab.url}: {error}"))
        tab.on(
            "console",
            lambda message: (
                wrong.append(f"{tab.url}: {message.text}") if message.type == "error" else None
            ),
        )
        await tab.context.add_init_script(AXE)
        for name, addresses in sorted(found.items()):
            for number, address in enumerate(addresses, 1):
                await tab.goto(alice.address + address)
                wrong += await examine(tab, f"{who}-{name}-{number}")
    assert not wrong, "\n".join(wrong)
    assert len(found) > 5


async def test_links_lead_to_every_page(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    found: set[str] = set()
    broken: list[str] = []
    for who in ("alice", "mona", "olga"):
        async with visiting(alice.address) as guest:
            pages, nowhere = await pages_of(guest, who)
            found |= pages.keys()
            broken += nowhere
    assert not broken, "\n".join(broken)
    assert {page.name for page in ALL_PAGES if page.method == "GET"} - _APART - found == set()
