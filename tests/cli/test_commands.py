"""The command line of an operator, as processes: people, workspaces, keys, credits, doctor."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tests.cast import World
from tests.cli.command import Command
from tests.client import Client
from tokportal_server.lib.crypto import verify_password
from tokportal_server.lib.db import Connection


async def test_an_operator_sets_up_a_customer_who_then_calls_the_api(
    command: Command, server: str
) -> None:
    person = await command("person", "create", "dora@example.com", "Dora")
    assert (person.code, person.err) == (0, "")
    UUID(person.out)
    made = await command(
        "workspace", "create", "Dora & Co", "--owner", "DORA@example.com", "--plan", "full"
    )
    workspace = UUID(made.out)
    granted = await command("credits", "grant", workspace, 40, "--reason", "Welcome")
    assert (granted.code, granted.out) == (0, "40")
    key = await command(
        "key", "create", workspace, "--owner", "dora@example.com", "--scope", "read"
    )
    async with Client(server, key.out) as dora:
        me = (await dora.get("/me")).data
        assert me["email"] == "dora@example.com"
        assert me["workspace"]["name"] == "Dora & Co"
        assert (me["plan"], me["credits"], me["api_key"]["scope"]) == ("full", 40, "read")
        assert (await dora.get("/credits/history")).data[0]["description"] == "Welcome"

        revoked = await command("key", "revoke", workspace, me["api_key"]["id"])
        assert (revoked.code, revoked.err) == (0, "")
        assert (await dora.get("/me")).code == "AUTH_REVOKED_KEY"
        again = await command("key", "revoke", workspace, me["api_key"]["id"])
        assert again.code == 2
        assert "has no live key" in again.err


async def test_a_rehearsal_has_its_clock_and_a_simulated_manager(
    command: Command, world: World, conn: Connection
) -> None:
    made = await command(
        "workspace", "create", "Stage", "--owner", "alice@example.com", "--rehearsal"
    )
    assert made.code == 0
    assert await conn.fetchval("SELECT rehearsal FROM workspaces WHERE id = $1", UUID(made.out))
    managers = await conn.fetchval(
        "SELECT count(*) FROM managers WHERE rehearsal_workspace_id = $1", UUID(made.out)
    )
    assert managers == 1
    assert (
        await conn.fetchval("SELECT rehearsal FROM workspaces WHERE id = $1", world.acme) is False
    )


async def test_a_manager_gets_countries_by_any_name_and_a_password_from_standard_input(
    command: Command, conn: Connection
) -> None:
    made = await command(
        *("person", "create", "nora@example.com", "Nora"),
        *("--manager-countries", "United States", "--manager-countries", "gb"),
        stdin="open sesame\n",
    )
    assert made.code == 0
    row = await conn.fetchrow(
        "SELECT m.countries, m.platforms, p.password_hash FROM managers m"
        " JOIN people p ON p.id = m.person_id WHERE p.id = $1",
        UUID(made.out),
    )
    assert row is not None
    assert row["countries"] == ["USA", "UK"]
    assert set(row["platforms"]) == {"tiktok", "instagram"}
    assert "sesame" not in row["password_hash"]
    assert await verify_password(row["password_hash"], "open sesame")


async def test_credits_that_expire_are_granted_by_the_day(
    command: Command, world: World, alice: Client
) -> None:
    granted = await command(
        "credits", "grant", world.acme, 7, "--reason", "Sorry", "--expires-in-days", 3
    )
    assert granted.out == "1007"
    balance = (await alice.get("/credits/balance")).data
    assert [lot["amount"] for lot in balance["upcoming_expirations"]] == [7]
    assert balance["expiring_within_7_days"] == 7


async def test_a_refusal_is_one_message_and_exit_code_2(command: Command, world: World) -> None:
    refused = await command("credits", "grant", world.acme, 0, "--reason", "Nothing")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("tokportal-server: The amount is 0;")
    assert "Traceback" not in refused.err


async def test_doctor_tells_sound_books_from_broken_ones_by_its_exit_code(
    command: Command, world: World, conn: Connection
) -> None:
    sound = await command("doctor")
    assert sound.code == 0
    assert "contradiction" not in sound.out
    await conn.execute(
        "UPDATE credit_lots SET remaining = remaining - 1 WHERE workspace_id = $1", world.acme
    )
    broken = await command("doctor")
    assert broken.code == 1
    assert "1 contradictions" in broken.out
    assert str(world.acme) in broken.out
    assert str(world.other) not in broken.out


async def test_says_everything_that_is_wrong_with_the_settings_at_once(command: Command) -> None:
    wrong = {
        "TOKPORTAL_PRT": "8000",
        "TOKPORTAL_POOL_SIZE": "none",
        "TOKPORTAL_LOG_LEVEL": "shout",
    }
    refused = await command("doctor", env=wrong)
    assert (refused.code, refused.out) == (2, "")
    for name in wrong:
        assert name in refused.err
    assert "Traceback" not in refused.err


async def test_grants_at_the_same_time_add_up(
    command: Command, world: World, conn: Connection
) -> None:
    granted = await asyncio.gather(
        *(command("credits", "grant", world.acme, 10, "--reason", "Both") for _ in range(2))
    )
    assert sorted(outcome.out for outcome in granted) == ["1010", "1020"]
    assert await conn.fetchval("SELECT count(*) FROM credit_entries") == 4
