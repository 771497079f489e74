"""What only a browser does: files that are dropped, slots that are dragged, prices while typing."""

from __future__ import annotations

from base64 import b64encode
from datetime import date

import pytest
from playwright.async_api import Locator, Page, expect

from tests.cast import World
from tests.client import Client
from tests.console.browser import DESKTOP, PHONE, chromium, is_as_wide_as_its_window, signed_in
from tests.orders.walk import in_days, ordered, video
from tests.pages.guest import give_passwords
from tests.uploads import media
from tokportal_server.lib.db import Connection

DAY = "SELECT target_start FROM slots WHERE bundle_id = $1 AND position = 1"
UPLOADS = "SELECT count(*) FROM uploads"
# Gives a file to an element as a person's hand would.
DROP = """
([box, content, name, type]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  for (const kind of ["dragover", "drop"]) {
    const event = { bubbles: true, cancelable: true, dataTransfer: transfer };
    box.dispatchEvent(new DragEvent(kind, event));
  }
}
"""


async def drop(page: Page, box: Locator, content: bytes, name: str, kind: str) -> None:
    """Drop a file on an element."""
    element = await box.element_handle()
    await page.evaluate(DROP, [element, b64encode(content).decode(), name, kind])


def complaints_of(page: Page) -> list[str]:
    """Collect what goes wrong in a page's scripts."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


async def test_a_file_that_is_dropped_fills_its_field_and_a_wrong_one_says_why(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    bundle_id = await ordered(alice, videos=1)
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        wrong = complaints_of(page)
        await page.goto(f"{alice.address}/console/{world.acme}/bundles/{bundle_id}/slots/1")
        box = page.locator('.drop[data-into="video_url"]')
        await drop(page, box, media.jpeg(), "photo.jpg", "image/jpeg")
        await expect(box.locator(".told.wrong")).to_be_visible()
        assert await page.get_by_label("Video file").input_value() == ""
        await drop(page, box, media.video(), "spring.mp4", "video/mp4")
        await expect(box.get_by_role("status")).to_contain_text("Uploaded: spring.mp4")
        path = await page.get_by_label("Video file").input_value()
        assert path.startswith(world.acme.hex)
        await expect(box.locator("video")).to_have_attribute("src", f"/media/{path}")
        # Several pictures stand line by line, and what a kind does not need is not shown.
        await page.get_by_label("Kind of post").select_option("carousel")
        await expect(page.get_by_label("Video file")).to_be_hidden()
        pictures = page.locator('.drop[data-into="carousel_images"]')
        for name in ("one.jpg", "two.jpg"):
            await drop(page, pictures, media.jpeg(), name, "image/jpeg")
            await expect(pictures.get_by_role("status")).to_contain_text(f"Uploaded: {name}")
        listed = await page.get_by_label("Pictures").input_value()
        assert len(listed.splitlines()) == 2
        await page.get_by_label("Goes up from").first.fill(in_days(5))
        await page.get_by_label("Caption").fill("Two of them.")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status").first).to_contain_text("Saved")
        assert await page.locator(".previews img").count() == 2
        assert wrong == []
    assert await conn.fetchval(UPLOADS) == 3
    content = await conn.fetchval("SELECT content FROM slots")
    assert content["carousel_images"] == listed.splitlines()


async def test_a_slot_is_dragged_to_another_day_and_back_if_that_is_refused(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    bundle_id = await ordered(alice, videos=4, title="Spring")
    day = in_days(8)
    # A day of the same week that is far enough ahead.
    other = next(n for n in (7, 9) if _week(in_days(n)) == _week(day))
    for position, ahead in enumerate((8, 8, other, other), start=1):
        answer = await alice.put(f"/bundles/{bundle_id}/videos/{position}", video(ahead))
        assert answer.status == 200
    there = f'td[data-day="{in_days(other)}"]'
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        wrong = complaints_of(page)
        await page.goto(f"{alice.address}/console/{world.acme}/calendar?week={day}")
        await page.locator(".entry", has_text="video 1").drag_to(page.locator(there))
        await expect(page.get_by_role("status").first).to_contain_text("Moved.")
        await expect(page.locator(f"{there} .entry", has_text="video 1")).to_be_visible()
        assert (await conn.fetchval(DAY, bundle_id)).isoformat() == in_days(other)
        # That day is full now: the next one goes back to where it was.
        await page.locator(".entry", has_text="video 2").drag_to(page.locator(there))
        await expect(page.get_by_role("alert")).to_contain_text("already has 3 videos")
        home = page.locator(f'td[data-day="{day}"] .entry', has_text="video 2")
        await expect(home).to_be_visible()
        assert wrong == []


def _week(day: str) -> tuple[int, int]:
    return date.fromisoformat(day).isocalendar()[:2]


async def test_the_price_follows_what_is_typed_and_an_order_is_sent_once(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=PHONE)
        wrong = complaints_of(page)
        await page.goto(f"{alice.address}/console/{world.acme}/new")
        await page.get_by_label("Country").select_option("USA")
        await page.get_by_label("Videos (2 credits each)").fill("4")
        await expect(page.locator("#price")).to_contain_text("33 credits")
        await page.get_by_label("Have its comments moderated").check()
        await expect(page.locator("#price")).to_contain_text("58 credits")
        await page.get_by_label("Kind of order").select_option("account_only")
        await expect(page.get_by_label("Videos (2 credits each)")).to_be_hidden()
        await expect(page.locator("#price")).to_contain_text("50 credits")
        assert await is_as_wide_as_its_window(page)
        await page.get_by_role("button", name="Order").dblclick()
        await expect(page.get_by_role("status")).to_contain_text("Ordered.")
        assert wrong == []
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 1


async def test_a_csv_is_checked_and_imported_without_choosing_it_again(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    bundle_id = await ordered(alice, videos=2)
    sheet = (
        "position,video_type,description,target_publish_date,video_url\n"
        f"1,video,One,{in_days(5)},https://media.example.com/a.mp4\n"
        f"7,video,Two,{in_days(5)},https://media.example.com/b.mp4\n"
    )
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=PHONE)
        wrong = complaints_of(page)
        await page.goto(f"{alice.address}/console/{world.acme}/bundles/{bundle_id}/csv")
        await page.get_by_label("CSV file").set_input_files(
            {"name": "slots.csv", "mimeType": "text/csv", "buffer": sheet.encode()}
        )
        await page.get_by_role("button", name="Check it").click()
        await expect(page.locator("#outcome")).to_contain_text("1 row would be imported")
        await expect(page.locator("#outcome")).to_contain_text("has no slot 7")
        assert await is_as_wide_as_its_window(page)
        assert await conn.fetchval("SELECT count(*) FROM slots WHERE status = 'configured'") == 0
        await page.get_by_role("button", name="Import it").click()
        await expect(page.locator("#outcome")).to_contain_text("1 row was imported")
        assert wrong == []
    assert await conn.fetchval("SELECT count(*) FROM slots WHERE status = 'configured'") == 1


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_slot_is_filled_in_with_and_without_scripts(
    alice: Client, conn: Connection, world: World, *, scripts: bool
) -> None:
    await give_passwords(conn, world.alice)
    bundle_id = await ordered(alice, videos=1)
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        if not scripts:
            state = await page.context.storage_state()
            context = await browser.new_context(java_script_enabled=False, storage_state=state)
            page = await context.new_page()
        await page.goto(f"{alice.address}/console/{world.acme}/bundles/{bundle_id}/slots/1")
        if not scripts:
            await page.get_by_label("File", exact=True).set_input_files(
                {"name": "a.mp4", "mimeType": "video/mp4", "buffer": media.video()}
            )
            await page.get_by_role("button", name="Upload").click()
        else:
            address = "https://media.example.com/a.mp4"
            await page.get_by_label("Video file").fill(address)
        await page.get_by_label("Goes up from").first.fill(in_days(5))
        await page.get_by_label("Caption").fill("Look.")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status").first).to_contain_text("Saved")
    assert await conn.fetchval("SELECT status FROM slots") == "configured"


async def test_a_page_shows_by_itself_that_media_have_arrived(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice)
    bundle_id = await ordered(alice, videos=1)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", video())).status == 200
    async with chromium() as browser:
        page = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        await page.goto(f"{alice.address}/console/{world.acme}/bundles/{bundle_id}/slots/1")
        await expect(page.locator("main")).to_contain_text("Its media are on their way")
        # As the job that fetches them does; no event tells of it.
        await conn.execute("UPDATE slots SET media_status = 'ready'")
        gone = expect(page.get_by_text("Its media are on their way"))
        await gone.to_have_count(0, timeout=20_000)
