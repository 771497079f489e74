"""Everything that is done with delivered accounts takes its locks in the one order."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from tests.accounts.revealing import PROFILE_CHANGE, code_entered, fee_set, more_videos, owned
from tests.cast import World
from tests.client import Client
from tests.orders.lock_probe import LockProbe, watching
from tests.orders.walk import working
from tokportal_server.accounts.operations.consent import record_consent, revoke_consent
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.ban_account import ban_account
from tokportal_server.workbench.operations.complete_edit_request import (
    MadeChanges,
    complete_edit_request,
)
from tokportal_server.workbench.operations.reject_edit_request import reject_edit_request

AGREED = {"acknowledge_support_forfeit": True, "policy_version": "acknowledge-3"}


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> LockProbe:
    """Watch every connection that is opened from now on, the server's own among them."""
    return watching(monkeypatch)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, reveal_policy="acknowledge")


async def _asked(alice: Client, account_id: UUID) -> UUID:
    reply = await alice.post(
        f"/accounts/{account_id}/edit-request", PROFILE_CHANGE, headers={"Idempotency-Key": "ask"}
    )
    return UUID(reply.data["id"])


async def _laden(alice: Client, account_id: UUID) -> None:
    """Give an account live bundles and an edit request, which end with it."""
    for _ in range(2):
        assert (await more_videos(alice, account_id)).status == 201
    reply = await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)
    assert reply.status == 201


async def test_reveals_edits_bans_and_consents_keep_the_order_of_locks(
    probe: LockProbe, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    probe.watch(conn)
    first, second = [await owned(alice, conn, world, ports) for _ in range(2)]
    await fee_set(conn, world, 3)
    request_id = await _asked(alice, first)
    async with working(conn, world) as tx:
        await accept_edit_request(tx=tx, actor=world.as_mona, request_id=request_id)
    made = MadeChanges(profile_url="https://www.tiktok.com/@acme.weekly")
    async with working(conn, world) as tx:
        await complete_edit_request(tx=tx, actor=world.as_mona, request_id=request_id, made=made)
    other = await alice.post(f"/accounts/{second}/edit-request", PROFILE_CHANGE)
    async with working(conn, world) as tx:
        await reject_edit_request(
            tx=tx, actor=world.as_mona, request_id=UUID(other.data["id"]), reason="Taken."
        )
    async with working(conn, world) as tx:
        await revoke_consent(tx=tx, actor=world.as_olga, account_id=first, reason="No more.")
    async with working(conn, world) as tx:
        await record_consent(
            tx=tx, actor=world.as_olga, account_id=first, owner_name="Anna", scope="All"
        )
    for account_id in (first, second):
        await _laden(alice, account_id)
    await code_entered(conn, world, ports, first, "482913")
    for path in ("reveal-credentials", "verification-code"):
        reply = await alice.post(
            f"/accounts/{first}/{path}", AGREED, headers={"Idempotency-Key": path}
        )
        assert reply.status == 200, reply.body
    async with working(conn, world) as tx:
        await ban_account(tx=tx, actor=world.as_olga, account_id=second, reason="Spam.")
    assert any("saved_accounts" in order for order in probe.orders())
    assert probe.faults() == set()
