"""The command line of an operator, as processes: people, workspaces, keys, credits, doctor."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.cast import World
from tests.cli.command import Command
from tests.client import Client
from tokportal_server.lib.clock import real_now
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
    listed = (await command("workspace", "list")).out
    row = next(line for line in listed.splitlines() if str(workspace) in line)
    assert [fact in row for fact in ("Dora & Co", "dora@example.com", "full", "real")] == [True] * 4
    granted = await command("credits", "grant", workspace, 40, "--reason", "Welcome")
    assert (granted.code, granted.out) == (0, "40")
    key = await command(
        "key", "create", workspace, "--owner", "dora@example.com", "--scope", "read"
    )
    async with Client(server, key.out) as dora:
        me = (await dora.get("/me")).data
        # What revoking needs, beside the key and not in the way of a script that takes it.
        assert me["api_key"]["id"] in key.err
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


async def test_a_key_is_edited_without_the_program_that_holds_it_noticing(
    command: Command, alice: Client, world: World
) -> None:
    key = (world.acme, world.alice_key_id)
    usual = (await alice.get("/me")).headers["X-RateLimit-Limit"]
    edited = await command(
        *("key", "edit", *key, "--name", "Importer", "--scope", "read", "--environment", "test"),
        *("--expires-in-days", 2, "--bucket-capacity", 7, "--bucket-refill", 0.5),
    )
    assert (edited.code, edited.out, edited.err) == (0, "", "")
    reply = await alice.get("/me")
    facts = reply.data["api_key"]
    assert (facts["name"], facts["scope"], facts["environment"]) == ("Importer", "read", "test")
    assert facts["expires_at"] is not None
    assert reply.headers["X-RateLimit-Limit"] == "7"
    assert (await alice.post("/bundles", {})).code == "AUTH_INSUFFICIENT_SCOPE"

    listed = await command("key", "list", world.acme)
    (line,) = [line for line in listed.out.splitlines() if str(world.alice_key_id) in line]
    assert all(text in line for text in ("Importer", "read", "7, 0.5/s", "live until"))
    assert world.alice_key not in listed.out
    assert "Charlie" not in listed.out

    assert (await command("key", "edit", *key, "--never-expires", "--default-bucket")).code == 0
    reply = await alice.get("/me")
    assert reply.data["api_key"]["expires_at"] is None
    assert reply.data["api_key"]["name"] == "Importer"
    assert reply.headers["X-RateLimit-Limit"] == usual != "7"


async def test_a_key_can_be_made_to_end_by_itself(
    command: Command, server: str, world: World
) -> None:
    made = await command(
        *("key", "create", world.acme, "--owner", "alice@example.com", "--expires-in-days", 30)
    )
    async with Client(server, made.out) as guest:
        expires = (await guest.get("/me")).data["api_key"]["expires_at"]
    assert timedelta(29) < datetime.fromisoformat(expires) - real_now() <= timedelta(30)


@pytest.mark.parametrize(
    "arguments",
    [("doctor",), ("migrate",), ("worker",), ("key", "list", UUID(int=1)), ("serve",), ("demo",)],
)
async def test_a_database_that_is_away_is_one_message(
    command: Command, arguments: tuple[object, ...]
) -> None:
    # A directory without a socket; the password must not be told.
    away = f"postgresql://someone:hushhush@/x?host={command.home}"
    refused = await command(*arguments, env={"TOKPORTAL_DATABASE_URL": away, "TOKPORTAL_PORT": "0"})
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("tokportal-server: The database cannot be reached: ")
    assert "Traceback" not in refused.err
    assert "hushhush" not in refused.err


async def test_a_database_that_lacks_migrations_is_one_message_until_it_is_migrated(
    command: Command, conn: Connection
) -> None:
    version = await conn.fetchval("SELECT version_num FROM alembic_version")
    for behind in (
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
    ):
        await conn.execute(behind)
        refused = await command("doctor")
        assert (refused.code, refused.out) == (2, "")
        assert "Run tokportal-server migrate" in refused.err
        assert "Traceback" not in refused.err
    # That of a newer release lacks nothing: its commands and ours may run side by side.
    for fit in ("9999", version):
        await conn.execute("DELETE FROM alembic_version")
        await conn.execute("INSERT INTO alembic_version VALUES ($1)", fit)
        assert (await command("doctor")).code == 0


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
    assert refused.err.startswith("tokportal-server: amount: must be")
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
