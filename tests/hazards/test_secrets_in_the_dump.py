"""A dump of the database, its jobs and the logs hold no API key, webhook secret or credential."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.accounts.revealing import PLANTED, code_entered, owned
from tests.accounts.test_secrets_at_rest import dumped
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, ordered, video
from tokportal_server.lib import log
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.dispatch import Dispatcher

CODE = "60318842"
JOBS = "SELECT entrypoint, convert_from(payload, 'UTF8') AS payload FROM pgqueuer"


@pytest.fixture(autouse=True)
def talkative() -> Iterator[None]:
    """Let this process, in which the server runs, log all that it can."""
    log.configure("debug", "json")
    yield
    log.configure("warning", "console")


def spellings(secret: str) -> set[str]:
    """Give a secret as it is, in hex as a dump shows bytes, and in base64."""
    raw = secret.encode()
    return {secret, raw.hex(), base64.b64encode(raw).decode().rstrip("=")}


def leaks(text: str, secrets: set[str]) -> set[str]:
    """Give the secrets that a text holds in any spelling."""
    return {secret for secret in secrets if any(one in text for one in spellings(secret))}


async def secrets_used(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> tuple[set[str], str]:
    """Use every kind of secret there is; give them all, and what the answers showed."""
    account = await owned(alice, conn, world, ports)
    await code_entered(conn, world, ports, account, CODE)
    hook = {"url": "https://example.com/hook", "events": ["bundle.created"]}
    answers = [
        await alice.post("/webhooks", hook, headers={"Idempotency-Key": "hook"}),
        await alice.post(
            f"/accounts/{account}/reveal-credentials", headers={"Idempotency-Key": "r"}
        ),
        await alice.post(f"/accounts/{account}/verification-code"),
    ]
    # Jobs of several kinds, some of them from events that the dispatcher hands on.
    bundle = await ordered(alice)
    await alice.put(f"/bundles/{bundle}/account", PROFILE)
    await alice.put(f"/bundles/{bundle}/videos/1", video())
    while await Dispatcher(ports).run_once():
        pass
    secrets = {
        world.alice_key,
        world.bob_key,
        world.charlie_key,
        answers[0].data["signing_secret"],
        PLANTED.password,
        PLANTED.email,
        PLANTED.email_password,
        *PLANTED.recovery_codes,
        CODE,
    }
    return {str(secret) for secret in secrets}, "".join(one.body.decode() for one in answers)


@pytest.mark.hazard(34)
async def test_no_table_no_job_and_no_log_line_holds_a_secret(
    capfd: pytest.CaptureFixture[str], alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    secrets, shown = await secrets_used(alice, conn, world, ports)
    # They were real: the answers, and nothing else, show those that are not keys.
    keys = {world.alice_key, world.bob_key, world.charlie_key}
    assert leaks(shown, secrets) == secrets - keys
    jobs = await conn.fetch(JOBS)
    assert {"fetch_media"} <= {row["entrypoint"] for row in jobs}
    assert leaks("\n".join(row["payload"] for row in jobs), secrets) == set()
    assert leaks(await dumped(conn), secrets) == set()
    logged = "".join(capfd.readouterr())
    assert "reveal-credentials" in logged
    assert leaks(logged, secrets) == set()
