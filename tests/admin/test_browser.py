"""The operators' pages in Chromium, on a phone."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.browser import PHONE, chromium, is_as_wide_as_its_window, signed_in
from tests.orders.walk import published
from tests.pages.guest import give_passwords
from tokportal_server.lib.db import Connection
from tokportal_server.pages.navigation import ADMIN


@pytest.mark.proof
async def test_olga_cancels_an_order_on_her_phone_and_no_page_scrolls_sideways(
    server: str, alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.olga)
    bundle_id = await published(alice, videos=0, title="A rather long title of an order " * 4)
    async with chromium() as browser:
        page = await signed_in(browser, server, "olga", size=PHONE)
        paths = [section.path for group in ADMIN for section in group.sections]
        paths += [f"/workspaces/{world.acme}", f"/workspaces/{world.acme}/credits"]
        paths += [f"/people/{world.mona}", f"/orders/{bundle_id}"]
        for path in paths:
            await page.goto(f"{server}/admin{path}")
            assert await page.locator("h1").count() == 1, path
            assert await is_as_wide_as_its_window(page), path
        await page.get_by_text("Cancel the order", exact=True).first.click()
        await page.locator("#cancel-reason").fill("Duplicate")
        await page.locator("#cancel").get_by_role("button", name="See what goes back").click()
        await page.get_by_text("25 credits go back").wait_for()
        await page.locator("#cancel").get_by_role("button", name="Cancel the order").click()
        await page.get_by_text("The order is cancelled, and the credits are back.").wait_for()
    status = await conn.fetchval("SELECT status FROM bundles WHERE id = $1", bundle_id)
    assert status == "cancelled"
