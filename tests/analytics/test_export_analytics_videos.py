"""``GET /analytics/export/videos``."""

from __future__ import annotations

import csv
import io
from uuid import UUID, uuid4

import psutil
import pytest

from tests.analytics.collecting import SET_PLAN, an_account, collect, post
from tests.cast import World
from tests.client import Client
from tokportal_server.analytics import export_posts
from tokportal_server.analytics.export_posts import COLUMNS
from tokportal_server.analytics.filters import Filters
from tokportal_server.lib.csv_rows import defused
from tokportal_server.lib.db import Connection, Database

FILL = """
INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_url, imported,
                           tracked_at, views)
SELECT $1, $2, 'n' || n, 'https://www.tiktok.com/@a/video/' || n, true, now(), n
  FROM generate_series(1, $3::int) n
"""


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account with two posts, in a workspace that may export."""
    await conn.execute(SET_PLAN, world.acme, "creator")
    made = await an_account(conn, world.acme)
    await collect(
        conn,
        world.acme,
        made,
        post("11111", description='=HYPERLINK("x"),\r\n"y"', views=100, likes=4, comments=1),
        post("22222", description="50% off_now", views=0, likes=0, comments=0, shares=0),
        bootstrap=True,
    )
    return made


def rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


async def test_it_has_a_row_for_each_post(alice: Client, account: UUID) -> None:
    reply = await alice.get("/analytics/export/videos")

    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["X-TokPortal-Analytics-Contract"] == "v2"
    found = {row["platform_url"][-5:]: row for row in rows(reply.body)}
    assert set(found) == {"11111", "22222"}
    one = found["11111"]
    assert tuple(one) == COLUMNS
    assert (one["views"], one["shares"], one["engagement_rate"]) == ("100", "", "")
    assert one["account_id"] == str(account)
    assert one["description"] == '\'=HYPERLINK("x"),\r\n"y"'
    assert (one["source"], one["collected_at"]) == ("simulator", "2026-11-20T12:00:00.000Z")


@pytest.mark.usefixtures("account")
async def test_every_cell_is_quoted_and_lines_end_as_the_rfc_says(alice: Client) -> None:
    body = (await alice.get("/analytics/export/videos")).body.decode("utf-8-sig")

    assert body.startswith('"tracked_post_id","video_id",')
    assert body.endswith('"\r\n')
    assert body.count("\r\n") == 3 + 1


@pytest.mark.hazard(39)
@pytest.mark.parametrize(
    "cell", ["=1", " =1", "\t+1", "-1", "@a", "\n1", "\r1", "\uff1d1", "  @x", "\u00a0=1"]
)
def test_no_cell_opens_as_a_formula(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "1-1", "'=1", "\u00e9t\u00e9"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert defused(cell) == cell


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=50%25", {"22222"}),
        ("q=F_N", {"22222"}),
        ("q=%25%25", set()),
        ("q=ACME.daily", {"11111", "22222"}),
        ("q=video/11111", {"11111"}),
        ("platform=instagram", set()),
        ("country=US&platform=tiktok", {"11111", "22222"}),
        ("from=2026-11-20&to=2026-11-20", {"11111", "22222"}),
        ("from=2026-11-21", set()),
        ("to=2026-11-20T11:59:59Z", set()),
    ],
)
@pytest.mark.usefixtures("account")
async def test_filters_choose_rows(alice: Client, query: str, expected: set[str]) -> None:
    found = rows((await alice.get(f"/analytics/export/videos?{query}")).body)

    assert {row["platform_url"][-5:] for row in found} == expected


async def test_more_rows_than_a_page_come_once_each(
    alice: Client, conn: Connection, world: World, account: UUID
) -> None:
    many = 2 * export_posts._PAGE + 7
    await conn.execute(FILL, world.acme, account, many)
    found = rows((await alice.get("/analytics/export/videos")).body)

    assert len(found) == len({row["tracked_post_id"] for row in found}) == many + 2


@pytest.mark.usefixtures("account")
async def test_head_tells_the_type_and_sends_nothing(alice: Client) -> None:
    reply = await alice.call("HEAD", "/analytics/export/videos")

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"].startswith("text/csv")


async def test_refusals_are_json(alice: Client, charlie: Client, account: UUID) -> None:
    for query in ("from=x", "q="):
        reply = await alice.get(f"/analytics/export/videos?{query}")
        assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    reply = await alice.get(f"/analytics/export/videos?workspace={uuid4()}")
    assert (reply.status, reply.code) == (404, "ANALYTICS_NOT_FOUND")
    reply = await charlie.get("/analytics/export/videos")
    assert (reply.status, reply.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
    reply = await charlie.get(f"/analytics/export/videos?account={account}")
    assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


@pytest.mark.proof
async def test_a_million_rows_take_no_more_memory_than_a_page(
    conn: Connection, database: Database, world: World, account: UUID
) -> None:
    await conn.execute(FILL, world.acme, account, 1_000_000)
    await conn.execute("ANALYZE tracked_posts")
    process = psutil.Process()
    lines, least, most = 0, 0, 0
    async for chunk in export_posts.export_posts(database, Filters(world.acme), None):
        lines += chunk.count(b"\r\n")
        # What the first pages take, they take once.
        if lines > 20_000:
            most = max(most, process.memory_info().rss)
            least = least or most
    # The header, the two posts of the fixture, and the line break within one of them.
    assert lines == 1_000_000 + 1 + 2 + 1
    assert most - least < 32 * 2**20
