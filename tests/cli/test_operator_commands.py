"""What operators decide from the command line: orders, refunds, prices, stopping everything."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from tests.cast import CREDITS, World
from tests.cli.command import Command, Outcome
from tests.client import Client
from tests.orders.walk import PROFILE, ordered
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine

WHY = ("--reason", "A mistake of ours.")
AUDIT = "SELECT action, actor_id, reason FROM audit ORDER BY ordinal"


def facts(outcome: Outcome) -> Any:
    """Give the JSON that a command answered."""
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


async def test_an_order_is_looked_at_then_cancelled_and_put_away(
    command: Command, alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=2)
    seen = facts(await command("bundle", "cancel", bundle_id, *WHY, "--preview", "--json"))
    assert (seen["preview"], seen["done"], seen["credits_refunded"]) == (True, None, 29)
    assert seen["refund"] == {"account_creation": 25, "video_slots": 4, "total": 29}
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "pending_setup"
    assert await conn.fetch(AUDIT) == []

    too_much = await command("bundle", "cancel", bundle_id, *WHY, "--amount", 30)
    assert (too_much.code, too_much.out) == (2, "")
    assert "amount: must be 0 to 29" in too_much.err
    assert "Traceback" not in too_much.err

    slot = facts(await command("bundle", "cancel-slot", bundle_id, 2, *WHY, "--json"))
    assert (slot["credits_refunded"], slot["credits_remaining"]) == (2, CREDITS - 27)
    looked = await command("bundle", "cancel", bundle_id, *WHY, "--preview")
    assert f"nothing was changed. Bundle {bundle_id}: cancelled; 27 of 27" in looked.out
    told = await command("bundle", "cancel", bundle_id, *WHY, "--by", "olga@example.com")
    assert told.code == 0
    assert "27 of 27 credits paid and not refunded go back" in told.out
    assert f"workspace has {CREDITS}" in told.out
    assert facts(await command("bundle", "archive", bundle_id, *WHY, "--json")) == {
        "bundle_id": bundle_id,
        "done": "archived",
    }
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "archived"
    rows = await conn.fetch(AUDIT)
    assert [(row["action"], row["actor_id"]) for row in rows] == [
        ("slot.cancel", None),
        ("bundle.cancel", world.olga),
        ("bundle.archive", None),
    ]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_charges_are_reversed_and_publishing_is_stopped(
    command: Command, alice: Client, world: World
) -> None:
    bundle_id = await ordered(alice, videos=0)
    back = facts(await command("bundle", "reverse-charges", bundle_id, *WHY, "--json"))
    assert (back["credits_refunded"], back["credits_remaining"]) == (25, CREDITS)
    again = await command("bundle", "reverse-charges", bundle_id, *WHY)
    assert again.code == 2
    assert "are reversed already" in again.err

    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    stopped = facts(await command("pause", "--workspace", world.acme, *WHY, "--json"))
    assert stopped == {"scope": "workspace", "subject_id": str(world.acme), "paused": True}
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).code == "PUBLISHING_PAUSED"
    on = await command("resume", "--workspace", world.acme, *WHY)
    assert on.out == f"Publishing and claims go on: workspace {world.acme}."
    nothing = await command("resume", "--all", *WHY)
    assert (nothing.code, nothing.err) == (2, "tokportal-server: Nothing was stopped for all.")
    which = await command("pause", "--all", "--workspace", world.acme, *WHY)
    assert which.code == 2
    assert "exactly one of --all, --workspace and --account" in which.err
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).json["credits_charged"] == 25


async def test_prices_change_and_their_history_is_told(
    command: Command, alice: Client, world: World
) -> None:
    own = ("--workspace", world.acme)
    changed = await command("price", "set", "video_slot", 3, *own, "--by", "OLGA@example.com")
    assert changed.out == f"video_slot costs 3 credits for workspace {world.acme} from now on."
    assert (await alice.get("/credit-costs")).data["video_slot"] == 3
    listed = await command("price", "history", "video_slot", *own)
    assert "the first day" in listed.out
    assert "olga@example.com" in listed.out
    rows = facts(await command("price", "history", "video_slot", *own, "--json"))
    assert [(row["amount"], row["workspace_id"]) for row in rows] == [
        (3, str(world.acme)),
        (2, None),
    ]
    assert rows[1]["valid_from"] is None
    refused = await command("price", "set", "moderation", 3, *own)
    assert refused.code == 2
    assert "account_creation and video_slot only" in refused.err


async def test_credits_are_refunded_corrected_and_watched(
    command: Command, alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=2)
    debit = (await alice.get("/credits/history")).data[0]["id"]
    back = facts(await command("credits", "refund", world.acme, debit, 5, *WHY, "--json"))
    assert back["credits"] == CREDITS - 24
    entry = (await alice.get("/credits/history")).data[0]
    assert (entry["type"], entry["amount"]) == ("refund", 5)
    assert entry["reference"] == {"kind": "bundle", "id": bundle_id}
    too_much = await command("credits", "refund", world.acme, debit, 25, *WHY)
    assert "must be 1 to 24" in too_much.err
    unknown = await command("credits", "refund", world.acme, uuid4(), 1, *WHY)
    assert "has no debit" in unknown.err

    assert (await command("credits", "warn-below", world.acme, 960)).code == 0
    less = await command("credits", "adjust", world.acme, *WHY, "--", -20)
    assert (less.code, less.out) == (0, str(CREDITS - 44))
    entry = (await alice.get("/credits/history")).data[0]
    assert (entry["type"], entry["amount"], entry["description"]) == (
        "adjustment",
        -20,
        "A mistake of ours.",
    )
    assert entry["reference"] == {"kind": "adjustment", "id": None}
    more = await command("credits", "adjust", world.acme, 10, *WHY, "--preview")
    assert more.out == str(CREDITS - 34)
    assert (await alice.get("/credits/balance")).data["credits"] == CREDITS - 44
    broke = await command("credits", "adjust", world.acme, *WHY, "--", -CREDITS)
    assert broke.code == 2
    assert "44 are missing" in broke.err
    low = await conn.fetch("SELECT data FROM events WHERE type = 'credits.low'")
    assert [row["data"] for row in low] == [{"credits": CREDITS - 44, "threshold": 960}]

    # What was given back by hand is not given back again.
    done = facts(await command("bundle", "cancel", bundle_id, *WHY, "--json"))
    assert done["credits_refunded"] == 24
    assert [f for f in await examine(conn) if f.contradictions] == []
    actions = [row["action"] for row in await conn.fetch(AUDIT)]
    assert actions == ["credits.refund", "credits.low_mark", "credits.adjust", "bundle.cancel"]


async def test_who_is_no_operator_cannot_be_named_as_one(
    command: Command, alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=0)
    refused = await command("bundle", "cancel", bundle_id, *WHY, "--by", "alice@example.com")
    assert refused.code == 2
    assert "alice@example.com is not the address of an operator" in refused.err
    nowhere = await command("bundle", "cancel", UUID(int=7), *WHY)
    assert f"There is no bundle {UUID(int=7)}" in nowhere.err
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "pending_setup"
    assert await conn.fetch(AUDIT) == []


async def test_orders_are_found_by_how_they_begin(
    command: Command, alice: Client, charlie: Client, world: World
) -> None:
    mine = await ordered(alice, videos=0, title="Spring [bold]launch")
    theirs = await ordered(charlie, videos=0, external_ref="spring-7")

    everywhere = facts(await command("bundle", "find", "SPRING", "--json"))
    here = facts(await command("bundle", "find", "spring", "--workspace", world.acme, "--json"))
    table = await command("bundle", "find", "spring", "--limit", 1)

    assert {(found["id"], found["matched"]) for found in everywhere} == {
        (mine, "title"),
        (theirs, "external_ref"),
    }
    assert [found["id"] for found in here] == [mine]
    assert (table.code, table.err) == (0, "")
    assert "[bold]" in table.out
    assert facts(await command("bundle", "find", "nobody", "--json")) == []
    narrow = await command("bundle", "find", "spring", env={"COLUMNS": "80"})
    assert mine in narrow.out
    assert str(world.acme) in narrow.out
