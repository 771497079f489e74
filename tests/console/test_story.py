"""One order, from the invitation of its people to its last approval, in real Chromium, by hand.

Whatever people can write freely holds a script, which must never run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, expect

from tests.cast import World
from tests.console.browser import DESKTOP, PHONE, chromium, signed_in
from tests.console.test_browser import OPEN_WINDOW, hand_in_account, hand_in_post
from tests.orders.walk import in_days
from tests.pages.guest import give_passwords
from tests.pages.test_one_time_links import NEW
from tests.uploads import media
from tokportal_server.lib.db import Connection

NASTY = "<img src=x onerror=alert(1)>"
SCRIPT = f'"><script>alert(2)</script>{NASTY}{{{{7*7}}}}'


async def test_invited_people_bring_an_order_from_its_form_to_its_last_approval(
    server: str, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.alice, world.mona, world.olga)
    async with chromium() as browser, watched(browser) as ran:
        olga = await signed_in(browser, server, "olga", size=DESKTOP)
        carla = await invited(browser, olga, server, "carla", DESKTOP, workspace=str(world.acme))
        nina = await invited(browser, olga, server, "nina", PHONE, countries=("USA",))
        address = await order(carla, f"{server}/console/{world.acme}")
        await claim(nina, await signed_in(browser, server, "mona", size=PHONE), server)
        await work(nina, carla, address, conn)
        await see_it_everywhere(carla, f"{server}/console/{world.acme}", address)
        await end_sessions(olga, carla, server)
        assert ran == []
    assert await conn.fetchval("SELECT status FROM bundles") == "completed"


@asynccontextmanager
async def watched(browser: Browser) -> AsyncIterator[list[str]]:
    """Collect every dialog that any page opens: only a script that people wrote would."""
    ran: list[str] = []
    make = browser.new_context

    async def new_context(**options: object) -> object:
        context = await make(**options)  # type: ignore[arg-type]
        context.on("dialog", lambda dialog: ran.append(dialog.message))
        return context

    browser.new_context = new_context  # type: ignore[method-assign, assignment]
    yield ran


async def invited(
    browser: Browser,
    olga: Page,
    server: str,
    name: str,
    size: dict[str, int],
    *,
    workspace: str = "",
    countries: tuple[str, ...] = (),
) -> Page:
    """Have Olga invite somebody, who opens the link in a window of their own."""
    await olga.goto(f"{server}/admin/people?workspace={workspace or 'none'}")
    form = olga.locator("#invite")
    await form.locator("[name=kind]").select_option("manager" if countries else "customer")
    await form.locator("[name=email]").fill(f"{name}@example.com")
    await form.locator("[name=name]").fill(f"{name.title()} {NASTY}")
    await form.locator("[name=workspace_id]").fill(workspace)
    for box in (
        *(f"countries.{one}" for one in countries),
        *(["platforms.tiktok"] * bool(countries)),
    ):
        await form.locator(f"[name='{box}']").check()
    await form.locator("button.main").click()
    link = await olga.locator("button.copy").first.get_attribute("data-copy")
    assert link is not None
    context = await browser.new_context(viewport={"width": size["width"], "height": size["height"]})
    page = await context.new_page()
    await page.goto(link)
    await page.get_by_label("New password").fill(NEW)
    await page.get_by_role("button", name="Set password").click()
    await expect(page.get_by_role("status")).to_contain_text("you are signed in")
    return page


async def order(carla: Page, root: str) -> str:
    """Order an account with one video, fill everything in, publish; give the bundle's page."""
    await carla.goto(f"{root}/new")
    await carla.locator("[name=videos_quantity]").fill("1")
    await carla.locator("[name=country]").select_option("USA")
    await carla.locator("[name=title]").fill(SCRIPT)
    await carla.locator("[name=auto_finalize_videos]").select_option("false")
    await carla.get_by_role("button", name="Order", exact=True).click()
    await expect(carla.get_by_role("status")).to_contain_text("Ordered.")
    address = carla.url.partition("?")[0]
    await carla.goto(f"{address}/profile")
    await edit_the_profile_twice(carla)
    await carla.goto(f"{address}/slots/1")
    await carla.locator("input[type=file]").first.set_input_files(
        {"name": "spring.mp4", "mimeType": "video/mp4", "buffer": media.video()}
    )
    await expect(carla.get_by_text("Uploaded: spring.mp4")).to_be_visible()
    await carla.get_by_label("Goes up from").first.fill(in_days(5))
    await carla.get_by_label("Caption").fill(SCRIPT)
    await carla.get_by_role("button", name="Save").click()
    await expect(carla.get_by_role("status").first).to_contain_text("Saved")
    await carla.goto(address)
    await carla.get_by_role("button", name="Publish", exact=True).first.click()
    await expect(carla.get_by_role("status").first).to_contain_text("Published")
    return address


