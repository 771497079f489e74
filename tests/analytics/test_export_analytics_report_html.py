from __future__ import annotations

from typing import get_args
from uuid import UUID

import pytest

from tests.analytics.collecting import NOON, a_post, an_account, collect, post
from tests.analytics.plans import give_plan
from tests.cast import World
from tests.client import Client
from tokportal_server.analytics.reports.content import Template
from tokportal_server.lib.db import Connection

PATH = "/analytics/export/reports/html"

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account of Alice's with a post, on the plan ``creator``."""
    await give_plan(conn, world.acme, "creator")
    made = await an_account(conn, world.acme)
    await a_post(conn, world.acme, made, "11111", published_at=NOON)
    await collect(conn, world.acme, made, post("11111", views=4_321, likes=50))
    return made


@pytest.mark.parametrize("template", get_args(Template))
@pytest.mark.usefixtures("account")
async def test_gives_one_standalone_file(alice: Client, template: Template) -> None:
    reply = await alice.post(PATH, {"template": template, "title": "Launch"})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["X-TokPortal-Analytics-Contract"] == "v2"
    html = reply.body.decode()
    assert html.startswith("<!doctype html>")
    assert "Launch" in html
    assert 'http-equiv="Content-Security-Policy"' in html
    assert [loaded for loaded in (' src="', "<script", "<link") if loaded in html] == []
    assert len(reply.body) < 1_000_000


@pytest.mark.usefixtures("account")
async def test_keeps_nothing(alice: Client, conn: Connection) -> None:
    await alice.post(PATH, {})
    assert await conn.fetchval("SELECT count(*) FROM analytics_reports") == 0


@pytest.mark.usefixtures("account")
async def test_a_replay_is_the_same_file(alice: Client) -> None:
    key = {"Idempotency-Key": "html-1"}
    first = await alice.post(PATH, {"title": "Launch"}, headers=key)
    again = await alice.post(PATH, {"title": "Launch"}, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-TokPortal-Analytics-Contract"] == "v2"
    assert again.body == first.body


@pytest.mark.usefixtures("account")
async def test_a_dry_run_says_so_in_its_header_alone(alice: Client) -> None:
    tried = await alice.post(PATH, {}, headers={"X-TokPortal-Dry-Run": "true"})
    assert tried.headers["X-TokPortal-Dry-Run"] == "true"
    assert tried.body.startswith(b"<!doctype html>")


async def test_its_errors_are_json(
    alice: Client, charlie: Client, conn: Connection, world: World, account: UUID
) -> None:
    assert (await alice.post(PATH, {"template": "glossy"})).code == "VALIDATION_ERROR"
    assert (await charlie.post(PATH, {})).code == "ANALYTICS_LEVEL_REQUIRED"
    await give_plan(conn, world.other, "creator")
    refused = await charlie.post(PATH, {"accountIds": [str(account)]})
    assert (refused.status, refused.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


async def test_needs_a_key_that_may_write(nobody: Client, bob: Client) -> None:
    assert (await nobody.post(PATH, {})).code == "AUTH_MISSING_KEY"
    assert (await bob.post(PATH, {})).code == "AUTH_INSUFFICIENT_SCOPE"
