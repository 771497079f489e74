"""A CSV configures slots row by row; a file that is no such table changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.lib.hostile_urls import HOSTILE, SPELLINGS
from tests.lib.memory import PeakMemory
from tests.orders.walk import events_of, in_days, ordered, published, uploaded, working
from tests.videos.steps import HEAD, URL, enriched, imported, slots_of
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.settings import Settings
from tokportal_server.videos.csv_sheet import read_sheet
from tokportal_server.workbench.doctor import examine

DAY = in_days(5)
MIB = 1 << 20
BLOCKED = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def row(position: object, *, description: str = "Look.", day: str = DAY, url: str = URL) -> str:
    """Give a row under ``HEAD``."""
    return f"{position},video,{description},{day},{url}"


def sheet(*rows: str) -> str:
    """Give a file with the columns of ``HEAD``."""
    return "\n".join([HEAD, *rows]) + "\n"


async def test_every_row_configures_its_slot(alice: Client, conn: Connection, world: World) -> None:
    bundle_id = await ordered(alice, platform="instagram", videos=3, edits_quantity=1)
    path = await uploaded(conn, world.acme, bundle_id)
    csv = (
        "Position,video_type,description,target_publish_date,video_url,carousel_images,"
        "carousel_title,story_image_url,story_repost_url,instagram_content_type,"
        "instagram_location,instagram_collaborators,instagram_audio_name,instagram_add_to_story,"
        "editing_instructions,external_ref,name,ai_content_disclaimer,disclose_as_ads,"
        "volume_original_sound,volume_added_sound,instant_repost_as_story\r\n"
        f'3,carousel,"Two, ""three""",{in_days(6)},,{URL} ; https://e.example/b;,Title,,,,,,,,,'
        ",,,,,,\r\n"
        f"1,video,Look.,{DAY},{path},,,,,reel,Paris,al;bo,song,TRUE,Cut.,ref-1,One,1,0,100, 0 ,"
        "false\r\n"
        f"2,story,,{DAY},,,,https://e.example/c.png,https://www.instagram.com/s/1,,,,,,,,,,,,,\r\n"
    )
    reply = await imported(alice, bundle_id, csv)
    assert (reply.status, reply.data) == (
        200,
        {"imported": 3, "skipped": 0, "errors": [], "adjusted_videos": []},
    )
    assert reply.json["cost_breakdown"] == {"sound_volume": 1, "story_repost": 1}
    one, two, three = await slots_of(alice, bundle_id)
    wanted: dict[str, Any] = {
        "video_url": path,
        "instagram_content_type": "reel",
        "instagram_location": "Paris",
        "instagram_collaborators": ["al", "bo"],
        "instagram_audio_name": "song",
        "instagram_add_to_story": True,
        "editing_instructions": "Cut.",
        "external_ref": "ref-1",
        "name": "One",
        "ai_content_disclaimer": True,
        "disclose_as_ads": False,
        "volume_original_sound": 100,
        "volume_added_sound": 0,
        "instant_repost_as_story": False,
        "media_status": "ready",
        "target_publish_start_date": DAY,
    }
    assert {name: one[name] for name in wanted} == wanted
    assert (two["story_image_url"], two["description"]) == ("https://e.example/c.png", None)
    assert three["description"] == 'Two, "three"'
    assert three["carousel_images"] == [URL, "https://e.example/b"]
    assert three["media_status"] == "fetching"
    told = await events_of(conn, world, "video.configured")
    assert [event["data"]["position"] for event in told] == [1, 2, 3]


@pytest.mark.hazard(38)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
async def test_spreadsheets_write_tables_in_several_ways(
    alice: Client, mark: str, delimiter: str, newline: str
) -> None:
    bundle_id = await ordered(alice)
    text = sheet(row(1), row(2, description="Noch ein Süßes"))
    reply = await imported(
        alice, bundle_id, mark + text.replace(",", delimiter).replace("\n", newline)
    )
    assert (reply.data["imported"], reply.data["errors"]) == (2, [])
    assert (await slots_of(alice, bundle_id))[1]["description"] == "Noch ein Süßes"


@pytest.mark.hazard(38)
async def test_rows_are_counted_as_a_spreadsheet_shows_them(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=3)
    reply = await imported(
        alice,
        bundle_id,
        sheet(
            row(1, description='"Three\r\nlines\nin a cell"'),
            "",
            " , ,,,",
            row(2, day=in_days(0)),
            row(3, url=""),
            row(77),
            row("one"),
            row(""),
            row(0) + ",extra",
        ),
    )
    assert (reply.data["imported"], reply.data["skipped"]) == (1, 2)
    assert [(e["row"], e["field"], e["code"]) for e in reply.data["errors"]] == [
        (5, "target_publish_date", "INVALID_DATE"),
        (6, "video_url", "VALIDATION_ERROR"),
        (7, "position", "VIDEO_NOT_FOUND"),
        (8, "position", "VALIDATION_ERROR"),
        (9, "position", "VALIDATION_ERROR"),
        (10, None, "VALIDATION_ERROR"),
        (10, "position", "VALIDATION_ERROR"),
    ]
    assert (await slots_of(alice, bundle_id))[0]["description"] == "Three\r\nlines\nin a cell"


