"""What operators do about managers from the command line: work, rates, statements."""

from __future__ import annotations

import json

from tests.cast import World
from tests.cli.command import Command
from tests.client import Client
from tests.orders.walk import claimed, published
from tests.workbench.books import LAST_MONTH, earned
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

WHY = ("--reason", "As agreed.", "--by", "olga@example.com")


async def test_a_manager_who_leaves_is_told_of_with_numbers(
    command: Command, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice)
    await claimed(conn, world, ports, bundle_id)
    done = await command("manager", "deactivate", "mona@example.com", *WHY, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["orders_released"] == [bundle_id]
    back = await command("manager", "activate", "mona@example.com", *WHY)
    assert back.out == "mona@example.com works again."
    nobody = await command("manager", "deactivate", "alice@example.com", *WHY)
    assert nobody.code == 2
    assert "no manager" in nobody.err


async def test_rates_are_set_and_a_month_is_corrected_and_settled(
    command: Command, conn: Connection, world: World
) -> None:
    told = await command("earnings", "set-rate", "video", "2,50", *WHY, "--country", "FR")
    assert told.out == "video (FR): 2.50 USD from now on.", told.err
    assert "2.50 USD" in (await command("earnings", "rates")).out
    wrong = await command("earnings", "set-rate", "video", "much", *WHY)
    assert (wrong.code, "such as 12.50" in wrong.err) == (2, True)

    await earned(conn, world, 500)
    month = f"{LAST_MONTH:%Y-%m}"
    added = await command("earnings", "adjust", "mona@example.com", "-1.25", "--month", month, *WHY)
    assert added.code == 0, added.err
    sheet = (await command("earnings", "statement", "mona@example.com", month)).out
    assert "-1.25,USD" in sheet
    listed = json.loads((await command("earnings", "statements", "--json")).out)
    assert [(one["totals"], one["status"]) for one in listed] == [({"USD": 375}, "open")]
    settled = await command("earnings", "settle", "mona@example.com", month, *WHY)
    assert settled.out == f"{month} of mona@example.com is settled: 3.75 USD."
    again = await command("earnings", "settle", "mona@example.com", month, *WHY)
    assert again.code == 2
