from __future__ import annotations

import csv
import io
from html import unescape

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console, made_from
from tests.orders.walk import (
    PROFILE,
    claimed,
    ordered,
    published,
    published_with_videos,
    video,
)
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

STATUS = "SELECT status FROM bundles WHERE id = $1"
PAUSE = """
INSERT INTO kill_switches (scope, subject_id, reason, set_by)
VALUES ('workspace', $1, 'Repairs.', $2)
"""
BALANCE = "SELECT sum(remaining) FROM credit_lots WHERE workspace_id = $1"
SETTINGS = "SELECT title, external_ref, auto_finalize_videos FROM bundles WHERE id = $1"


async def test_every_blocker_leads_to_the_form_that_clears_it(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = console(world, "bundles", bundle_id)
    assert f'href="{there}/profile"' in (await customer.get(there)).html
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video())
    error = {"code": "FETCH_FAILED", "message": "It gave a 404."}
    await conn.execute("UPDATE slots SET media_status = 'failed', media_error = $1", error)
    page = await customer.get(there)
    assert "It gave a 404." in page.text
    assert f'href="{there}/slots/1"' in page.html
    await conn.execute(PAUSE, world.acme, world.olga)
    page = await customer.get(there)
    assert "Repairs." in page.text
    assert "Cleared by: operator." in page.text