async def test_a_row_tells_everything_that_is_wrong_with_it(alice: Client) -> None:
    bundle_id = await ordered(alice)
    head = HEAD + ",disclose_as_ads,volume_added_sound,carousel_images,instagram_collaborators"
    reply = await imported(
        alice, bundle_id, f'{head}\n1,film,,tomorrow,,yes,loud,"""open",\n2,,,,,,101,,\n'
    )
    assert (reply.data["imported"], reply.json["credits_charged"]) == (0, 0)
    told = {(e["row"], e["field"]) for e in reply.data["errors"]}
    assert told == {
        (2, "video_type"),
        (2, "target_publish_date"),
        (2, "disclose_as_ads"),
        (2, "volume_added_sound"),
        (2, "carousel_images"),
        (3, "video_type"),
        (3, "target_publish_date"),
        (3, "volume_added_sound"),
    }


async def test_the_date_may_have_its_other_name(alice: Client) -> None:
    bundle_id = await ordered(alice)
    head = HEAD.replace("target_publish_date", "target_publish_start_date")
    reply = await imported(alice, bundle_id, f"{head}\n{row(1)}\n{row(2, day=in_days(1))}\n")
    assert reply.data["imported"] == 1
    assert [e["field"] for e in reply.data["errors"]] == ["target_publish_start_date"]


@pytest.mark.hazard(38)
async def test_what_looks_like_a_formula_is_text(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=3)
    formula = '=HYPERLINK(""http://e.example"",""x"")'
    csv = sheet(row(1, description=f'"{formula}"'), row(2, description="'=1+1"), row(3))
    assert (await imported(alice, bundle_id, csv)).data["imported"] == 3
    told = [slot["description"] for slot in await slots_of(alice, bundle_id)]
    assert told == [formula.replace('""', '"'), "=1+1", "Look."]


REFUSED: list[tuple[str | bytes, str]] = [
    ("", "is empty"),
    ("\n\n", "missing"),
    (row(1), "unknown column"),
    (HEAD + ",colour\n", "'colour'; known are position, video_type"),
    (HEAD + ",name,,name\n", "unknown column(s) ''"),
    (HEAD + ",name, Name\n", "column name is there twice"),
    (HEAD + ",target_publish_start_date\n", "column target_publish_date is there twice"),
    ("video_type,description\n", "column position is missing"),
    ("position,name\n", "column video_type is missing"),
    (sheet(row(1), row(2), row(1)), "row 4: position 1 is in row 2 already"),
    (sheet(row(1), '2,video,"open'), "row 3: cannot be read as CSV"),
    (sheet(row(1), '2,video,"shut"x'), "row 3: cannot be read as CSV"),
    (sheet(row(1, description="a\0b")), "U+0000"),
    (sheet(row(1, description="café")).encode("latin-1"), "UTF-8"),
    (sheet(row(1, description="é")).encode() + "2,é".encode("latin-1"), "UTF-8"),
    (sheet(row(1)).encode("utf-16"), "UTF-8"),
    (sheet(*(row(n + 1) for n in range(1001))), "row 1002: a file may have 1000 rows"),
    (sheet(row(1, description="x" * 140_000)), "row 2: cannot be read as CSV"),
    (sheet(row(1, description='"' + "x" * MIB + '"')), "a line of"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "UTF-8"),
]


@pytest.mark.hazard(38)
async def test_a_file_that_is_no_such_table_is_refused_and_changes_nothing(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice)
    for content, part in REFUSED:
        reply = await imported(alice, bundle_id, content)
        assert (reply.status, reply.code) == (400, "VALIDATION_ERROR"), content[:80]
        assert {problem["field"] for problem in reply.details["errors"]} == {"file"}
        assert part in str(reply.details["errors"]), content[:80]
    assert await conn.fetchval("SELECT count(*) FROM media") == 0


async def test_a_form_without_a_file_or_with_unknown_fields_is_refused(alice: Client) -> None:
    bundle_id = await ordered(alice)
    no_file = await imported(alice, bundle_id, sheet(row(1)), surprise="1")
    assert (no_file.code, no_file.details["fields"]) == ("UNKNOWN_FIELD", ["surprise"])
    bad = await imported(alice, bundle_id, sheet(row(1)), auto_publish="perhaps")
    assert bad.problems.keys() == {"auto_publish"}
    as_json = await alice.post(f"/bundles/{bundle_id}/videos/import-csv", {"file": "x"})
    assert as_json.code == "UNSUPPORTED_CONTENT_TYPE"


