from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from tests.analytics.collecting import NOON, a_post, an_account, collect, post, reading
from tests.analytics.plans import give_plan
from tests.cast import World
from tests.client import Client
from tokportal_server.analytics.operations.revoke_analytics_report import (
    ReportNotFoundError,
    revoke_analytics_report,
)
from tokportal_server.analytics.reports.kept import purge_reports
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work

PATH = "/analytics/export/reports"
PERIOD = {"from": "2026-11-01", "to": "2026-11-20"}
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account of Alice's with a post, read on two days, on the plan ``creator``."""
    await give_plan(conn, world.acme, "creator")
    made = await an_account(conn, world.acme)
    await a_post(conn, world.acme, made, "11111", published_at=NOON - DAY)
    for days, views in ((2, 1_000), (0, 4_321)):
        await collect(
            conn,
            world.acme,
            made,
            post("11111", description="A cake.", views=views, likes=50, comments=4, shares=1),
            at=NOON - days * DAY,
            profile=reading(followers=700 - days),
        )
    return made


async def seen(alice: Client, report: dict[str, Any]) -> tuple[int, str, Any]:
    """Look at a report as somebody without a key."""
    address = alice.address + "/reports/" + report["url"].rpartition("/")[2]
    async with aiohttp.ClientSession() as guest, guest.get(address) as answer:
        return answer.status, await answer.text(), answer.headers


async def test_makes_a_page_that_anybody_with_its_address_can_see(alice: Client) -> None:
    made = await alice.post(PATH, {"title": "Launch", "brandName": "Northwind", **PERIOD})
    assert made.status == 200
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", made.data["token"])
    assert made.data["url"].endswith(f"/reports/{made.data['token']}")
    assert made.json["contract_version"] == "v2"
    status, html, headers = await seen(alice, made.data)
    assert status == 200
    assert "Launch" in html
    assert "Northwind" in html
    assert "4,321" in html
    assert "A cake." in html
    assert headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert headers["Cache-Control"] == "no-store"


async def test_everything_may_be_left_out(alice: Client) -> None:
    made = await alice.post(PATH, {})
    assert made.status == 200
    _, html, _ = await seen(alice, made.data)
    assert "Acme" in html


async def test_the_numbers_are_frozen(
    alice: Client, conn: Connection, world: World, account: UUID
) -> None:
    made = await alice.post(PATH, PERIOD)
    await collect(conn, world.acme, account, post("11111", views=999_999), at=NOON + DAY)
    _, html, _ = await seen(alice, made.data)
    assert "4,321" in html
    assert "999,999" not in html


async def test_what_was_gained_is_of_the_period(alice: Client) -> None:
    made = await alice.post(PATH, {"template": "board", "from": "2026-11-19", "to": "2026-11-20"})
    _, html, _ = await seen(alice, made.data)
    (row,) = re.findall(r'<th scope="row">Views</th>(.*?)</tr>', html)
    assert re.findall(r'class="n">([^<]*)<', row) == ["4,321", "3,321", "1,000"]


async def test_selects_by_account_platform_country_and_text(
    alice: Client, conn: Connection, world: World
) -> None:
    other = await an_account(conn, world.acme, platform="instagram", country="FR", username="autre")
    for selection, there, absent in (
        ({"accountIds": [str(other)]}, "@autre", "@acme.daily"),
        ({"platforms": ["tiktok"]}, "@acme.daily", "@autre"),
        ({"countries": ["France"]}, "@autre", "@acme.daily"),
        ({"query": "CAKE"}, "@acme.daily", "@autre"),
        ({"query": "autr"}, "@autre", "@acme.daily"),
    ):
        made = await alice.post(PATH, {"template": "minimal", **selection})
        _, html, _ = await seen(alice, made.data)
        assert there in html
        assert absent not in html


async def test_keeps_the_hash_of_the_token_alone(alice: Client, conn: Connection) -> None:
    made = await alice.post(PATH, {})
    row = await conn.fetchrow("SELECT * FROM analytics_reports")
    assert row is not None
    assert made.data["token"].encode() not in repr(dict(row)).encode()


async def test_lasts_ninety_days(alice: Client, conn: Connection) -> None:
    made = await alice.post(PATH, {})
    left = datetime.fromisoformat(made.data["expires_at"]) - real_now()
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
    await conn.execute("UPDATE analytics_reports SET expires_at = now()")
    assert (await seen(alice, made.data))[0] == 404


async def test_its_content_goes_when_it_is_over_and_its_row_later(
    alice: Client, conn: Connection
) -> None:
    await alice.post(PATH, {})
    assert await purge_reports(conn) == 0
    await conn.execute("UPDATE analytics_reports SET expires_at = now()")
    assert await purge_reports(conn) == 1
    assert await conn.fetchval("SELECT content FROM analytics_reports") is None
    await conn.execute("UPDATE analytics_reports SET expires_at = now() - interval '91 days'")
    assert await purge_reports(conn) == 1
    assert await conn.fetchval("SELECT count(*) FROM analytics_reports") == 0