async def edit_the_profile_twice(carla: Page) -> None:
    """Fill the profile in in one window; another one, opened before, is told when it saves."""
    other = await carla.context.new_page()
    await other.goto(carla.url)
    for page, name in ((carla, NASTY), (other, "Typed in vain?")):
        await page.get_by_label("Username").fill("acme.daily")
        await page.get_by_label("Name shown").fill(name)
        await page.get_by_label("Biography").fill(SCRIPT[:80])
        await page.get_by_role("button", name="Save").click()
    await expect(carla.get_by_role("status").first).to_contain_text("Saved")
    await expect(other.get_by_role("alert").first).to_contain_text("Somebody else changed this")
    await expect(other.get_by_label("Name shown")).to_have_value("Typed in vain?")
    await expect(other.get_by_text("it now says").first).to_contain_text(NASTY)
    await other.close()


async def claim(nina: Page, mona: Page, server: str) -> None:
    """Let Nina claim the order while Mona looks at the same queue, and tries a moment later."""
    await mona.context.route("**/live*", lambda route: route.abort())
    await mona.goto(f"{server}/desk")
    await nina.goto(f"{server}/desk")
    await nina.get_by_role("button", name="Claim").click()
    await expect(nina.get_by_role("status")).to_contain_text("The order is yours")
    await mona.get_by_role("button", name="Claim").click()
    await expect(mona.get_by_role("alert")).to_be_visible()


async def work(nina: Page, carla: Page, address: str, conn: Connection) -> None:
    """Set the account up and post; Carla approves the one and has the other corrected once."""
    await hand_in_account(nina, profile="https://www.tiktok.com/@acme.daily")
    await expect(nina.get_by_role("status").first).to_contain_text("with the customer")
    await carla.goto(address)
    await carla.get_by_role("button", name="Approve").first.click()
    await expect(carla.get_by_role("status").first).to_contain_text("Approved")
    await conn.execute(OPEN_WINDOW)
    await nina.reload()
    await hand_in_post(nina)
    await carla.goto(address)
    await carla.get_by_text("Ask for corrections").click()
    await carla.get_by_label("What should be different about the post").fill(SCRIPT)
    await carla.get_by_role("button", name="Send back").click()
    await expect(carla.get_by_role("status").first).to_contain_text("asked for corrections")
    await nina.reload()
    await expect(nina.get_by_text(SCRIPT).first).to_be_visible()
    await hand_in_post(nina)
    await carla.goto(address)
    await carla.get_by_role("button", name="Approve").first.click()
    await expect(carla.get_by_role("status").first).to_contain_text("Approved")


async def see_it_everywhere(carla: Page, root: str, address: str) -> None:
    """Find the order on the pages that show it."""
    await carla.goto(address)
    await expect(carla.get_by_role("heading", level=1)).to_contain_text("<script>")
    await expect(carla.locator(".timeline")).to_contain_text(f"Carla {NASTY}")
    await carla.goto(f"{root}/bundles?status=completed")
    await expect(carla.get_by_role("link", name="<script>").first).to_be_visible()
    for section in ("credits", "calendar", "accounts", "webhooks"):
        await carla.goto(f"{root}/{section}")
        await expect(carla.get_by_role("heading", level=1)).to_be_visible()


async def end_sessions(olga: Page, carla: Page, server: str) -> None:
    """Have Olga sign Carla out everywhere; Carla's next click asks her to sign in."""
    await olga.goto(f"{server}/admin/people?q=carla")
    await olga.get_by_role("link", name="Carla").first.click()
    button = olga.locator("form[action$='/sessions/end'] button")
    if not await button.is_visible():
        await olga.locator("details:has(form[action$='/sessions/end']) > summary").click()
    await button.click()
    await expect(olga.get_by_role("status").first).to_be_visible()
    await carla.reload()
    await expect(carla.get_by_label("Password")).to_be_visible()
