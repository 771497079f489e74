from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from playwright.async_api import expect

from tests.analytics.collecting import a_post, an_account, collect, comment, post, reading
from tests.analytics.plans import give_plan
from tests.cast import World
from tests.client import Client
from tests.console.addresses import console
from tests.console.browser import DESKTOP, chromium, signed_in
from tests.pages.guest import Guest, Seen, visiting
from tokportal_server.analytics.levels import Level
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection

DAY = timedelta(days=1)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account of Alice's with a post, read yesterday and the day before; the plan is full."""
    await give_plan(conn, world.acme, "full")
    made = await an_account(conn, world.acme)
    now = real_now()
    await a_post(conn, world.acme, made, "11111", published_at=now - 3 * DAY)
    for days, views in ((2, 1_000), (1, 4_321)):
        await collect(
            conn,
            world.acme,
            made,
            post("11111", description=HOSTILE, views=views, likes=50, comments=4, shares=1),
            at=now - days * DAY,
            profile=reading(followers=700 - days),
            comments=[
                comment(1, f"I love it {HOSTILE}", under="11111", posted_at=now - days * DAY),
                comment(2, "where did you buy this?", under="11111", posted_at=now - days * DAY),
            ],
        )
    return made


def inert(page: Seen) -> bool:
    """Say whether what people wrote is text in a page."""
    return "<script>alert" not in page.html and "<img src=x" not in page.html


@pytest.mark.usefixtures("account")
async def test_shows_totals_with_source_and_age_and_why_a_number_is_missing(
    customer: Guest, world: World
) -> None:
    page = await customer.get(console(world, "analytics"))
    assert page.status == 200
    assert "Views 4,321 +4,321 in this time" in page.text
    assert "Simulated, 24 h ago" in page.text
    assert "Bookmarks – The platform does not tell this number." in page.text  # noqa: RUF001
    assert 'class="chart-line"' in page.html
    assert inert(page)


@pytest.mark.usefixtures("account")
async def test_the_course_follows_metric_mode_and_granularity(
    customer: Guest, world: World
) -> None:
    page = await customer.get(
        console(world, "analytics?metric=likes&mode=gained&granularity=week&platform=tiktok")
    )
    assert "Likes gained each week" in page.text
    assert 'class="chart-bar"' in page.html
    # The other choices keep this one.
    links = re.findall(r'href="([^"]*metric=views[^"]*)"', page.html)
    assert links
    assert all("mode=gained" in link and "platform=tiktok" in link for link in links)


@pytest.mark.usefixtures("account")
async def test_a_filter_that_is_none_is_said_and_the_page_still_shown(
    customer: Guest, world: World
) -> None:
    page = await customer.get(console(world, f"analytics?account={uuid4()}"))
    assert page.status == 200
    assert "No account" in page.text
    page = await customer.get(console(world, "analytics?from=2026-02-02&to=2026-02-01"))
    assert "must not be after" in page.text


async def test_without_accounts_it_says_what_will_be_here(customer: Guest, world: World) -> None:
    page = await customer.get(console(world, "analytics"))
    assert "No account to count yet" in page.text


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("plan", "path", "needed"),
    [
        ("starter", "analytics", "Creator"),
        ("starter", "analytics/posts", "Creator"),
        ("starter", "analytics/reports", "Creator"),
        ("creator", "analytics/comments", "Full"),
    ],
)
async def test_says_which_plan_a_part_needs(
    customer: Guest, conn: Connection, world: World, plan: Level, path: str, needed: str
) -> None:
    await give_plan(conn, world.acme, plan)
    page = await customer.get(console(world, path))
    assert page.status == 200
    assert f"needs the plan {needed}, and this workspace has {plan.title()}" in page.text


async def test_an_account_has_its_rises_courses_and_posts(
    customer: Guest, world: World, account: UUID
) -> None:
    address = console(world, "analytics", "accounts", account)
    page = await customer.get(f"{address}?sort_by=views&sort_order=asc")
    assert "@acme.daily" in page.text
    assert "+4,321 in 7 days" in page.text
    assert page.html.count('<figure class="chart"') == 3
    assert inert(page)
    missing = await customer.get(console(world, "analytics", "accounts", uuid4()))
    assert missing.code == "PAGE_NOT_FOUND"


@pytest.mark.usefixtures("account")
async def test_posts_are_listed_and_kept_as_a_file(customer: Guest, world: World) -> None:
    page = await customer.get(console(world, "analytics", "posts"))
    assert "4,321" in page.text
    assert inert(page)
    content, headers = await customer.download(console(world, "analytics", "posts.csv"))
    assert headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["views"] for row in rows] == ["4321"]


