"""``GET /accounts/{id}``."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.bundles.stages import SET_ACCOUNT, delivered, handed_in, in_review
from tests.bundles.test_configure_bundle_account import uploaded
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, claimed, ordered, published
from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

LEAVE = "UPDATE saved_accounts SET manager_id = NULL WHERE id = $1"
SECRETS = Credentials(
    password="planted-password",
    email="planted@mail.example",
    email_password="planted-mail-password",
    recovery_codes=["planted-code"],
)


async def test_a_delivered_account_is_shown_whole(
    alice: Client, bob: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)

    account = (await bob.get(f"/accounts/{account_id}")).data

    [bundle] = (await alice.get("/bundles")).data
    assert account == {
        "id": str(account_id),
        "platform": "tiktok",
        "country": "USA",
        "username": "acme.daily",
        "visible_name": "Acme",
        "profile_url": "https://www.tiktok.com/@acme.daily",
        "profile_picture_url": None,
        "biography": "Every day.",
        "status": "active",
        "banned": False,
        "bundle_id": bundle["id"],
        "delivered_at": bundle["completed_at"],
        "credentials_revealed_at": None,
        "manager": {"id": str(world.mona), "display_name": "Mona"},
        "created_at": account["created_at"],
    }


async def test_an_account_in_review_is_there_but_not_delivered(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    _, account_id = await in_review(alice, conn, world, ports)

    account = (await alice.get(f"/accounts/{account_id}")).data

    assert (account["status"], account["delivered_at"]) == ("active", None)


async def test_no_read_shows_a_secret(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    account_id = await handed_in(conn, world, ports, bundle_id, credentials=SECRETS)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")

    for path in (
        f"/accounts/{account_id}",
        "/accounts",
        f"/bundles/{bundle_id}",
        f"/bundles/{bundle_id}/account",
    ):
        assert b"planted" not in (await alice.get(path)).body


async def test_an_uploaded_picture_is_shown_by_its_address(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=0)
    upload = await uploaded(alice, bundle_id)
    body = {**PROFILE, "profile_picture_url": upload["storage_path"]}
    await alice.put(f"/bundles/{bundle_id}/account", body)
    await alice.post(f"/bundles/{bundle_id}/publish")
    await claimed(conn, world, ports, bundle_id)
    account_id = await handed_in(conn, world, ports, bundle_id)

    account = (await alice.get(f"/accounts/{account_id}")).data

    assert account["profile_picture_url"] == upload["public_url"]


@pytest.mark.parametrize("status", ["banned", "detached"])
async def test_a_lost_account_says_so(
    alice: Client, conn: Connection, world: World, ports: Ports, status: str
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    await conn.execute(SET_ACCOUNT, account_id, status)
    await conn.execute(LEAVE, account_id)

    account = (await alice.get(f"/accounts/{account_id}")).data

    assert (account["status"], account["banned"]) == (status, status == "banned")
    assert account["manager"] is None


@pytest.mark.parametrize("whose", ["nobody's", "Alice's"])
async def test_what_is_not_the_workspaces_is_not_found(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports, whose: str
) -> None:
    account_id = uuid4()
    if whose == "Alice's":
        account_id = await delivered(alice, conn, world, ports)

    reply = await charlie.get(f"/accounts/{account_id}")

    assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
