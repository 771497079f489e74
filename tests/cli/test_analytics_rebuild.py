"""``tokportal-server analytics rebuild`` mends rollups, and changes nothing that is right."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from tests.analytics.collecting import a_post, an_account, collect, post, reading
from tests.cast import World
from tests.cli.command import Command
from tokportal_server.lib.db import Connection

DAYS = "SELECT * FROM workspace_days ORDER BY metric, day"


async def days(conn: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(DAYS)]


async def test_it_mends_one_workspace_or_all_of_them(
    command: Command, conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme)
    await a_post(conn, world.acme, account, "11111")
    seen = post("11111", views=50, likes=3)
    await collect(conn, world.acme, account, seen, profile=reading(followers=9))
    right = await days(conn)

    assert (await command("analytics", "rebuild", "--json")).code == 0
    assert await days(conn) == right
    await conn.execute("UPDATE workspace_days SET gain = gain + 1")
    one = await command("analytics", "rebuild", "--workspace", world.acme, "--json")
    assert json.loads(one.out) == {"workspaces": 1, "accounts": 1, "posts_tracked": 0, "days": 3}
    assert await days(conn) == right
    told = await command("analytics", "rebuild", "--workspace", world.other)
    assert "0 accounts of 1 workspaces" in told.out


async def test_a_workspace_that_is_not_there_is_named(command: Command) -> None:
    unknown = uuid4()
    told = await command("analytics", "rebuild", "--workspace", unknown)

    assert told.code == 1
    assert f"No workspace {unknown}" in told.out