HOSTILE_FILES = {
    "a cell of 10 MB": sheet(row(1, description="x" * (10 * MIB))).encode(),
    "one of 10 MB in quotes, on many lines": sheet('1,video,"' + "x\n" * 5 * MIB).encode(),
    "a million rows": HEAD.encode() + b"\n1,a" * 1_000_000,
    "a million cells": b"," * 1_000_000,
    "a million blank rows": (HEAD + "\n" * MIB).encode(),
    "a quote that never closes": sheet('1,video,"').encode() + b"\n," * 2_000_000,
    "other bytes after a million good ones": sheet(*["," * 100] * 10_000).encode() + b"\xff",
    "a NUL after a million good bytes": sheet(*["," * 100] * 10_000).encode() + b"\0",
}


@pytest.mark.hazard(38)
@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_hostile_files_are_refused_in_flat_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "slots.csv"
    path.write_bytes(HOSTILE_FILES[name])
    with PeakMemory() as memory, pytest.raises(ValidationError):
        read_sheet(path, auto_publish=None)
    assert memory.growth < 16 * MIB, memory.growth


async def test_a_file_over_the_limit_is_refused_while_it_arrives(alice: Client) -> None:
    bundle_id = await ordered(alice)
    reply = await imported(alice, bundle_id, sheet(row(1)) + "\n" * 5_000_000)
    assert (reply.status, reply.code) == (400, "FILE_TOO_LARGE")
    assert "5 MB and 1000 rows" in reply.json["error"]["message"]


async def test_credits_go_to_the_first_positions(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=3)
    left = (await alice.get("/credits/balance")).data["credits"]
    await conn.execute("INSERT INTO prices (name, amount) VALUES ('sound_volume', $1)", left)
    csv = f"{HEAD},volume_added_sound\n{row(3)},1\n{row(2)},\n{row(1)},1\n"
    reply = await imported(alice, bundle_id, csv)
    assert (reply.data["imported"], reply.json["credits_charged"]) == (2, left)
    [short] = reply.data["errors"]
    assert (short["row"], short["field"], short["code"]) == (2, None, "INSUFFICIENT_CREDITS")
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_auto_publish_publishes_and_tells_a_refusal(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=2)
    path = await uploaded(conn, world.acme, bundle_id)
    csv = sheet(row(1, url=path), row(2))
    reply = await imported(alice, bundle_id, csv, auto_publish="TRUE")
    assert (reply.data["imported"], reply.data["errors"]) == (2, [])
    slots = await slots_of(alice, bundle_id)
    assert [slot["status"] for slot in slots] == ["published", "configured"]
    assert slots[1]["publish_when_ready"] is True

    fresh = await published(alice, videos=1)
    await imported(alice, fresh, sheet(row(1, url=path)))
    await conn.execute(
        "UPDATE slots SET target_start = current_date + 1 WHERE bundle_id = $1", UUID(fresh)
    )
    kept = sheet(row(1, url=path, day=in_days(1)))
    reject = {"X-TokPortal-Stale-Dates": "reject"}
    reply = await imported(alice, fresh, kept, headers=reject, auto_publish="1")
    assert reply.data["imported"] == 1
    assert [(e["row"], e["field"], e["code"]) for e in reply.data["errors"]] == [
        (2, "auto_publish", "STALE_DATES")
    ]
    moved = await imported(alice, fresh, kept, auto_publish="1")
    assert [v["new_date"] for v in moved.data["adjusted_videos"]] == [in_days(3)]


