"""A manager's day on a phone, in real Chromium."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from uuid import UUID

from playwright.async_api import expect

from tests.accounts.revealing import edit_asked
from tests.cast import World
from tests.client import Client
from tests.comments.steps import begun, delivered
from tests.console.browser import PHONE, chromium, is_as_wide_as_its_window, signed_in
from tests.console.test_desk_order import story
from tests.pages.guest import give_passwords
from tests.uploads import media
from tests.workbench.books import LAST_MONTH, earned
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

COMMENT = "https://www.tiktok.com/@baker/video/7300000000000000001?comment_id=7400001"


async def test_a_story_is_posted_with_ticks_that_stay_and_a_picture_as_proof(
    alice: Client, conn: Connection, world: World, ports: Ports, tmp_path: Path
) -> None:
    await give_passwords(conn, world.mona)
    bundle_id = await story(alice, conn, world, ports)
    picture = tmp_path / "shot.jpg"
    picture.write_bytes(media.jpeg())
    async with chromium() as browser:
        mona = await signed_in(browser, alice.address, "mona", size=PHONE)
        tools = await mona.context.new_cdp_session(mona)
        await tools.send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
        await mona.goto(f"{alice.address}/desk/{world.acme}/{bundle_id}")
        assert await is_as_wide_as_its_window(mona)
        await expect(mona.get_by_text("On your clock")).to_be_visible()

        await mona.get_by_label("Disclose as advertising").check()
        await mona.reload()
        await expect(mona.get_by_label("Disclose as advertising")).to_be_checked()
        await expect(mona.get_by_label("Disclose as made with AI")).not_to_be_checked()

        async with mona.expect_download() as begins:
            await mona.get_by_role("link", name="Download all media (ZIP)").click()
        path = await (await begins.value).path()
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            assert archive.namelist() == ["001-story_image-01.jpg"]

        await mona.get_by_label("Picture as proof").set_input_files(picture)
        await mona.get_by_role("button", name="Hand in the story").click()
        await expect(mona.get_by_role("status")).to_contain_text("The post is handed in.")
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "in_review"


async def test_what_is_for_a_manager_beside_orders_is_done_from_my_work(
    alice: Client, conn: Connection, world: World
) -> None:
    await give_passwords(conn, world.mona)
    account = await delivered(conn, world)
    await begun(conn, world, account)
    await edit_asked(conn, world, UUID(account))
    await earned(conn, world, 1250)
    async with chromium() as browser:
        mona = await signed_in(browser, alice.address, "mona", size=PHONE)
        await mona.get_by_role("link", name="My work").click()
        assert await is_as_wide_as_its_window(mona)
        await mona.get_by_role("link", name="acme.daily: What a lovely idea").click()
        await mona.get_by_label("Address of the comment").fill(COMMENT)
        await mona.get_by_role("button", name="Hand in the comment").click()
        await expect(mona.get_by_role("status")).to_contain_text("The comment is handed in.")

        await mona.get_by_role("link", name="Changes").click()
        await mona.get_by_role("button", name="Begin the change").click()
        await mona.get_by_label("Profile address").fill("https://www.tiktok.com/@acme.weekly")
        assert await is_as_wide_as_its_window(mona)
        await mona.get_by_role("button", name="The change is made").click()
        await expect(mona.get_by_role("status")).to_contain_text("Done.")

        await mona.get_by_role("link", name="Accounts").click()
        await mona.get_by_text("Enter a verification code").click()
        await mona.get_by_label("Code", exact=True).fill("123456")
        await mona.get_by_role("button", name="Give it to the customer").click()
        await expect(mona.get_by_role("status")).to_contain_text("The code is with the customer.")

        await mona.get_by_role("link", name="Earnings").click()
        await mona.get_by_role("link", name=f"{LAST_MONTH:%B %Y}").click()
        assert await is_as_wide_as_its_window(mona)
        await mona.get_by_role("button", name="I agree").click()
        await expect(mona.get_by_role("status")).to_contain_text("You have agreed")
    read = await alice.post(f"/accounts/{account}/verification-code")
    assert read.data["code"] == "123456"
    assert (await alice.get(f"/accounts/{account}")).data["username"] == "acme.weekly"
