"""``workspace export|erase``, ``person export|erase``, ``maintenance`` and ``jobs``."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest

from tests.admin.test_dead_letters import hold
from tests.cast import World
from tests.cli.command import Command
from tokportal_server.lib.db import Connection, Database

WHY = ("--reason", "They asked for it.", "--by", "olga@example.com")


async def test_a_workspace_is_exported_and_erased(
    command: Command, conn: Connection, world: World, tmp_path: Path
) -> None:
    target = tmp_path / "acme.zip"
    done = await command("workspace", "export", world.acme, target, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["bytes"] == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert zipfile.ZipFile(target).testzip() is None
    again = await command("workspace", "export", world.acme, target)
    assert (again.code, "is there already" in again.err) == (2, True)

    wrong = await command("workspace", "erase", world.acme, *WHY, stdin="Acne\n")
    assert wrong.code == 2
    assert "Type the workspace's name (Acme)" in wrong.err
    assert "must be 'Acme'" in wrong.err
    erased = await command("workspace", "erase", world.acme, *WHY, "--yes", "Acme", "--json")
    assert erased.code == 0, erased.err
    assert json.loads(erased.out)["state"] == "settling"
    assert (
        await conn.fetchval("SELECT count(*) FROM api_keys WHERE workspace_id = $1", world.acme)
        == 0
    )
    once_more = await command("workspace", "erase", world.acme, *WHY)
    assert once_more.code == 0
    assert "A worker looks once more" in once_more.out
    for gone in (
        ("workspace", "export", world.acme, tmp_path / "b.zip"),
        ("workspace", "erase", uuid4(), *WHY),
    ):
        assert "There is no workspace" in (await command(*gone)).err
    doctor = await command("doctor")
    assert doctor.code == 0, doctor.out


async def test_a_person_is_exported_and_erased(
    command: Command, conn: Connection, world: World, tmp_path: Path
) -> None:
    target = tmp_path / "bob.zip"
    assert (await command("person", "export", "bob@example.com", target)).code == 0
    assert "person.jsonl" in zipfile.ZipFile(target).namelist()
    owner = await command(
        "person", "erase", "alice@example.com", *WHY, "--yes", "alice@example.com"
    )
    assert (owner.code, "only owner" in owner.err) == (2, True)
    erased = await command("person", "erase", "bob@example.com", *WHY, stdin="bob@example.com\n")
    assert erased.code == 0, erased.err
    assert f"is Erased person {world.bob.hex[:4]} now" in erased.out
    email = await conn.fetchval("SELECT email FROM people WHERE id = $1", world.bob)
    assert email == f"{world.bob.hex}@erased.invalid"
    assert (await command("person", "erase", "bob@example.com", *WHY)).code == 2


async def test_maintenance_is_switched_on_looked_at_and_switched_off(
    command: Command, conn: Connection
) -> None:
    assert (await command("maintenance", "status")).out == "Maintenance is off."
    on = await command(
        "maintenance", "on", "--reason", "Disk", "--until", "2999-01-31T18:00:00", "--json"
    )
    assert on.code == 0, on.err
    assert json.loads(on.out)["until"] == "2999-01-31T18:00:00Z"
    told = (await command("maintenance", "status")).out
    assert told == "Maintenance is on (Disk), expected until 2999-01-31 18:00 UTC."
    past = await command("maintenance", "on", "--reason", "Disk", "--until", "2001-01-31T18:00:00")
    assert (past.code, "must be a time to come" in past.err) == (2, True)
    assert (await command("maintenance", "off", "--reason", "Done")).out == "Maintenance is off."
    assert "is not on" in (await command("maintenance", "off", "--reason", "Done")).err
    rows = await conn.fetch("SELECT action FROM audit ORDER BY ordinal")
    assert [row["action"] for row in rows] == ["maintenance.on", "maintenance.off"]


@pytest.mark.parametrize("by_name", [True, False])
async def test_held_jobs_are_listed_and_run_again(
    command: Command, conn: Connection, database: Database, *, by_name: bool
) -> None:
    assert (await command("jobs", "list")).out == "No job is held."
    first, second = await hold(conn, database, "thumbnail", times=2)
    lines = (await command("jobs", "list", "--name", "thumbnail", "--json")).out.splitlines()
    assert {json.loads(line)["id"] for line in lines} == {first, second}
    assert "[redacted]" in (await command("jobs", "list")).out
    wanted = ("--name", "thumbnail") if by_name else (first, second)
    done = await command("jobs", "retry", *wanted, "--reason", "Mended")
    assert done.out == "Jobs that run again: 2."
    assert (await command("jobs", "retry", "--reason", "Mended")).code == 2
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer WHERE status = 'queued'") == 2
