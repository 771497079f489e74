from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from tests.accounts.revealing import audited, code_entered, fee_set, owned
from tests.cast import World
from tests.client import Client
from tests.conftest import free_port, serving
from tests.console.browser import PHONE, chromium, signed_in
from tests.console.test_orders import console
from tests.pages.guest import Guest, Seen, give_passwords, visiting
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings

REQUESTS = "SELECT status, requested_visible_name FROM edit_requests"
ENDS = "SELECT consent_ends_at FROM saved_accounts"
BAN = """
INSERT INTO account_bans (workspace_id, id, saved_account_id, reason, bundles_cancelled,
                          credits_refunded, banned_at)
SELECT workspace_id, $2, id, 'spam', '{}', 7, now() FROM saved_accounts WHERE id = $1
"""


@pytest.fixture
async def account(alice: Client, conn: Connection, world: World, ports: Ports) -> UUID:
    """A delivered account whose secrets are planted."""
    return await owned(alice, conn, world, ports)


def terms_of(seen: Seen) -> dict[str, str]:
    """Give what agrees to the terms that a page shows."""
    found = re.search(r'name="policy_version" value="([^"]+)"', seen.html)
    assert found, seen.text
    return {"policy_version": found.group(1), "agreed": "true"}


async def test_lists_accounts_by_the_filters_and_says_what_to_do_when_there_are_none(
    customer: Guest, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    there = console(world, "accounts")
    assert "No account yet" in (await customer.get(there)).text
    await owned(alice, conn, world, ports)
    assert "@acme.daily" in (await customer.get(there)).text
    for query, is_there in {
        "?platform=tiktok&country=USA": True,
        "?platform=instagram": False,
        "?country=FR": False,
        "?banned=true": False,
        "?banned=false": True,
        # What is no filter, or no value of it, filters nothing.
        "?banned=maybe&page=-1&odd=1": True,
    }.items():
        seen = await customer.get(there + query)
        assert seen.status == 200
        assert ("@acme.daily" in seen.text) is is_there, query


async def test_reveals_the_credentials_on_demand_only_and_notes_it(
    customer: Guest, conn: Connection, world: World, account: UUID
) -> None:
    there = console(world, "accounts", account)
    seen = await customer.get(there)
    assert "It costs nothing" in seen.text
    assert "planted" not in seen.html
    shown = await customer.post(f"{there}/reveal")
    assert shown.status == 200
    assert "planted-password" in shown.text
    assert "planted-recovery-2" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert (await customer.get(f"{there}/reveal")).status == 404
    assert [action for action, _ in await audited(conn, world)] == ["account.reveal"]
    assert "planted" not in (await customer.get(there)).html


async def test_a_fee_is_named_agreed_to_and_charged_once(
    customer: Guest, alice: Client, conn: Connection, world: World, account: UUID
) -> None:
    await fee_set(conn, world, 15)
    there = console(world, "accounts", account)
    seen = await customer.get(there)
    assert "15 credits are charged once" in seen.text
    refused = await customer.post(f"{there}/reveal")
    assert refused.status == 402
    assert "planted" not in refused.html
    stale = await customer.post(f"{there}/reveal", {"policy_version": "open-1", "agreed": "true"})
    assert stale.status == 409
    before = (await alice.get("/credits/balance")).data["credits"]
    shown = await customer.post(f"{there}/reveal", terms_of(seen))
    assert "15 credits were charged" in shown.text
    assert (await customer.post(f"{there}/reveal")).status == 200
    assert (await alice.get("/credits/balance")).data["credits"] == before - 15


async def test_shows_the_newest_code_and_waits_when_there_is_none(
    customer: Guest, conn: Connection, world: World, ports: Ports, account: UUID
) -> None:
    there = console(world, "accounts", account, "codes")
    empty = await customer.get(there)
    assert "No code has come." in empty.text
    assert "data-waiting" in empty.html
    none = await customer.post(there)
    assert none.status == 404
    assert "No code for account" in none.text
    await code_entered(conn, world, ports, account, "111111", hours=-1)
    assert "Nothing in the last 30 minutes" in (await customer.get(there)).text
    await code_entered(conn, world, ports, account, "482913")
    listed = await customer.get(there)
    assert "just now" in listed.text
    assert "482913" not in listed.html
    shown = await customer.post(there)
    assert "482913" in shown.text
    assert "no-reply@platform.example" in shown.text
    told = [action for action, _ in await audited(conn, world)]
    assert told[-1] == "account.read_code"


async def test_a_code_that_comes_is_seen_without_asking_again(
    alice: Client, conn: Connection, world: World, ports: Ports, account: UUID
) -> None:
    await give_passwords(conn, world.alice)
    async with chromium() as browser:
        tab = await signed_in(browser, alice.address, "alice", size=PHONE)
        await tab.goto(alice.address + console(world, "accounts", account, "codes"))
        await expect(tab.get_by_text("No code has come.")).to_be_visible()
        await code_entered(conn, world, ports, account, "482913")
        await expect(tab.get_by_text("just now")).to_be_visible(timeout=30_000)
        await tab.get_by_role("button", name="Show the newest code").click()
        await expect(tab.get_by_text("482913")).to_be_visible()


async def test_a_change_is_priced_first_then_asked_for(
    customer: Guest, alice: Client, conn: Connection, world: World, account: UUID
) -> None:
    there = console(world, "accounts", account)
    form = {"requested_username": "acme.weekly", "requested_visible_name": "Acme Weekly"}
    priced = await customer.post(f"{there}/edits", {**form, "step": "price"})
    assert "This costs 8 credits" in priced.text
    assert 'value="Acme Weekly"' in priced.html
    assert await conn.fetch(REQUESTS) == []
    wrong = await customer.post(
        f"{there}/edits", {**form, "requested_username": "a b", "step": "x"}
    )
    assert wrong.status == 400
    assert 'id="edit-requested_username-wrong"' in wrong.html
    before = (await alice.get("/credits/balance")).data["credits"]
    ask = {**form, "step": "ask", "once": "a-word"}
    for _ in range(2):
        asked = await customer.post(f"{there}/edits", ask)
        assert asked.to == f"{there}?done=edit_asked"
    assert (await alice.get("/credits/balance")).data["credits"] == before - 8
    seen = await customer.get(there)
    assert "waits for the manager" in seen.text
    twice = await customer.post(f"{there}/edits", {**ask, "once": "another"})
    assert twice.status == 409


async def test_consent_is_noted_and_taken_back_with_what_stands_still(
    customer: Guest, conn: Connection, world: World, account: UUID
) -> None:
    there = console(world, "accounts", account)
    past = str((real_now() - timedelta(days=3)).date())
    for form in (
        {"owner_name": "", "scope": "Posts"},
        {"owner_name": "D", "scope": "P", "valid_until": past},
    ):
        assert (await customer.post(f"{there}/consent", form)).status == 400
    last_day = str((real_now() + timedelta(days=10)).date())
    given = {"owner_name": "Dora", "scope": "Posts in spring", "valid_until": last_day}
    assert "done=consent_noted" in (await customer.post(f"{there}/consent", given)).to
    assert (await conn.fetchval(ENDS)).date() == (real_now() + timedelta(days=11)).date()
    seen = await customer.get(there)
    assert "Posts in spring" in seen.text
    assert "0 open bundles stand still" in seen.text
    assert (await customer.post(f"{there}/consent/revoke", {"reason": ""})).status == 400
    gone = await customer.post(f"{there}/consent/revoke", {"reason": "She said so"})
    assert "done=consent_revoked" in gone.to
    after = await customer.get(there)
    assert "It cannot take new work" in after.text
    assert "She said so" in after.text
    acts = [action for action, _ in await audited(conn, world)]
    assert acts == ["account.record_consent", "account.revoke_consent"]


async def test_a_ban_stands_in_its_list_and_on_the_account(
    customer: Guest, conn: Connection, world: World, account: UUID
) -> None:
    assert "No account is banned" in (await customer.get(console(world, "bans"))).text
    await conn.execute(BAN, account, uuid4())
    listed = await customer.get(console(world, "bans"))
    assert "spam" in listed.text
    assert str(account) in listed.html
    seen = await customer.get(console(world, "accounts", account))
    assert "7 credits were given back" in seen.text


async def test_a_viewer_sees_facts_without_forms_and_a_stranger_nothing(
    viewer: Guest, stranger: Guest, world: World, account: UUID
) -> None:
    there = console(world, "accounts", account)
    for where in (there, f"{there}/codes"):
        seen = await viewer.get(where)
        assert "@acme.daily" in seen.text
        assert 'method="post" action="/console' not in seen.html
        assert (await stranger.get(where)).status == 404
        assert (await stranger.get(where.replace(str(world.acme), str(world.other)))).status == 404
    for act in ("reveal", "codes", "edits", "consent", "consent/revoke"):
        assert (await viewer.post(f"{there}/{act}")).code == "PAGE_FORBIDDEN"
        other = f"/console/{world.other}/accounts/{account}/{act}"
        assert (await stranger.post(other)).status == 404


async def test_where_a_reveal_ends_the_management_it_says_so_and_wants_agreement(
    conn: Connection, settings: Settings, world: World, account: UUID
) -> None:
    await give_passwords(conn, world.alice)
    strict = replace(settings, reveal_policy="acknowledge", port=free_port())
    async with serving(strict) as address, visiting(address) as alice:
        await alice.sign_in("alice")
        there = console(world, "accounts", account)
        seen = await alice.get(there)
        assert "Management of the account ends" in seen.text
        assert (await alice.post(f"{there}/reveal")).status == 428
        shown = await alice.post(f"{there}/reveal", terms_of(seen))
        assert "planted-password" in shown.text
        after = await alice.get(there)
        assert "on its own" in after.text
        assert "It cannot take new work" in after.text
