"""Planted secrets are nowhere in clear: tables, files, logs, events, errors; and stay in place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounts.revealing import PLANTED, code_entered, fee_set, owned
from tests.cast import World
from tests.client import Client
from tests.http.test_dry_run import TABLES
from tokportal_server.accounts.sealing import open_code, open_credentials
from tokportal_server.lib import log
from tokportal_server.lib.crypto import VaultError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings

CODE = "77290413"
SECRETS = (
    PLANTED.password,
    PLANTED.email,
    PLANTED.email_password,
    *PLANTED.recovery_codes,
    CODE,
)
SWAP_ITEMS = """
UPDATE vault_items v SET sealed = o.sealed FROM vault_items o
 WHERE o.saved_account_id <> v.saved_account_id
"""
SWAP_CODES = """
UPDATE verification_codes v SET sealed = o.sealed FROM verification_codes o WHERE o.id <> v.id
"""


def leaks(text: str) -> set[str]:
    """Give the secrets that a text holds, as they are, in hex, or in PostgreSQL's own escape."""
    return {secret for secret in SECRETS if secret in text or secret.encode().hex() in text.lower()}


@pytest.fixture(autouse=True)
def talkative() -> Iterator[None]:
    """Let this process, in which the server runs, log all that it can."""
    log.configure("debug", "json")
    yield
    log.configure("warning", "console")


async def dumped(conn: Connection) -> str:
    """Give every row of every table as text."""
    tables = [row["relname"] for row in await conn.fetch(TABLES)]
    assert {"vault_items", "verification_codes", "idempotency_keys", "events"} <= set(tables)
    rows = [
        str(row[0])
        for table in tables
        for row in await conn.fetch(f"SELECT to_jsonb(x)::text FROM {table} x")
    ]
    return "\n".join(rows)


@pytest.mark.hazard(34)
async def test_nothing_but_the_answer_ever_shows_a_secret(
    capfd: pytest.CaptureFixture[str],
    alice: Client,
    charlie: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    settings: Settings,
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account_id, CODE)
    paths = [
        f"/accounts/{account_id}/{last}" for last in ("reveal-credentials", "verification-code")
    ]
    shown = [await alice.post(path, headers={"Idempotency-Key": path}) for path in paths]
    assert leaks("".join(reply.body.decode() for reply in shown)) == set(SECRETS)

    await fee_set(conn, world, 5)
    others = [
        await alice.post(paths[0]),
        await alice.post(paths[0], {"password": "?"}),
        await alice.post(paths[0], headers={"X-TokPortal-Dry-Run": "true"}),
        await alice.post(paths[0], {"a": 1}, headers={"Idempotency-Key": paths[0]}),
        await charlie.post(paths[0], headers={"Idempotency-Key": paths[0]}),
        await alice.get(f"/accounts/{account_id}"),
        await alice.get("/events"),
        await alice.get("/credits/history"),
    ]
    assert leaks("".join(reply.body.decode() for reply in others)) == set()
    assert leaks(await dumped(conn)) == set()
    logged = "".join(capfd.readouterr())
    assert "reveal-credentials" in logged
    assert leaks(logged) == set()
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert leaks("".join(path.read_bytes().decode("latin-1") for path in files)) == set()


async def test_an_error_with_secrets_at_hand_shows_none(
    capfd: pytest.CaptureFixture[str], alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await conn.execute("UPDATE vault_items SET sealed = set_byte(sealed, 100, 0)")

    reply = await alice.post(f"/accounts/{account_id}/reveal-credentials")

    assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")
    assert leaks(reply.body.decode() + "".join(capfd.readouterr())) == set()


@pytest.mark.hazard(34)
async def test_ciphertexts_that_change_rows_do_not_open(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    accounts = [await owned(alice, conn, world, ports) for _ in range(2)]
    for account_id in accounts:
        await code_entered(conn, world, ports, account_id, CODE)
    await conn.execute(SWAP_ITEMS)
    await conn.execute(SWAP_CODES)

    for row in await conn.fetch("SELECT workspace_id, saved_account_id, sealed FROM vault_items"):
        with pytest.raises(VaultError):
            open_credentials(
                ports.vault,
                row["sealed"],
                workspace_id=row["workspace_id"],
                account_id=row["saved_account_id"],
            )
    for row in await conn.fetch("SELECT workspace_id, id, sealed FROM verification_codes"):
        with pytest.raises(VaultError):
            open_code(
                ports.vault, row["sealed"], workspace_id=row["workspace_id"], code_id=row["id"]
            )
    for path in ("reveal-credentials", "verification-code"):
        assert (await alice.post(f"/accounts/{accounts[0]}/{path}")).status == 500
