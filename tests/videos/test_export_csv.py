"""What is exported is imported as the same slots."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cast import World
from tests.client import Client
from tests.orders.walk import in_days, ordered, video
from tests.videos.steps import enriched, imported, slots_of
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.videos.csv_columns import COLUMNS, CellError, read_cell, write_cell
from tokportal_server.videos.export_csv import export_csv
from tokportal_server.videos.wire import SlotContent

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
SPIKES = (*FORMULAS, "'", '"', ";", ",", "a", " ", "\r\n")
SPIKY = TEXT | st.builds("".join, st.lists(st.sampled_from(SPIKES)))
PROSE = SPIKY.filter(bool)
# What types and bounds leave to a slot; media are addresses, which have no blanks at their ends.
ADDRESS = st.builds(
    "https://e.example/{}".format, st.text(st.sampled_from("abc;\"',=+-@"), max_size=20)
)


def cells() -> st.SearchStrategy[dict[str, Any]]:
    """Give a slot's fields as columns have them."""
    number = st.none() | st.integers(0, 100)
    flag = st.none() | st.booleans()
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "position": st.integers(1, 1000),
        "video_type": st.sampled_from(["video", "carousel", "story"]),
        "target_publish_date": st.dates().map(lambda day: day.isoformat()),
        "carousel_images": st.lists(ADDRESS, min_size=1, max_size=4),
        "instagram_collaborators": st.lists(SPIKY, min_size=1, max_size=4),
        "instagram_content_type": st.sampled_from(["reel", "post"]),
        "volume_original_sound": number,
        "volume_added_sound": number,
        **dict.fromkeys(("video_url", "story_image_url", "story_repost_url"), ADDRESS),
        "tiktok_sound_url": ADDRESS,
        **dict.fromkeys(
            (
                "instagram_add_to_story",
                "ai_content_disclaimer",
                "disclose_as_ads",
                "instant_repost_as_story",
            ),
            flag,
        ),
    }
    return st.fixed_dictionaries({name: kinds.get(name, PROSE) for name in COLUMNS})


@given(cells())
def test_every_value_is_read_back_as_it_was(values: dict[str, Any]) -> None:
    target = io.StringIO()
    written = [write_cell(name, value) for name, value in values.items()]
    csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(written)
    target.seek(0)
    [line] = csv.reader(io.StringIO(target.getvalue(), newline=""), strict=True)
    read = {name: read_cell(name, cell) for name, cell in zip(values, line, strict=True)}
    assert read == values


@pytest.mark.hazard(39)
@given(PROSE)
def test_no_cell_opens_as_a_formula(text: str) -> None:
    assert not write_cell("description", text).startswith(FORMULAS)
    assert not write_cell("instagram_collaborators", [text, "b"]).startswith(FORMULAS)


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("carousel_images", " a ; b ;; ", ["a", "b"]),
        ("carousel_images", '"a;b"; "c""d"', ["a;b", 'c"d']),
        ("instagram_collaborators", '""', [""]),
        ("carousel_images", "  ", None),
        ("disclose_as_ads", " True ", True),
        ("disclose_as_ads", "0", False),
        ("volume_added_sound", "+7", 7),
        ("video_type", " video ", "video"),
        ("description", " two ", " two "),
        ("description", "''=x", "'=x"),
        ("description", "'quoted'", "'quoted'"),
    ],
)
def test_cells_are_read_kindly(column: str, cell: str, value: object) -> None:
    assert read_cell(column, cell) == value


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("carousel_images", '"open'),
        ("carousel_images", '"a"b'),
        ("disclose_as_ads", "yes"),
        ("volume_added_sound", "1.5"),
        ("volume_added_sound", "1e2"),
        ("volume_added_sound", "९"),
        ("position", "9" * 5000),
    ],
)
def test_cells_that_say_nothing_are_refused(column: str, cell: str) -> None:
    with pytest.raises(CellError):
        read_cell(column, cell)


def test_every_field_of_a_slot_has_a_column() -> None:
    fields = {field.name for field in msgspec.structs.fields(SlotContent)}
    assert fields <= set(COLUMNS)


async def exported(conn: Connection, workspace: UUID, bundle_id: str) -> bytes:
    """Give the whole file."""
    return b"".join(await export_csv(conn, workspace, UUID(bundle_id)))


async def test_a_bundles_export_makes_another_bundle_the_same(
    alice: Client, conn: Connection, world: World
) -> None:
    first = await ordered(alice, platform="instagram", videos=5, edits_quantity=2)
    items: list[dict[str, Any]] = [
        video(
            5,
            position=1,
            description='=1+1;"two",\r\nthree ',
            editing_instructions="@cut",
            instagram_collaborators=["a;b", " c ", 'd"e'],
            volume_added_sound=0,
            disclose_as_ads=False,
            name="'=n",
            external_ref="-7",
        ),
        video(
            6,
            position=3,
            video_type="carousel",
            video_url=None,
            carousel_images=["https://e.example/a;b?x=1,2", 'https://e.example/"c"'],
        ),
        video(
            6,
            position=4,
            video_type="story",
            description=None,
            story_repost_url="https://e.example",
        ),
    ]
    batch = await alice.put(f"/bundles/{first}/videos/batch", {"videos": items})
    assert batch.data["failed"] == []
    file = await exported(conn, world.acme, first)
    second = await ordered(alice, platform="instagram", videos=5, edits_quantity=2)
    reply = await imported(alice, second, file)
    assert (reply.data["imported"], reply.data["errors"]) == (3, [])
    own = {"id", "video_id", "bundle_id", "created_at", "updated_at"}
    before, after = await slots_of(alice, first), await slots_of(alice, second)
    assert [{k: v for k, v in slot.items() if k not in own} for slot in after] == [
        {k: v for k, v in slot.items() if k not in own} for slot in before
    ]
    assert await exported(conn, world.acme, second) == file
    assert file.startswith(b"\xef\xbb\xbf")


async def test_an_empty_bundle_has_a_header_that_can_be_sent_back(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice)
    file = await exported(conn, world.acme, bundle_id)
    assert file.count(b"\r\n") == 1
    assert (await imported(alice, bundle_id, file)).data["imported"] == 0
    with pytest.raises(BundleNotFoundError):
        await export_csv(conn, world.other, UUID(bundle_id))


async def test_a_thousand_rows_go_through_one_call(
    alice: Client, conn: Connection, world: World
) -> None:
    day = real_now().date()
    assert in_days(0) == day.isoformat()
    await enriched(conn, world)
    bundle_id = await ordered(alice, videos=500)
    assert (
        await alice.post(f"/bundles/{bundle_id}/add-video-slots", {"quantity": 500})
    ).status == 200
    head = ",".join(COLUMNS[:5])
    rows = [
        f"{n},video,Look {n},{day + timedelta(days=4 + n // 3)},https://e.example/{n}"
        for n in range(1, 1001)
    ]
    reply = await imported(alice, bundle_id, "\n".join([head, *rows]))
    assert (reply.data["imported"], reply.data["errors"]) == (1000, [])
    file = await exported(conn, world.acme, bundle_id)
    again = await imported(alice, bundle_id, file)
    assert (again.data["imported"], again.data["errors"]) == (1000, [])
