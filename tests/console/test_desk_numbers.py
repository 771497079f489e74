"""A manager enters the numbers of an account that no API can be asked about."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import a_post, an_account, url_of
from tests.cast import World
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection, existing

HAND_OVER = "UPDATE saved_accounts SET manager_id = $2 WHERE id = $1"
POST = "SELECT views, likes, meta FROM tracked_posts WHERE platform_post_id = $1"
FOLLOWERS = "SELECT followers FROM account_latest WHERE saved_account_id = $1"


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account that Mona looks after, with two tracked posts."""
    made = await an_account(conn, world.acme)
    await conn.execute(HAND_OVER, made, world.mona)
    for name in ("71111", "72222"):
        await a_post(conn, world.acme, made, name)
    return made


def page_of(world: World, account: UUID) -> str:
    return f"/desk/accounts/{world.acme}/{account}/numbers"


async def test_stores_what_was_entered_and_leaves_empty_lines_out(
    mona: Guest, conn: Connection, world: World, account: UUID
) -> None:
    assert page_of(world, account) in (await mona.get("/desk/accounts")).html
    shown = await mona.get(page_of(world, account))
    assert f"{url_of('72222')},,,,," in shown.text
    table = (
        "platform_url,views,likes,comments,shares,bookmarks\r\n"
        f"{url_of('72222')},120,,,,\r\n{url_of('71111')},,,,,\r\n"
    )
    done = await mona.post(page_of(world, account), {"followers": "310", "table": table})
    assert done.to == "/desk/accounts?done=numbers"
    row = existing(await conn.fetchrow(POST, "72222"))
    assert (row["views"], row["likes"]) == (120, None)
    assert row["meta"]["views"]["source"] == "manual"
    assert existing(await conn.fetchrow(POST, "71111"))["meta"] == {}
    assert await conn.fetchval(FOLLOWERS, account) == 310


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "needed"),
        ({"followers": "many"}, "Nothing was sent yet"),
        (
            {"followers": "1", "table": "platform_url,views\nhttps://x.example/,1"},
            "not the address",
        ),
        ({"followers": "1", "table": "platform_url,views\nx,many"}, "line 2"),
    ],
)
async def test_shows_what_is_wrong_and_keeps_what_was_entered(
    mona: Guest,
    conn: Connection,
    world: World,
    account: UUID,
    fields: dict[str, str],
    said: str,
) -> None:
    await mona.get(page_of(world, account))
    refused = await mona.post(page_of(world, account), fields)
    assert refused.status == 400
    assert said in refused.text
    assert all(value in refused.html for value in fields.values())
    assert await conn.fetchval(FOLLOWERS, account) is None


async def test_nobody_enters_numbers_of_an_account_that_is_not_theirs(
    mona: Guest, customer: Guest, conn: Connection, world: World, account: UUID
) -> None:
    other = await an_account(conn, world.acme, username="acme.other")
    for unknown in (other, uuid4()):
        assert (await mona.get(page_of(world, unknown))).status == 404
        assert (await mona.post(page_of(world, unknown), {"followers": "1"})).status == 404
    await customer.get("/console")
    assert (await customer.get(page_of(world, account))).status == 403
