"""The command line as a whole: what it lists, and what it loads."""

from __future__ import annotations

import asyncio
import sys

from tests.cli.command import Command
from tokportal_server.entry.command_page import command_paths
from tokportal_server.entry.commands import app


async def test_the_help_lists_each_command_with_what_it_says_of_itself(command: Command) -> None:
    asked = await command("--help")
    assert (asked.code, asked.err) == (0, "")
    unasked = await command()
    assert (unasked.code, unasked.out) == (0, asked.out)
    for name in {path[0] for path, _ in command_paths(app)}:
        row = next(line for line in asked.out.splitlines() if line.startswith(f"│ {name} "))
        told = row.strip("│ ").removeprefix(name).strip()
        assert told, name
        help_of_it = app[name].help or app[name].default_command.__doc__ or ""
        assert told in " ".join(help_of_it.split())


async def test_a_name_that_is_no_command_is_told_the_nearest(command: Command) -> None:
    mistyped = await command("wrker")
    assert (mistyped.code, mistyped.out) == (2, "")
    assert 'Did you mean "worker"?' in mistyped.err


async def test_what_a_command_does_not_need_is_not_loaded() -> None:
    code = (
        "import sys, tokportal_server.entry.main;"
        "print({'asyncpg', 'alembic', 'litestar'} & sys.modules.keys());"
        "import tokportal_server.entry.server_commands;"
        "print({'litestar', 'PIL', 'jinja2'} & sys.modules.keys())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().splitlines() == ["set()", "set()"]
