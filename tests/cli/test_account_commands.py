"""What operators note of accounts from the command line, and the change of the vault key."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from tests.accounts.revealing import more_videos, owned
from tests.cast import World
from tests.cli.command import Command, Outcome
from tests.client import Client
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

WHY = ("--reason", "Spam.")
ACTS = "SELECT action, actor_id FROM audit WHERE action LIKE 'account.%' ORDER BY ordinal"


def facts(outcome: Outcome) -> Any:
    """Give the JSON that a command answered."""
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


async def test_a_ban_is_looked_at_and_then_noted(
    command: Command, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    bundle_id = (await more_videos(alice, account_id)).data["id"]

    seen = facts(await command("account", "ban", account_id, *WHY, "--preview", "--json"))
    assert (seen["done"], seen["credits_refunded"]) == (None, 4)
    assert (await alice.get(f"/accounts/{account_id}")).data["banned"] is False
    told = await command("account", "ban", account_id, *WHY, "--by", "olga@example.com")

    assert told.code == 0
    assert "1 live orders cancelled, 4 credits given back" in told.out
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "cancelled"
    acts = [(row["action"], row["actor_id"]) for row in await conn.fetch(ACTS)]
    assert acts == [("account.ban", world.olga)]
    again = await command("account", "ban", account_id, *WHY)
    assert (again.code, "is banned already" in again.err) == (2, True)
    nobody = await command("account", "ban", uuid4(), *WHY)
    assert (nobody.code, "There is no account" in nobody.err) == (2, True)


async def test_consent_is_noted_and_taken_back(
    command: Command, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    owner = ("--owner", "Anna Owner", "--scope", "Posting for Acme")

    noted = facts(
        await command(
            "account", "consent", account_id, *owner, *WHY, "--until", "2999-01-01", "--json"
        )
    )
    assert noted["account_id"] == str(account_id)
    assert (await more_videos(alice, account_id)).status == 201
    stopped = await command("account", "revoke-consent", account_id, "--reason", "No more.")
    assert "its work stands still" in stopped.out
    assert (await more_videos(alice, account_id)).details["reason"] == "consent_revoked"
    past = await command("account", "consent", account_id, *owner, *WHY, "--until", "2001-01-01")
    assert (past.code, "must be ahead" in past.err) == (2, True)


async def test_rotating_says_how_many_records_were_wrapped_anew(
    command: Command, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await owned(alice, conn, world, ports)
    done = facts(await command("vault", "rotate", "--json"))
    assert (done["key_id"], done["rewrapped"], done["left"]) == (ports.vault.current, 0, 0)
    told = await command("vault", "rotate")
    assert f"0 are left under another key than {ports.vault.current}" in told.out