async def test_takes_a_published_bundle_back_until_a_manager_has_it(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await published(alice)
    there = console(world, "bundles", bundle_id)
    assert "it waits for a manager" in (await customer.get(there)).text
    assert (await customer.post(f"{there}/unpublish")).to == f"{there}?done=unpublished"
    assert await conn.fetchval(STATUS, bundle_id) == "pending_setup"
    await customer.post(f"{there}/publish")
    await claimed(conn, world, ports, bundle_id)
    refused = await customer.post(f"{there}/unpublish")
    assert refused.status == 409
    assert 'role="alert"' in refused.html


async def test_buys_more_slots_and_edits_at_the_price_that_was_shown(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = console(world, "bundles", bundle_id)
    await customer.get(there)
    before = await conn.fetchval(BALANCE, world.acme)
    more = {"what": "videos", "quantity": "3"}
    assert "In all 6 credits" in (await customer.post(f"{there}/more/price", more)).text
    assert await conn.fetchval(BALANCE, world.acme) == before
    assert (await customer.post(f"{there}/more", more)).to == f"{there}?done=added"
    assert await conn.fetchval(BALANCE, world.acme) == before - 6
    assert "Videos (4)" in (await customer.get(there)).text
    edits = await customer.post(f"{there}/more", {"what": "edits", "quantity": "5"})
    assert edits.status == 400
    assert 'id="more-quantity-wrong"' in edits.html
    assert (await customer.post(f"{there}/more", {"what": "edits", "quantity": "4"})).status == 303
    assert "0 of 4 edits are used." in (await customer.get(there)).text


async def test_changes_and_clears_names_and_the_kind_of_review(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1, title="Spring", external_ref="r-1")
    there = console(world, "bundles", bundle_id)
    form = f"{there}/settings"
    seen = made_from(await customer.get(there), form)
    fields = {"title": "", "external_ref": "r-2", "auto_finalize_videos": "false", "seen": seen}
    assert (await customer.post(form, fields)).to == f"{there}?done=saved"
    row = await conn.fetchrow(SETTINGS, bundle_id)
    assert row is not None
    assert tuple(row) == (None, "r-2", False)
    # Made from the page of before, with another title: both are shown.
    stale = await customer.post(form, {**fields, "external_ref": "r-3"})
    assert stale.status == 409
    assert "r-2" in stale.text
    await ordered(alice, videos=0, external_ref="taken")
    again = {**fields, "external_ref": "taken", "seen": made_from(stale, form)}
    taken = await customer.post(form, again)
    assert taken.status == 409
    assert 'id="settings-external_ref-wrong"' in taken.html


async def test_publishes_all_slots_that_are_ready(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    for position in (1, 2):
        await alice.post(f"/bundles/{bundle_id}/videos/{position}/unschedule")
    there = console(world, "bundles", bundle_id)
    assert "Publish 2 that are ready" in (await customer.get(there)).text
    assert (await customer.post(f"{there}/publish-slots")).status == 303
    assert await conn.fetchval("SELECT count(*) FROM slots WHERE status = 'published'") == 2


async def test_says_that_days_which_had_come_too_near_have_moved(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    await alice.put(f"/bundles/{bundle_id}/videos/1", video())
    await conn.execute("UPDATE slots SET media_status = 'ready', target_start = current_date")
    there = console(world, "bundles", bundle_id)
    assert "publishing moves it" in (await customer.get(there)).text
    done = await customer.post(f"{there}/publish")
    assert done.to == f"{there}?done=published_moved"
    assert "have moved" in (await customer.get(done.to)).text


async def test_what_has_ended_says_so_and_offers_nothing_more(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = console(world, "bundles", bundle_id)
    await customer.get(there)
    await customer.post(f"{there}/cancel")
    page = await customer.get(there)
    assert "This bundle was cancelled." in page.text
    assert f'action="{there}' not in page.html
    await conn.execute("UPDATE bundles SET status = 'archived'")
    assert "This bundle is archived" in (await customer.get(there)).text
    slot = await customer.get(f"{there}/slots/1")
    assert f'action="{there}' not in slot.html


async def test_many_slots_come_in_pages(alice: Client, world: World, customer: Guest) -> None:
    bundle_id = await ordered(alice, videos=130)
    there = console(world, "bundles", bundle_id)
    first = await customer.get(there)
    assert first.html.count("/slots/1") == 1 + 10  # 1 and 10 to 19
    assert "Page 1 of 3" in first.text
    last = await customer.get(f"{there}?slots=3")
    assert f'href="{there}/slots/130"' in last.html
    for odd in ("0", "99", "x", "-1"):
        assert (await customer.get(f"{there}?slots={odd}")).status == 200


async def test_a_reader_sees_everything_and_no_form(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    await conn.execute(
        "UPDATE workspace_members SET role = 'viewer' WHERE person_id = $1", world.alice
    )
    there = console(world, "bundles", bundle_id)
    for path in ("", "/profile", "/slots/1", "/csv"):
        page = await customer.get(f"{there}{path}")
        assert page.status == 200
        assert f'action="{there}' not in page.html, path
    listed = await customer.get(console(world, "bundles"))
    assert console(world, "new") not in listed.html
    assert (await customer.get(console(world, "new"))).code == "PAGE_FORBIDDEN"


async def test_the_filters_are_in_the_address_and_stay_on_the_next_page(
    alice: Client, world: World, customer: Guest
) -> None:
    for n in range(27):
        await ordered(alice, videos=0, platform="instagram", title=f"I{n}")
    await ordered(alice, videos=0, title="Elsewhere", external_ref="ref-1")
    page = await customer.get(console(world, "bundles?platform=instagram&country=USA"))
    assert "Elsewhere" not in page.text
    assert "platform=instagram&country=USA&page=2" in unescape(page.html)
    second = await customer.get(console(world, "bundles?platform=instagram&country=USA&page=2"))
    assert second.html.count('class="badge pending_setup"') == 2
    by_ref = await customer.get(console(world, "bundles?external_ref=ref-1"))
    assert by_ref.html.count('class="badge pending_setup"') == 1
    none = await customer.get(console(world, "bundles?external_ref=ref-2"))
    assert "No bundle fits." in none.text


async def test_finds_what_was_ordered_on_some_days(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    early = await ordered(alice, videos=0, title="Early")
    await ordered(alice, videos=0, title="Lately")
    await conn.execute(
        "UPDATE bundles SET created_at = '2026-01-31 23:59:59Z' WHERE id = $1", early
    )
    there = console(world, "bundles")
    january = await customer.get(f"{there}?first=2026-01-31&last=2026-01-31")
    assert "Early" in january.text
    assert "Lately" not in january.text
    assert 'value="2026-01-31"' in january.html
    since = await customer.get(f"{there}?first=2026-02-01")
    assert "Early" not in since.text
    assert "Lately" in since.text
    for odd in ("first=x", "last=2026-02-30", "first=9999-12-31", "last=9999-12-31"):
        assert "Early" in (await customer.get(f"{there}?{odd}")).text


async def test_a_list_is_downloaded_with_its_filters(
    alice: Client, charlie: Client, world: World, customer: Guest
) -> None:
    await ordered(alice, videos=2, title="=1+1")
    await ordered(alice, videos=0, platform="instagram", title="Picture")
    await ordered(charlie, videos=0, title="Foreign")
    page = await customer.get(console(world, "bundles?platform=tiktok"))
    where = console(world, "bundles.csv?platform=tiktok")
    assert f'href="{where}"' in page.html
    file = await customer.get(where)
    assert "filename*=UTF-8''bundles.csv" in file.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(file.html.removeprefix("\ufeff"))))
    assert [(row["title"], row["cost"]) for row in rows] == [("'=1+1", "29")]
    everything = (await customer.get(console(world, "bundles.csv"))).html
    assert "Picture" in everything
    assert "Foreign" not in everything
