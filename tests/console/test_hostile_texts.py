"""What people wrote is text wherever it is shown: on every page, for everybody."""

from __future__ import annotations

import pytest
from playwright.async_api import Dialog

from tests.cast import World
from tests.client import Client
from tests.console.browser import DESKTOP, chromium, signed_in
from tests.console.scenery import set_the_scene
from tests.console.test_every_page import pages_of
from tests.pages.guest import visiting
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

NASTY = "'\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
# Every column that holds what somebody wrote, or what a platform says that somebody did.
FREE = {
    "account_bans": ["reason"],
    "account_consents": ["owner_name", "scope", "revoked_reason"],
    "analytics_reports": ["title"],
    "api_keys": ["name"],
    "audit": ["reason"],
    "bundles": ["title", "external_ref", "niche_warming_instructions", "moderation_notice"],
    "claims": ["reason"],
    "comment_tasks": ["comment_text"],
    "corrections": ["comment"],
    "credit_entries": ["description"],
    "journal": ["reason"],
    "managers": ["display_name"],
    "notices": ["text"],
    "people": ["name"],
    "post_comments": ["author_handle", "text"],
    "profiles": ["username", "visible_name", "biography", "niche_warming_instructions"],
    "saved_accounts": ["username", "visible_name", "biography"],
    "slots": ["name", "external_ref"],
    "tracked_posts": ["description"],
    "uploads": ["filename"],
    "webhook_deliveries": ["response_body"],
    "webhook_endpoints": ["description", "disabled_reason"],
    "workspaces": ["name"],
}
IN_JSON = """
UPDATE slots SET content = content || jsonb_build_object('description', $1::text),
       download_issue = CASE WHEN download_issue IS NOT NULL
           THEN download_issue || jsonb_build_object('reason', $1::text) END
"""
WISHES = "UPDATE corrections SET fields = jsonb_build_object('description', $1::text)"


async def plant(conn: Connection) -> None:
    """Put markup into everything that somebody could have written."""
    async with conn.transaction():
        # Past the triggers: facts that are never changed are hostile from the beginning.
        await conn.execute("SET LOCAL session_replication_role = replica")
        for table, columns in FREE.items():
            wanted = ", ".join(f"{name} = left({name} || $1, 150)" for name in columns)
            await conn.execute(f"UPDATE {table} SET {wanted}", NASTY)
        await conn.execute(IN_JSON, NASTY)
        await conn.execute(WISHES, NASTY)


@pytest.mark.hazard(39)
async def test_nothing_that_somebody_wrote_is_markup_on_any_page(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    await plant(conn)
    shown: dict[str, int] = {}
    addresses: dict[str, list[str]] = {}
    for who in ("alice", "mona", "olga"):
        async with visiting(alice.address) as guest:
            found, broken = await pages_of(guest, who)
            assert broken == []
            addresses[who] = [one for pages in found.values() for one in pages]
            for address in addresses[who]:
                html = (await guest.get(address)).html
                assert "<img src=x" not in html, address
                assert "<script>alert" not in html, address
                assert "onerror=alert(1)>" not in html, address
                shown[address] = html.count("onerror=alert(1)&gt;")
    # It does stand on many of them, as text.
    assert sum(count > 0 for count in shown.values()) > 25
    async with chromium() as browser:
        opened: list[str] = []

        async def note(dialog: Dialog) -> None:
            opened.append(dialog.message)
            await dialog.dismiss()

        tab = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        tab.on("dialog", note)
        for address in addresses["alice"]:
            if shown[address]:
                await tab.goto(alice.address + address)
        assert opened == []
        assert "49" not in await tab.title()