@pytest.mark.usefixtures("account")
async def test_the_pulse_shows_moods_words_and_questions(customer: Guest, world: World) -> None:
    page = await customer.get(console(world, "analytics", "comments"))
    assert "Comments looked at: 2. Posts that they are under: 1." in page.text
    assert "where did you buy this?" in page.text
    assert "afinn-165-multilingual+emoji/1" in page.text
    assert inert(page)
    page = await customer.get(console(world, "analytics/comments?to=2020-01-01"))
    assert "No comments to look at" in page.text


@pytest.mark.usefixtures("account")
async def test_a_report_is_made_shown_once_and_revoked(customer: Guest, world: World) -> None:
    address = console(world, "analytics", "reports")
    await customer.get(address)
    made = await customer.post(
        address, {"title": "Launch", "template": "board", "brandAccent": "#e4572e", "from": ""}
    )
    assert made.status == 201
    (url,) = re.findall(r'data-copy="([^"]*/reports/[\w-]{64})"', made.html)
    seen = await customer.get(urlsplit(url).path)
    assert (seen.status, "Launch" in seen.text) == (200, True)
    listed = await customer.get(address)
    assert "Launch" in listed.text
    assert url.rpartition("/")[2] not in listed.html
    (revoke,) = re.findall(r'action="([^"]*/revoke)"', listed.html)
    assert (await customer.post(revoke)).to == f"{address}?done=report_revoked"
    assert (await customer.get(urlsplit(url).path)).status == 404
    assert "revoked" in (await customer.get(address)).text


@pytest.mark.usefixtures("account")
async def test_a_refused_report_says_what_is_wrong_beside_the_field(
    customer: Guest, world: World
) -> None:
    address = console(world, "analytics", "reports")
    await customer.get(address)
    page = await customer.post(
        address, {"brandAccent": "red", "from": "2026-02-02", "to": "2026-02-01", "title": "Mine"}
    )
    assert page.status == 400
    assert 'value="Mine"' in page.html
    assert "hexadecimal" in page.text


@pytest.mark.usefixtures("account")
async def test_the_preview_may_be_framed_by_us_alone_and_keeps_nothing(
    customer: Guest, conn: Connection, world: World
) -> None:
    page = await customer.get(
        console(world, "analytics/reports/preview?template=growth&brandAccent=%23112233&title=Try")
    )
    assert "Try" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert inert(page)
    assert await conn.fetchval("SELECT count(*) FROM analytics_reports") == 0


@pytest.mark.usefixtures("account")
async def test_a_viewer_looks_and_makes_no_reports(viewer: Guest, world: World) -> None:
    address = console(world, "analytics", "reports")
    page = await viewer.get(address)
    assert page.status == 200
    assert "New report" not in page.text
    assert (await viewer.post(address, {"title": "x"})).code == "PAGE_FORBIDDEN"
    assert (await viewer.get(f"{address}/preview")).code == "PAGE_FORBIDDEN"


async def test_a_stranger_sees_nothing(stranger: Guest, world: World, account: UUID) -> None:
    for path in ("analytics", f"analytics/accounts/{account}", "analytics/reports"):
        assert (await stranger.get(console(world, path))).code == "PAGE_NOT_FOUND"


@pytest.mark.usefixtures("account", "customer")
async def test_a_chart_is_read_with_keys_and_the_preview_follows_the_form(
    alice: Client, world: World
) -> None:
    async with chromium() as browser, visiting(alice.address):
        tab = await signed_in(browser, alice.address, "alice", size=DESKTOP)
        wrong: list[str] = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("dialog", lambda dialog: wrong.append(dialog.message))
        await tab.goto(alice.address + console(world, "analytics"))
        await tab.locator(".chart-plot svg").first.focus()
        await tab.keyboard.press("Home")
        await tab.keyboard.press("End")
        await tab.keyboard.press("ArrowLeft")
        await expect(tab.locator(".chart-tip").first).to_contain_text("4,321")

        await tab.goto(alice.address + console(world, "analytics", "reports"))
        await tab.get_by_label("Title").fill("Autumn")
        await tab.get_by_label("Minimal").check()
        heading = tab.frame_locator(".preview iframe").get_by_role("heading", level=1)
        await expect(heading).to_have_text("Autumn")
        assert wrong == []
