"""The consent of whom an account belongs to; taken back, work stands still at once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.accounts.revealing import more_videos, owned
from tests.cast import World
from tests.client import Client
from tests.orders.walk import workable, working
from tests.workbench.desk import Desk
from tests.workbench.office import Office
from tokportal_server.accounts.operations.consent import record_consent, revoke_consent
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.errors import NotClaimableError, WorkFrozenError

ACCOUNT_OF = "SELECT saved_account_id FROM bundles WHERE id = $1"
CONSENTS = "SELECT * FROM account_consents ORDER BY valid_from"


async def consented(
    conn: Connection, world: World, account_id: UUID, *, days: float | None = None
) -> None:
    until = None if days is None else real_now() + timedelta(days=days)
    async with working(conn, world) as tx:
        await record_consent(
            tx=tx,
            actor=world.as_olga,
            account_id=account_id,
            owner_name="Anna Owner",
            scope="Posting for Acme",
            valid_until=until,
        )


async def revoked(
    conn: Connection, world: World, account_id: UUID, reason: str = "No more."
) -> None:
    async with working(conn, world) as tx:
        await revoke_consent(tx=tx, actor=world.as_olga, account_id=account_id, reason=reason)


async def test_revoked_consent_stops_new_orders_and_says_why(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    account_id = await owned(alice, conn, world, ports)
    await consented(conn, world, account_id)
    assert (await more_videos(alice, account_id)).status == 201

    await revoked(conn, world, account_id)

    refused = await more_videos(alice, account_id)
    assert (refused.code, refused.details["reason"]) == (
        "SAVED_ACCOUNT_UNAVAILABLE",
        "consent_revoked",
    )
    assert "No more." in refused.json["error"]["message"]
    [consent] = await conn.fetch(CONSENTS)
    assert (consent["owner_name"], consent["revoked_reason"]) == ("Anna Owner", "No more.")
    acts = [row["action"] for row in await olga.audit()]
    assert acts == ["account.record_consent", "account.revoke_consent"]


async def test_work_stands_still_until_there_is_a_new_consent(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    account_id = await conn.fetchval(ACCOUNT_OF, UUID(bundle_id))
    await revoked(conn, world, account_id)
    mona.hours = 24 * 5

    with pytest.raises(WorkFrozenError):
        await mona.post(bundle_id)
    await consented(conn, world, account_id)
    await mona.post(bundle_id)

    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"


async def test_an_order_on_a_frozen_account_is_given_back_and_not_claimed(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await revoked(conn, world, await conn.fetchval(ACCOUNT_OF, UUID(bundle_id)))

    await mona.release(bundle_id)
    with pytest.raises(NotClaimableError, match=r"No more\."):
        await mona.claim(bundle_id)


async def test_consent_ends_by_itself_when_its_time_is_over(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await consented(conn, world, await conn.fetchval(ACCOUNT_OF, UUID(bundle_id)), days=4)
    mona.hours = 24 * 5
    with pytest.raises(WorkFrozenError):
        await mona.post(bundle_id)


async def test_a_consent_needs_an_owner_a_scope_and_an_end_ahead(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    with pytest.raises(ValidationError) as refused:
        async with working(conn, world) as tx:
            await record_consent(
                tx=tx,
                actor=world.as_olga,
                account_id=account_id,
                owner_name=" ",
                scope="",
                valid_until=tx.now,
            )
    fields = {error["field"] for error in refused.value.details["errors"]}
    assert fields == {"owner_name", "scope", "valid_until"}
    with pytest.raises(ValidationError):
        await revoked(conn, world, account_id, "")
