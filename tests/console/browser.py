"""Real Chromium, driven through the browser's own protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.chromium import FLAGS, chromium_path
from tests.pages.guest import PASSWORD

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the machine's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


async def signed_in(
    browser: Browser, address: str, name: str, *, size: dict[str, int], dark: bool = False
) -> Page:
    """Sign somebody of the cast in, in a window of their own; give the page they land on."""
    context: BrowserContext = await browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if dark else "light",
    )
    page = await context.new_page()
    await page.goto(f"{address}/sign-in")
    await page.get_by_label("E-mail address").fill(f"{name}@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Sign out").wait_for()
    return page


async def is_as_wide_as_its_window(page: Page) -> bool:
    """Say whether nothing makes the page scroll sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
