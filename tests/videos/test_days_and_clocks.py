"""Days are judged in UTC, whatever clocks say where the account is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered
from tests.videos.steps import URL
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.errors import InvalidDateError, VideosPerDayError
from tokportal_server.videos.operations.configure_slot import configure_slot
from tokportal_server.videos.schedule import Calendar, today, window_end
from tokportal_server.videos.wire import ConfigureVideoRequest

MOMENTS = [
    ("an ordinary noon", "2026-11-23T12:00:00", date(2026, 11, 23)),
    ("the last millisecond of a day", "2026-11-23T23:59:59.999", date(2026, 11, 23)),
    ("the first instant of the next", "2026-11-24T00:00:00", date(2026, 11, 24)),
    ("midnight in Paris, still the day before in UTC", "2026-11-23T23:00:00", date(2026, 11, 23)),
    ("evening in New York, the next day in UTC", "2026-11-24T01:00:00", date(2026, 11, 24)),
    ("before Paris sets its clocks back", "2026-10-25T00:59:59", date(2026, 10, 25)),
    ("after it has", "2026-10-25T01:00:00", date(2026, 10, 25)),
    ("midnight of that long day in Paris", "2026-10-24T22:00:00", date(2026, 10, 24)),
    ("its end in Paris", "2026-10-25T22:59:59", date(2026, 10, 25)),
    ("before New York sets its clocks back", "2026-11-01T05:59:59", date(2026, 11, 1)),
    ("after it has", "2026-11-01T06:00:00", date(2026, 11, 1)),
    ("before Paris sets its clocks forward", "2027-03-28T00:59:59", date(2027, 3, 28)),
    ("after it has", "2027-03-28T01:00:00", date(2027, 3, 28)),
    ("the hour that Paris skips, a day before", "2027-03-27T23:30:00", date(2027, 3, 27)),
    ("before New York sets its clocks forward", "2027-03-14T06:59:59", date(2027, 3, 14)),
    ("after it has", "2027-03-14T07:00:00", date(2027, 3, 14)),
    ("a leap day", "2028-02-29T23:59:59", date(2028, 2, 29)),
    ("the year's last second", "2026-12-31T23:59:59", date(2026, 12, 31)),
]


@pytest.mark.parametrize(("name", "moment", "day"), MOMENTS, ids=[m[0] for m in MOMENTS])
@pytest.mark.parametrize("lead", [1, 3])
def test_the_earliest_day_is_counted_from_the_day_in_utc(
    name: str, moment: str, day: date, lead: int
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    calendar, slot = Calendar([]), uuid4()
    earliest = day + timedelta(days=lead)
    assert today(now) == day, name
    calendar.check(slot, earliest, now=now, lead=lead)
    with pytest.raises(InvalidDateError) as refused:
        calendar.check(slot, earliest - timedelta(days=1), now=now, lead=lead)
    assert refused.value.details == {
        "field": "target_publish_date",
        "min_days_ahead": lead,
        "earliest_allowed": earliest.isoformat(),
    }
    assert window_end(earliest) == earliest + timedelta(days=1)


@pytest.mark.parametrize("country", ["FR", "USA"])
async def test_the_accounts_country_does_not_change_the_day(
    alice: Client, conn: Connection, world: World, ports: Ports, country: str
) -> None:
    bundle_id = UUID(await ordered(alice, country=country))
    for name, moment, day in MOMENTS:
        now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        for wanted, taken in ((day + timedelta(days=3), True), (day + timedelta(days=2), False)):
            request = ConfigureVideoRequest(
                video_type="video",
                description="Look.",
                target_publish_date=wanted,
                video_url=URL,
            )
            # A dry run leaves the slot as it was for the next moment.
            async with unit_of_work(conn, world.acme, now=now, dry_run=True) as tx:
                configuring = configure_slot(
                    tx=tx,
                    actor=Actor("customer", world.alice_key_id),
                    bundle_id=bundle_id,
                    position=1,
                    request=request,
                    source=MediaSource(alice.address, ports.outbound_policy),
                    rules=OrderRules.of(ports.settings),
                )
                if taken:
                    await configuring
                    continue
                with pytest.raises(InvalidDateError):
                    await configuring
                assert name


@pytest.mark.parametrize(
    ("taken", "wanted", "free"),
    [
        ([], 0, 0),
        ([0, 0], 0, 0),
        ([0, 0, 0], 0, 1),
        ([0, 0, 0, 1, 1, 1], 0, 2),
        ([0, 0, 0, 2, 2, 2], 0, 1),
        ([0, 0, 0, 1, 1], 0, 1),
        ([1, 1, 1], 0, 0),
    ],
)
def test_the_earliest_free_day_passes_over_full_ones(
    taken: list[int], wanted: int, free: int
) -> None:
    first = date(2026, 12, 1)
    calendar, slot = Calendar([]), uuid4()
    for days in taken:
        calendar.place(uuid4(), first + timedelta(days=days))
    at_least = first + timedelta(days=wanted)
    assert calendar.earliest_free(slot, at_least=at_least) == first + timedelta(days=free)


def test_a_slot_does_not_stand_in_its_own_way_and_gives_up_the_day_it_leaves() -> None:
    day, now = date(2026, 12, 1), datetime(2026, 11, 20, tzinfo=UTC)
    calendar, slots = Calendar([]), [uuid4() for _ in range(4)]
    for slot in slots[:3]:
        calendar.place(slot, day)
    calendar.check(slots[0], day, now=now, lead=3)
    with pytest.raises(VideosPerDayError) as refused:
        calendar.check(slots[3], day, now=now, lead=3, field="target_publish_start_date")
    assert refused.value.details == {
        "field": "target_publish_start_date",
        "date": "2026-12-01",
        "current_count": 3,
    }
    calendar.place(slots[0], day + timedelta(days=1))
    calendar.check(slots[3], day, now=now, lead=3)