@pytest.mark.hazard(38)
async def test_a_thousand_dead_addresses_are_accepted_and_left_to_jobs(
    alice: Client, conn: Connection, world: World
) -> None:
    await enriched(conn, world)
    bundle_id = await ordered(alice, videos=500)
    more = await alice.post(f"/bundles/{bundle_id}/add-video-slots", {"quantity": 500})
    assert more.status == 200
    rows = [
        row(n + 1, day=in_days(5 + n // 3), url=f"https://dead.example/{n}") for n in range(1000)
    ]
    reply = await imported(alice, bundle_id, sheet(*rows))
    assert (reply.data["imported"], reply.data["errors"]) == (1000, [])
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 1000
    assert [f for f in await examine(conn) if f.contradictions] == []


@pytest.mark.hazard(20)
async def test_no_hostile_address_is_accepted_as_media(
    settings: Settings, world: World, conn: Connection
) -> None:
    spelled = [url for url in SPELLINGS if url.strip() == url != "" and url.isprintable()]
    dialled = [f"https://{f'[{a}]' if ':' in a else a}/a.mp4" for a in HOSTILE]
    urls = [*dialled, *spelled]
    assert len(dialled) >= 42
    assert len(spelled) >= 21
    strict = msgspec.structs.replace(settings, webhooks_allow_loopback=False)
    async with serving(strict) as address, Client(address, world.alice_key) as alice:
        bundle_id = await ordered(alice, videos=len(urls))
        quoted = ['"' + url.replace('"', '""') + '"' for url in urls]
        rows = [row(n, day=in_days(5 + n // 3), url=url) for n, url in enumerate(quoted, start=1)]
        reply = await imported(alice, bundle_id, sheet(*rows))
    assert reply.data["imported"] == 0
    assert [(e["row"], e["field"]) for e in reply.data["errors"]] == [
        (n, "video_url") for n in range(2, len(urls) + 2)
    ]
    assert await conn.fetchval("SELECT count(*) FROM media") == 0
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 0


@pytest.mark.hazard(38)
async def test_a_call_that_dies_in_the_middle_leaves_nothing_and_can_be_repeated(
    alice: Client, conn: Connection, database: Database, world: World
) -> None:
    bundle_id = await ordered(alice, videos=3)
    csv = f"{HEAD},volume_added_sound\n" + "".join(f"{row(n)},1\n" for n in (1, 2, 3))
    key = {"Idempotency-Key": "csv-1"}
    tables = ("media", "pgqueuer", "slot_options", "credit_entries", "journal", "events")
    before = [await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    # The import stands still where it pays, with the media of all three slots replaced.
    async with database.connection() as other, other.transaction():
        await other.execute("SELECT 1 FROM wallets WHERE workspace_id = $1 FOR UPDATE", world.acme)
        call = asyncio.create_task(imported(alice, bundle_id, csv, headers=key))
        while not (blocked := await conn.fetchval(BLOCKED)):
            assert not call.done()
        await conn.execute("SELECT pg_terminate_backend($1)", blocked)
        died = await call
    assert (died.status, died.code) == (503, "SERVICE_UNAVAILABLE")
    after = [await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    assert after == before
    assert {slot["status"] for slot in await slots_of(alice, bundle_id)} == {"pending"}
    again = await imported(alice, bundle_id, csv, headers=key)
    assert (again.data["imported"], again.json["credits_charged"]) == (3, 3)
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 3
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_the_same_idempotency_key_imports_and_buys_once(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice)
    csv = f"{HEAD},volume_added_sound\n{row(1)},1\n"
    key = {"Idempotency-Key": "csv-1"}
    first = await imported(alice, bundle_id, csv, headers=key)
    second = await imported(alice, bundle_id, csv, headers=key)
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await conn.fetchval("SELECT count(*) FROM slot_options") == 1
    other = await imported(alice, bundle_id, csv.replace("Look", "See"), headers=key)
    assert other.code == "IDEMPOTENCY_KEY_REUSED"


async def test_two_files_at_once_wait_for_each_other(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=6)
    files = [sheet(*(row(n) for n in positions)) for positions in ((1, 2, 3), (4, 5, 6))]
    # Both are on their way when the bundle is let go.
    async with working(conn, world) as tx:
        await tx.conn.execute("SELECT 1 FROM bundles WHERE id = $1 FOR UPDATE", UUID(bundle_id))
        calls = [asyncio.create_task(imported(alice, bundle_id, file)) for file in files]
        await asyncio.sleep(0)
    replies = await asyncio.gather(*calls)
    assert sorted(reply.data["imported"] for reply in replies) == [0, 3]
    assert {e["code"] for reply in replies for e in reply.data["errors"]} == {
        "VIDEOS_PER_DAY_EXCEEDED"
    }


async def test_a_dry_run_checks_every_row_and_changes_nothing(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice)
    csv = f"{HEAD},volume_added_sound\n{row(1)},1\n{row(2, day=in_days(0))},1\n"
    reply = await imported(alice, bundle_id, csv, headers={"X-TokPortal-Dry-Run": "1"})
    assert (reply.data["imported"], len(reply.data["errors"])) == (1, 1)
    assert (reply.json["credits_charged"], reply.json["credits_would_charge"]) == (0, 1)
    assert await conn.fetchval("SELECT count(*) FROM media") == 0


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client
) -> None:
    bundle_id = await ordered(alice)
    assert (await imported(bob, bundle_id, sheet(row(1)))).code == "AUTH_INSUFFICIENT_SCOPE"
    assert (await imported(charlie, bundle_id, sheet(row(1)))).code == "BUNDLE_NOT_FOUND"
    assert (await imported(alice, "x", sheet(row(1)))).code == "BUNDLE_NOT_FOUND"
