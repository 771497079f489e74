from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from html import unescape

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console
from tests.orders.walk import in_days, ordered, video, workable
from tests.pages.guest import Guest, Seen
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.stale import version_of

DAY = "SELECT target_start FROM slots WHERE bundle_id = $1 AND position = $2"
AHEAD = "UPDATE workspaces SET rehearsal = true, clock_offset = interval '40 days' WHERE id = $1"


def on(page: Seen, day: str) -> str:
    """Give what a calendar shows on a day."""
    found = re.search(rf'<td data-day="{day}".*?</td>', page.html, re.DOTALL)
    assert found is not None, day
    return unescape(found.group(0))


async def planned(alice: Client, *days: int, **more: object) -> str:
    """Order a bundle with a video on each of the days; give its id."""
    bundle_id = await ordered(alice, videos=len(days), **more)
    for position, day in enumerate(days, start=1):
        answer = await alice.put(f"/bundles/{bundle_id}/videos/{position}", video(day))
        assert answer.status == 200, answer
    return bundle_id


async def test_a_slot_stands_on_the_first_of_its_days_with_its_status_in_words(
    alice: Client, world: World, customer: Guest
) -> None:
    # Two days of one week, whatever day it is.
    first = 6 if date.fromisoformat(in_days(5)).weekday() == calendar.SUNDAY else 5
    await planned(alice, first, first + 1, title="Spring")
    page = await customer.get(console(world, f"calendar?week={in_days(first)}"))
    assert page.html.count("<td data-day=") == 7
    told = on(page, in_days(first))
    assert "Spring · video 1" in told
    assert "configured" in told
    assert "Look at this." in told
    assert "Spring · video 1" not in on(page, in_days(first + 1))
    assert "Spring · video 2" in on(page, in_days(first + 1))
    month = await customer.get(console(world, f"calendar?month={in_days(first)[:7]}"))
    assert "Spring · video 1" in on(month, in_days(first))


async def test_a_month_is_whole_weeks_and_what_is_no_date_means_today(
    world: World, customer: Guest
) -> None:
    page = await customer.get(console(world, "calendar?month=2026-02"))
    # February 2026 begins on a Sunday: five rows, from Monday 26 January to Sunday 1 March.
    days = re.findall(r'data-day="([0-9-]+)"', page.html)
    assert (len(days), days[0], days[-1]) == (35, "2026-01-26", "2026-03-01")
    assert "February 2026" in page.text
    for odd in ("month=2026-13", "month=x", "week=never", "week=0001-01-01", "week=9999-12-31"):
        assert (await customer.get(console(world, f"calendar?{odd}"))).status == 200
    assert real_now().strftime("%Y-%m-%d") in (await customer.get(console(world, "calendar"))).html


async def test_today_is_that_of_the_workspaces_clock(
    conn: Connection, world: World, customer: Guest
) -> None:
    await conn.execute(AHEAD, world.acme)
    page = await customer.get(console(world, "calendar"))
    there = (real_now() + timedelta(days=40)).date().isoformat()
    assert "today" in on(page, there)


async def test_a_calendar_of_one_bundle_shows_that_one(
    alice: Client, charlie: Client, world: World, customer: Guest
) -> None:
    one = await planned(alice, 5, title="Spring")
    await planned(alice, 5, title="Summer")
    page = await customer.get(console(world, f"calendar?week={in_days(5)}&bundle={one}"))
    assert "Spring" in page.text
    assert "Summer" not in page.text
    foreign = await ordered(charlie, videos=1)
    for absent in (foreign, "x"):
        seen = await customer.get(console(world, f"calendar?bundle={absent}"))
        assert seen.code == "PAGE_NOT_FOUND"


async def test_moves_a_slot_and_comes_back_to_the_same_days(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await planned(alice, 5)
    view = f"week={in_days(5)}"
    page = await customer.get(console(world, f"calendar?{view}"))
    move = console(world, "bundles", bundle_id, "slots", 1, "day")
    assert f'data-move="{move}"' in page.html
    seen = version_of({"target_publish_date": in_days(5)})
    assert seen in unescape(page.html)
    fields = {"target_publish_date": in_days(6), "seen": seen, "calendar": view}
    done = await customer.post(move, fields)
    assert done.to == f"{console(world, 'calendar')}?{view}&done=moved"
    day = await conn.fetchval(DAY, bundle_id, 1)
    assert day.isoformat() == in_days(6)
    # Somebody else has moved it meanwhile.
    stale = await customer.post(move, {**fields, "target_publish_date": in_days(8)})
    assert stale.status == 409
    assert in_days(6) in stale.text
    # Where a move comes back to is a view of the calendar and nothing else.
    odd = {**fields, "seen": version_of({"target_publish_date": in_days(6)}), "calendar": "//x.y"}
    assert (await customer.post(move, {**odd, "target_publish_date": in_days(7)})).to.startswith(
        console(world, "bundles", bundle_id, "slots", 1)
    )


async def test_a_move_is_refused_by_the_rules_of_dates_and_says_why(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await planned(alice, 5, 5, 5, 6)
    await customer.get(console(world, "calendar"))
    full = console(world, "bundles", bundle_id, "slots", 4, "day")
    seen = version_of({"target_publish_date": in_days(6)})
    refused = await customer.post(full, {"target_publish_date": in_days(5), "seen": seen})
    assert refused.status in {400, 409}
    assert "already has 3 videos" in refused.text
    soon = await customer.post(full, {"target_publish_date": in_days(0), "seen": seen})
    assert "is too soon" in soon.text
    assert (await conn.fetchval(DAY, bundle_id, 4)).isoformat() == in_days(6)


async def test_a_slot_in_review_is_shown_and_cannot_be_moved(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute("UPDATE slots SET status = 'in_review'")
    day = await conn.fetchval(DAY, bundle_id, 1)
    page = await customer.get(console(world, f"calendar?week={day}"))
    assert "in review" in on(page, day.isoformat())
    assert "draggable" not in page.html
    move = console(world, "bundles", bundle_id, "slots", 1, "day")
    seen = version_of({"target_publish_date": day.isoformat()})
    refused = await customer.post(move, {"target_publish_date": in_days(9), "seen": seen})
    assert refused.status == 400
    assert "in_review" in refused.text


async def test_a_reader_sees_the_days_and_drags_nothing(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    await planned(alice, 5, title="Spring")
    await conn.execute(
        "UPDATE workspace_members SET role = 'viewer' WHERE person_id = $1", world.alice
    )
    page = await customer.get(console(world, f"calendar?week={in_days(5)}"))
    assert "Spring" in page.text
    assert "draggable" not in page.html
