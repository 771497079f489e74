"""The statements of one request, replayed by pgbench: what PostgreSQL alone would need for it.

1. PostgreSQL logs the statements of an API process with their parameters (``recording``).
2. They become a script of pgbench with those parameters as literals. Ids that the request made up
   become ids that each run makes up, and what belongs to the caller becomes the client's own
   (``script_of``).
3. pgbench runs it in its prepared mode, which is how asyncpg sends statements too (``run``).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import asyncpg

from harness.load import Measured
from harness.stage import Tenant
from tokportal_server.lib.embedded import binaries

# What `recording` needs: the log as JSON, with the parameters that our own settings leave out.
LOGGING = {"log_destination": "jsonlog", "log_error_verbosity": "default"}
ENTRIES = "SELECT id FROM credit_entries"
_EXECUTE = re.compile(r"^execute [^:]+: ", re.DOTALL)
_STATEMENT = "statement: "
_PARAMETER = re.compile(r"\$(\d+) = (?:NULL|'((?:[^']|'')*)')")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(rf"({_UUID}|evt_[0-9a-f]{{32}})")
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_VARIABLE = re.compile(r":(?=\w)")
_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as PostgreSQL got it; parameters as text, None for NULL."""

    sql: str
    parameters: tuple[str | None, ...]


@asynccontextmanager
async def recording(dsn: str, home: Path) -> AsyncIterator[list[Statement]]:
    """Log what sessions that begin in the block do; the list is filled when it ends."""
    conn = await asyncpg.connect(dsn)
    statements: list[Statement] = []
    try:
        await conn.execute("ALTER DATABASE tokportal SET log_statement = 'all'")
        yield statements
        await conn.execute("ALTER DATABASE tokportal RESET log_statement")
    finally:
        await conn.close()
    statements += _read(home)


def _read(home: Path) -> Iterator[Statement]:
    for line in (line for log in home.rglob("*.json") for line in log.read_text().splitlines()):
        entry = json.loads(line)
        message: str = entry["message"]
        if message.startswith(_STATEMENT):
            yield Statement(message.removeprefix(_STATEMENT), ())
        elif _EXECUTE.match(message):
            given = {
                int(m[1]): None if m[2] is None else m[2].replace("''", "'")
                for m in _PARAMETER.finditer(entry.get("detail", ""))
            }
            parameters = tuple(given[number] for number in sorted(given))
            yield Statement(_EXECUTE.sub("", message, count=1), parameters)


def last_request(statements: Sequence[Statement]) -> list[Statement]:
    """Give the statements from the last admission to the end of its transaction."""
    first = max(n for n, s in enumerate(statements) if "FROM admit(" in s.sql)
    last = next(n for n, s in enumerate(statements) if n > first and s.sql.startswith("COMMIT"))
    return list(statements[first : last + 1])


async def script_of(
    conn: asyncpg.Connection[asyncpg.Record],
    statements: Sequence[Statement],
    tenants: Sequence[Tenant],
) -> str:
    """Give the script; the statements are those of a request of the first tenant."""
    own = _own_values(tenants)
    # The one id that comes from the database: pgbench keeps it, as the operation does.
    own |= {str(row["id"]): ":debit_entry_id" for row in await conn.fetch(ENTRIES)}
    fresh: dict[str, str] = {}
    lines = [r"\set r random(1, 9000000000000000)"]
    for statement in statements:
        types = (await conn.prepare(statement.sql)).get_parameters() if statement.parameters else ()
        sql = statement.sql
        # From the last one on, so that $1 is not found in $10.
        for number in range(len(statement.parameters), 0, -1):
            value = statement.parameters[number - 1]
            literal = "NULL" if value is None else _literal(value, own, fresh)
            sql = sql.replace(f"${number}", f"CAST({literal} AS {types[number - 1].name})")
        end = r" \gset debit_" if "ledger_debit(" in sql else ";"
        lines.append(" ".join(sql.split()).rstrip(";") + end)
    return "\n".join(lines) + "\n"


def _own_values(tenants: Sequence[Tenant]) -> dict[str, str]:
    """Map what belongs to the first tenant to an expression for what belongs to the client's."""
    columns = (
        [str(tenant.workspace) for tenant in tenants],
        [str(tenant.key_id) for tenant in tenants],
        [rf"\x{sha256(tenant.key.encode()).hexdigest()}" for tenant in tenants],
    )
    return {
        column[0]: f"(ARRAY[{', '.join(map(_quoted, column))}])[:client_id::int + 1]"
        for column in columns
    }


def _literal(value: str, own: dict[str, str], fresh: dict[str, str]) -> str:
    if value in own:
        return own[value]
    parts = [_part(text, own, fresh) for text in _ID.split(value) if text]
    return "(" + " || ".join(parts) + ")" if parts else "''"


def _part(text: str, own: dict[str, str], fresh: dict[str, str]) -> str:
    if text in own:
        return own[text]
    if not _ID.fullmatch(text):
        return _quoted(text)
    if text not in fresh:
        digits = f"lpad(to_hex(:r::bigint + {len(fresh)}), 32, '0')"
        fresh[text] = f"'evt_' || {digits}" if text.startswith("evt_") else f"{digits}::uuid::text"
    return fresh[text]


def _quoted(text: str) -> str:
    # pgbench takes a colon before a word for a variable, in a literal too.
    quoted = "'" + text.replace("'", "''") + "'"
    return _VARIABLE.sub(":' || '", quoted)


async def run(dsn: str, script: Path, clients: int) -> Measured:
    """Run the script for a second on so many connections; the CPU time is not measured."""
    process = await asyncio.create_subprocess_exec(
        str(binaries.locate(18).program("pgbench")),
        *("--no-vacuum", "--protocol=prepared", f"--file={script}"),
        *(f"--client={clients}", f"--time={_SECONDS}", dsn),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    found = _TPS.search(out.decode())
    assert process.returncode == 0, errors.decode()
    assert found is not None, out.decode()
    return Measured(float(found[1]), 0.0)
