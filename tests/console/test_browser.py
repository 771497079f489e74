"""An order in real Chromium: a manager with a phone, a customer at a desk."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Page, expect

from tests.cast import World
from tests.client import Client
from tests.console.browser import (
    DESKTOP,
    PHONE,
    chromium,
    is_as_wide_as_its_window,
    signed_in,
)
from tests.orders.walk import POST, published_with_videos
from tests.pages.guest import give_passwords
from tokportal_server.lib.db import Connection

# Where to leave pictures for people to look at; nowhere unless asked.
PICTURES = os.environ.get("TEST_PICTURES")
OPEN_WINDOW = "UPDATE slots SET target_start = current_date - 1, target_end = current_date"
STATUSES = """
SELECT b.status, p.status AS profile, (SELECT array_agg(status) FROM slots) AS slots
  FROM bundles b JOIN profiles p ON p.bundle_id = b.id
"""


async def look(page: Page, name: str) -> None:
    """Check what every page must keep, and leave a picture if asked for one."""
    assert await is_as_wide_as_its_window(page), name
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


async def test_a_manager_works_on_a_phone_and_the_customer_corrects_once_then_approves(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice, world.mona)
    await published_with_videos(
        alice, conn, world, videos=1, title="Spring campaign", auto_finalize_videos=False
    )
    async with chromium() as browser:
        mona = await signed_in(browser, alice.address, "mona", size=PHONE)
        desk = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        await look(mona, "phone-queue")
        await look(desk, "desktop-overview-quiet")

        await mona.get_by_role("button", name="Claim").click()
        await expect(mona.get_by_role("status")).to_contain_text("The order is yours")
        await look(mona, "phone-claimed")
        await hand_in_account(mona, profile="https://example.com/nobody")
        await expect(mona.get_by_label("Profile address")).to_have_attribute("aria-invalid", "true")
        await look(mona, "phone-refused")
        await hand_in_account(mona, profile="https://www.tiktok.com/@acme.daily")
        await expect(mona.get_by_role("status")).to_contain_text("with the customer")

        await desk.reload()
        await look(desk, "desktop-overview-review")
        await desk.get_by_role("link", name="Review the account").click()
        await look(desk, "desktop-review-account")
        await desk.get_by_role("button", name="Approve").click()
        await expect(desk.get_by_role("status")).to_contain_text("Approved")

        # The day has come.
        await conn.execute(OPEN_WINDOW)
        await mona.reload()
        await hand_in_post(mona)
        await desk.reload()
        await desk.get_by_text("Ask for corrections").click()
        await desk.get_by_label("What should be different about the post").fill("Louder, please.")
        await desk.get_by_role("button", name="Send back").click()
        await expect(desk.get_by_role("status")).to_contain_text("asked for corrections")

        await mona.reload()
        await mona.get_by_label("Louder, please.").check()
        await look(mona, "phone-corrections")
        await hand_in_post(mona)
        await desk.reload()
        await desk.get_by_role("button", name="Approve").click()
        await expect(desk.get_by_role("status")).to_contain_text("Approved")
        await look(desk, "desktop-completed")
    row = await conn.fetchrow(STATUSES)
    assert row is not None
    assert (row["status"], row["profile"], row["slots"]) == (
        "completed",
        "finalized",
        ["finalized"],
    )


async def hand_in_account(page: Page, *, profile: str) -> None:
    """Fill the form of the account in and send it."""
    await page.get_by_label("Profile address").fill(profile)
    await page.get_by_label("Account password", exact=True).fill("s3cret")
    await page.get_by_label("Account e-mail").fill("acme.daily@mail.example")
    await page.get_by_label("Password of that e-mail").fill("s3cret too")
    await page.get_by_role("button", name="Hand in the account").click()


async def hand_in_post(page: Page) -> None:
    """Give the live post of the only slot."""
    await page.get_by_label("Address of the live post").fill(POST)
    await page.get_by_role("button", name="Hand in the post").click()
    await expect(page.get_by_role("status")).to_contain_text("handed in")


async def test_nothing_runs_that_people_wrote_and_nothing_is_asked_of_other_servers(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice, world.mona)
    nasty = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    await published_with_videos(alice, conn, world, videos=1, title=nasty)
    asked: list[str] = []
    async with chromium() as browser:
        desk = await signed_in(browser, alice.address, "alice", size=DESKTOP, dark=True)
        complaints: list[str] = []
        desk.on("request", lambda request: asked.append(request.url))
        desk.on("pageerror", lambda error: complaints.append(str(error)))
        desk.on("console", lambda message: complaints.append(message.text))
        await desk.get_by_role("link", name="Bundles").click()
        await look(desk, "desktop-bundles-dark")
        await desk.get_by_role("link", name="<img").click()
        await expect(desk.get_by_role("heading", level=1)).to_contain_text("<script>")
        assert await desk.title() != "run"
        await look(desk, "desktop-bundle-dark")
        assert complaints == []
    assert asked
    assert all(url.startswith(alice.address) for url in asked), asked
