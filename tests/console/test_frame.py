"""What all pages share, in real Chromium: they update by themselves, are light, need no mouse."""

from __future__ import annotations

from playwright.async_api import Response, expect

from tests.cast import World
from tests.client import Client
from tests.console.browser import DESKTOP, PHONE, chromium, signed_in
from tests.console.scenery import set_the_scene
from tests.orders.walk import ordered, published
from tests.pages.guest import PASSWORD, give_passwords
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

MOST_BYTES, MOST_REQUESTS = 150_000, 6
# No page waits so long; one look a second and two seconds between two refreshes come before it.
PATIENCE = 20_000


async def test_a_page_shows_by_itself_what_has_happened(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice, world.mona)
    async with chromium() as browser:
        desk = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        queue = await signed_in(browser, alice.address, "mona", size=PHONE)
        await expect(queue.get_by_role("heading", name="Nothing to claim")).to_be_visible()
        await published(alice, title="Made elsewhere")
        await expect(queue.get_by_role("button", name="Claim")).to_be_visible(timeout=PATIENCE)
        await expect(desk.get_by_text("published")).to_be_visible(timeout=PATIENCE)


async def test_what_somebody_writes_is_not_taken_away(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        await page.goto(f"{alice.address}/console/{world.acme}/bundles")
        field = page.get_by_role("searchbox").first
        await field.fill("half a wo")
        await ordered(alice, title="Made elsewhere")
        await expect(page.get_by_text("Something has changed")).to_be_visible(timeout=PATIENCE)
        await expect(field).to_have_value("half a wo")
        await page.get_by_role("button", name="Show it").click()
        await expect(page.get_by_role("link", name="Made elsewhere")).to_be_visible()
        await expect(page.get_by_text("Something has changed")).to_be_hidden()


async def test_whoever_was_signed_out_elsewhere_is_asked_to_sign_in(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        await conn.execute("DELETE FROM person_sessions")
        await ordered(alice)
        await expect(page.get_by_label("Password")).to_be_visible(timeout=PATIENCE)


async def test_the_first_page_after_signing_in_is_light(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    answers: list[Response] = []
    async with chromium() as browser:
        page = await browser.new_page()
        kept: set[str] = set()
        page.on("response", lambda one: kept.add(one.url))
        await page.goto(f"{alice.address}/sign-in", wait_until="networkidle")
        before = set(kept)
        await page.get_by_label("E-mail address").fill("alice@example.com")
        await page.get_by_label("Password").fill(PASSWORD)
        page.on("response", lambda one: answers.append(one))  # noqa: PLW0108 - a method has no room
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Needs you now").wait_for()
        # A browser that comes for the first time has nothing kept.
        fresh: list[Response] = []
        page.on("response", lambda one: fresh.append(one))  # noqa: PLW0108 - as above
        session = await page.context.new_cdp_session(page)
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await page.reload(wait_until="load")
        await page.wait_for_function("performance.getEntriesByType('resource').length >= 3")
        # What came before the page itself was still for the page before it.
        begin = [one.request.resource_type for one in fresh].index("document")
        del fresh[:begin]
        sizes = [await one.body() for one in fresh if "/live" not in one.url]
    asked = {one.url for one in answers if "/assets/" not in one.url or one.url not in before}
    assert len(asked) <= MOST_REQUESTS, asked
    assert len(fresh) <= MOST_REQUESTS, [one.url for one in fresh]
    assert 5_000 < sum(map(len, sizes)) < MOST_BYTES


async def test_everything_is_reached_with_the_keyboard(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        # A new window: in the other one, the keyboard begins where the mouse clicked last.
        page = await page.context.new_page()
        await page.goto(f"{alice.address}/console/{world.acme}")
        reached = []
        for _ in range(25):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.textContent.trim()"))
            shown = await page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
            )
            assert shown, reached
            if reached[-1] == "Bundles":
                break
        assert reached[:2] == ["Skip to the content", "TokPortal"]
        assert {"Search", "You", "Sign out", "Overview", "Bundles"} <= set(reached)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1, name="Bundles")).to_be_visible()
        await page.get_by_role("link", name="Skip to the content").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()


async def test_pages_work_without_scripts(alice: Client, conn: Connection, world: World) -> None:
    await give_passwords(conn, world.mona)
    await published(alice)
    async with chromium() as browser:
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{alice.address}/sign-in")
        await page.get_by_label("E-mail address").fill("mona@example.com")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Claim").click()
        await expect(page.get_by_role("status")).to_contain_text("The order is yours")
