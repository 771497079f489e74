# ruff: noqa: RUF001 - one code is written with digits of another width
"""What managers do for delivered accounts: edit requests, codes, and opening credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.accounts.revealing import PLANTED, PROFILE_CHANGE, balance, owned
from tests.bundles.stages import handed_in, wrong_books
from tests.bundles.test_configure_bundle_account import uploaded
from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, events_of, ordered, published, working
from tests.workbench.desk import hire
from tests.workbench.office import Office
from tokportal_server.accounts.errors import (
    EditRequestNotFoundError,
    EditRequestStatusError,
    NotAccountsManagerError,
)
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.complete_edit_request import (
    MadeChanges,
    complete_edit_request,
)
from tokportal_server.workbench.operations.enter_code import enter_code
from tokportal_server.workbench.operations.open_credentials import open_credentials
from tokportal_server.workbench.operations.reject_edit_request import reject_edit_request

PROFILE_URL = "https://www.tiktok.com/@acme.weekly"
MADE = MadeChanges(profile_url=PROFILE_URL)
CHANGES = "SELECT changes FROM edit_requests WHERE id = $1"


async def asked(alice: Client, account_id: UUID, **more: Any) -> UUID:
    reply = await alice.post(f"/accounts/{account_id}/edit-request", {**PROFILE_CHANGE, **more})
    return UUID(reply.data["id"])


async def at_work(
    conn: Connection, world: World, act: Callable[[UnitOfWork, Actor], Awaitable[Any]]
) -> Any:
    async with working(conn, world) as tx:
        return await act(tx, world.as_mona)


async def accepted(conn: Connection, world: World, request_id: UUID) -> None:
    await at_work(
        conn, world, lambda tx, who: accept_edit_request(tx=tx, actor=who, request_id=request_id)
    )


async def completed(
    conn: Connection, world: World, request_id: UUID, made: MadeChanges = MADE
) -> None:
    await at_work(
        conn,
        world,
        lambda tx, who: complete_edit_request(tx=tx, actor=who, request_id=request_id, made=made),
    )


async def test_a_manager_accepts_and_makes_the_change(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    request_id = await asked(alice, account_id)

    await accepted(conn, world, request_id)
    active = (await alice.get(f"/accounts/{account_id}/edit-request")).data
    await completed(conn, world, request_id)

    assert active["status"] == "in_progress"
    assert (await alice.get(f"/accounts/{account_id}/edit-request")).data is None
    account = (await alice.get(f"/accounts/{account_id}")).data
    shown = [account[name] for name in ("username", "visible_name", "profile_url", "biography")]
    assert shown == ["acme.weekly", "Acme Weekly", PROFILE_URL, "Every day."]
    [told] = await events_of(conn, world, "edit_request.completed")
    assert told["data"] == {
        "edit_request_id": str(request_id),
        "saved_account_id": str(account_id),
        "platform": "tiktok",
        "status": "completed",
        "previous_status": "in_progress",
    }
    changed = {one["field"]: one["after"] for one in await conn.fetchval(CHANGES, request_id)}
    assert changed == {
        "username": "acme.weekly",
        "visible_name": "Acme Weekly",
        "profile_url": PROFILE_URL,
    }
    assert await wrong_books(conn) == {}


async def test_a_manager_may_have_had_to_take_another_name(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    request_id = await asked(alice, account_id)
    await accepted(conn, world, request_id)
    made = MadeChanges(username="acme.weekly2", profile_url=f"{PROFILE_URL}2", biography="New.")

    await completed(conn, world, request_id, made)

    account = (await alice.get(f"/accounts/{account_id}")).data
    assert (account["username"], account["biography"]) == ("acme.weekly2", "New.")


async def test_a_new_picture_becomes_the_accounts(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    upload = await uploaded(alice, await ordered(alice, videos=0))
    request_id = await asked(
        alice, account_id, requested_profile_picture_url=upload["storage_path"]
    )
    await accepted(conn, world, request_id)
    await completed(conn, world, request_id)
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert account["profile_picture_url"] == upload["public_url"]


@pytest.mark.parametrize("before", ["pending", "in_progress"])
async def test_a_rejected_request_is_paid_back_with_its_reason(
    alice: Client, conn: Connection, world: World, ports: Ports, before: str
) -> None:
    account_id = await owned(alice, conn, world, ports)
    credits_before = await balance(alice)
    request_id = await asked(alice, account_id)
    if before == "in_progress":
        await accepted(conn, world, request_id)

    returned = await at_work(
        conn,
        world,
        lambda tx, who: reject_edit_request(
            tx=tx, actor=who, request_id=request_id, reason="The name is taken."
        ),
    )

    assert (returned, await balance(alice)) == (8, credits_before)
    [told] = await events_of(conn, world, "edit_request.rejected")
    assert told["data"]["previous_status"] == before
    row = await conn.fetchrow("SELECT reason, completed_at FROM edit_requests")
    assert row is not None
    assert (row["reason"], row["completed_at"] is None) == ("The name is taken.", False)
    assert (await alice.post(f"/accounts/{account_id}/edit-request", PROFILE_CHANGE)).status == 201
    assert await wrong_books(conn) == {}


async def test_a_request_is_taken_up_in_order_by_the_accounts_manager_alone(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    request_id = await asked(alice, account_id)
    nora = await hire(conn)

    with pytest.raises(NotAccountsManagerError):
        async with working(conn, world) as tx:
            await accept_edit_request(tx=tx, actor=nora, request_id=request_id)
    with pytest.raises(EditRequestStatusError):
        await completed(conn, world, request_id)
    await accepted(conn, world, request_id)
    with pytest.raises(EditRequestStatusError):
        await accepted(conn, world, request_id)
    with pytest.raises(EditRequestNotFoundError):
        await accepted(conn, world, uuid4())


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (MadeChanges(profile_url="https://example.com/me"), "profile_url"),
        (MadeChanges(profile_url=PROFILE_URL, username="two words"), "username"),
        (MadeChanges(profile_url=PROFILE_URL, biography="x" * 201), "biography"),
        (MadeChanges(profile_url=PROFILE_URL, visible_name="x" * 101), "visible_name"),
    ],
)
async def test_what_cannot_have_been_made_is_refused(
    alice: Client, conn: Connection, world: World, ports: Ports, made: MadeChanges, field: str
) -> None:
    request_id = await asked(alice, await owned(alice, conn, world, ports))
    await accepted(conn, world, request_id)
    with pytest.raises(ValidationError) as refused:
        await completed(conn, world, request_id, made)
    assert [one["field"] for one in refused.value.details["errors"]] == [field]


async def test_whoever_holds_a_claim_opens_the_credentials_and_it_is_no_reveal(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    account_id = await handed_in(conn, world, ports, bundle_id, credentials=PLANTED)

    async def look(tx: UnitOfWork, who: Actor) -> Any:
        return await open_credentials(tx=tx, actor=who, vault=ports.vault, account_id=account_id)

    assert await at_work(conn, world, look) == PLANTED
    [noted] = await olga.audit()
    assert (noted["action"], noted["actor_id"]) == ("account.open_credentials", world.mona)
    assert await events_of(conn, world, "account.revealed") == []
    # With the delivery the claim has ended, and with it the reason to look.
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    with pytest.raises(NotAccountsManagerError):
        await at_work(conn, world, look)


@pytest.mark.parametrize("code", ["123", "123456789", "12a4", "", "１２３４", "1234\n"])
async def test_a_code_has_four_to_eight_digits(
    alice: Client, conn: Connection, world: World, ports: Ports, code: str
) -> None:
    account_id = await owned(alice, conn, world, ports)
    with pytest.raises(ValidationError):
        async with working(conn, world) as tx:
            await enter_code(
                tx=tx, actor=world.as_mona, vault=ports.vault, account_id=account_id, code=code
            )


async def test_a_stranger_enters_no_code(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    nora = await hire(conn)
    with pytest.raises(NotAccountsManagerError):
        async with working(conn, world) as tx:
            await enter_code(
                tx=tx, actor=nora, vault=ports.vault, account_id=account_id, code="123456"
            )