async def test_a_revoked_report_is_gone_at_once(
    alice: Client, conn: Connection, world: World
) -> None:
    made = await alice.post(PATH, {})
    actor = Actor("customer", world.alice)
    report_id = UUID(made.data["id"])
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await revoke_analytics_report(tx=tx, actor=actor, report_id=report_id)
    status, html, _ = await seen(alice, made.data)
    assert status == 404
    assert "There is no report here" in html
    assert await conn.fetchval("SELECT content FROM analytics_reports") is None
    audited = await conn.fetchval("SELECT action FROM audit WHERE subject_id = $1", report_id)
    assert audited == "analytics_report.revoke"


async def test_nobody_revokes_anothers_report(
    alice: Client, conn: Connection, world: World
) -> None:
    made = await alice.post(PATH, {})
    with pytest.raises(ReportNotFoundError):
        async with unit_of_work(conn, world.other, now=real_now()) as tx:
            await revoke_analytics_report(
                tx=tx, actor=Actor("customer", world.charlie), report_id=UUID(made.data["id"])
            )
    assert (await seen(alice, made.data))[0] == 200


@pytest.mark.parametrize("token", ["x", "a" * 64, "_" * 63 + "!", "%00" * 64])
async def test_an_address_that_is_none_of_ours_is_a_404(alice: Client, token: str) -> None:
    assert (await seen(alice, {"url": f"/reports/{token}"}))[0] == 404


async def test_tells_webhooks_without_the_address(alice: Client, conn: Connection) -> None:
    made = await alice.post(PATH, {"title": "Launch", "template": "board"})
    event = await conn.fetchrow("SELECT * FROM events WHERE type = 'report.created'")
    assert event is not None
    assert event["data"]["report_id"] == made.data["id"]
    assert event["data"]["title"] == "Launch"
    assert event["data"]["template"] == "board"
    assert made.data["token"] not in repr(dict(event))


async def test_a_replay_gives_the_same_address(alice: Client) -> None:
    key = {"Idempotency-Key": "report-1"}
    first = await alice.post(PATH, PERIOD, headers=key)
    again = await alice.post(PATH, PERIOD, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data == first.data


async def test_a_dry_run_makes_nothing_and_mints_no_token(alice: Client, conn: Connection) -> None:
    tried = await alice.post(PATH, PERIOD, headers={"X-TokPortal-Dry-Run": "true"})
    assert (tried.data["token"], tried.data["url"]) == (None, None)
    assert await conn.fetchval("SELECT count(*) FROM analytics_reports") == 0
    assert await conn.fetchval("SELECT count(*) FROM events WHERE type = 'report.created'") == 0


async def test_needs_the_plan_creator(alice: Client, conn: Connection, world: World) -> None:
    await give_plan(conn, world.acme, "starter")
    refused = await alice.post(PATH, {})
    assert (refused.status, refused.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
    assert refused.details == {"required_level": "creator", "current_level": "starter"}


async def test_refuses_what_is_not_the_workspaces_own(
    charlie: Client, conn: Connection, world: World, account: UUID
) -> None:
    await give_plan(conn, world.other, "creator")
    refused = await charlie.post(PATH, {"accountIds": [str(account)]})
    assert (refused.status, refused.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
    refused = await charlie.post(PATH, {"workspaceId": str(world.acme)})
    assert (refused.status, refused.code) == (404, "ANALYTICS_NOT_FOUND")
    assert (await charlie.post(PATH, {"workspaceId": str(world.other)})).status == 200
    assert (await charlie.post(PATH, {"accountIds": [str(uuid4())]})).status == 404


async def test_names_every_wrong_field(alice: Client) -> None:
    refused = await alice.post(
        PATH,
        {
            "title": "x" * 121,
            "template": "glossy",
            "brandName": "x" * 81,
            "brandAccent": "red",
            "accountIds": ["x"],
        },
    )
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert set(refused.problems) == {
        "title",
        "template",
        "brandName",
        "brandAccent",
        "accountIds[0]",
    }
    refused = await alice.post(PATH, {"from": "2026-11-02", "to": "2026-11-01"})
    assert set(refused.problems) == {"from"}


async def test_needs_a_key_that_may_write(nobody: Client, bob: Client) -> None:
    assert (await nobody.post(PATH, {})).code == "AUTH_MISSING_KEY"
    assert (await bob.post(PATH, {})).code == "AUTH_INSUFFICIENT_SCOPE"
