"""``POST /hooks/inbound-mail``: signed, sized, told apart from replays, and sealed."""

from __future__ import annotations

import time
from dataclasses import replace
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import pytest

from tests.accounts.revealing import PLANTED, owned
from tests.bundles.stages import handed_in
from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, published
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.signing import sign_webhook

SECRET = "a-secret-of-the-mail-server"
CODES = "SELECT count(*) FROM verification_codes"
MAIL = {
    "message_id": "<1@platform.example>",
    "recipients": [PLANTED.email],
    "sender": "Platform <no-reply@platform.example>",
    "subject": "Verify it's you",
    "text": "Your verification code is 482913. Order 5550123.",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings, inbound_mail_secret=SECRET, inbound_mail_max_bytes=4096
    )


async def hand_over(
    server: str,
    mail: dict[str, Any] | bytes,
    *,
    secret: str = SECRET,
    age: int = 0,
    content_type: str = "application/json",
) -> tuple[int, Any]:
    """Hand a mail over, signed as our webhooks are; give the status and the answer."""
    body = mail if isinstance(mail, bytes) else msgspec.json.encode(mail)
    signature = sign_webhook(secret, int(time.time()) - age, body)
    headers = {"Content-Type": content_type, "TokPortal-Signature": signature}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server}/hooks/inbound-mail", data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def read_code(alice: Client, account_id: UUID) -> Any:
    return (await alice.post(f"/accounts/{account_id}/verification-code")).data


async def test_a_mails_code_reaches_the_customer(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)

    assert await hand_over(server, MAIL) == (200, {"data": {"stored": 1}})

    shown = await read_code(alice, account_id)
    assert (shown["code"], shown["sender"], shown["subject"]) == (
        "482913",
        "Platform <no-reply@platform.example>",
        "Verify it's you",
    )


async def test_a_message_that_comes_again_changes_nothing(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await owned(alice, conn, world, ports)
    await hand_over(server, MAIL)
    again = await hand_over(server, MAIL)
    assert again == (200, {"data": {"stored": 0}})
    assert await conn.fetchval(CODES) == 1


@pytest.mark.parametrize(
    "wrong", [{"secret": "another-secret-of-somebody"}, {"age": 301}, {"age": -302}]
)
async def test_who_did_not_sign_now_and_with_the_secret_is_refused(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports, wrong: Any
) -> None:
    await owned(alice, conn, world, ports)
    status, answer = await hand_over(server, MAIL, **wrong)
    assert (status, answer["error"]["code"]) == (401, "SIGNATURE_INVALID")
    assert await conn.fetchval(CODES) == 0


async def test_a_mail_that_is_too_long_is_refused_before_it_is_read(
    server: str, conn: Connection
) -> None:
    status, answer = await hand_over(server, {**MAIL, "text": "x" * 5000})
    assert (status, answer["error"]["code"]) == (413, "BODY_TOO_LARGE")
    assert await conn.fetchval(CODES) == 0


async def test_what_is_no_mail_is_refused(server: str) -> None:
    told = [
        await hand_over(server, b"{"),
        await hand_over(server, {"recipients": []}),
        await hand_over(server, MAIL, content_type="text/plain"),
        await hand_over(server, b"Subject: x\n\nHi", content_type="message/rfc822"),
    ]
    codes = [(status, answer["error"]["code"]) for status, answer in told]
    assert codes == [
        (400, "MALFORMED_JSON"),
        (400, "VALIDATION_ERROR"),
        (415, "UNSUPPORTED_CONTENT_TYPE"),
        (400, "VALIDATION_ERROR"),
    ]


async def test_a_message_itself_is_read_plain_or_html(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await owned(alice, conn, world, ports)
    message = EmailMessage()
    message["Message-ID"] = "<2@platform.example>"
    message["From"] = "no-reply@platform.example"
    message["To"] = f"Acme <{PLANTED.email.upper()}>"
    message["Subject"] = "Dein Bestätigungscode"
    message.set_content("Bitte als HTML lesen.")
    message.add_alternative("<p>Dein Code:</p><div><b>771 204</b></div>", subtype="html")

    answer = await hand_over(server, message.as_bytes(), content_type="message/rfc822")

    assert answer == (200, {"data": {"stored": 1}})
    shown = await read_code(alice, account_id)
    assert (shown["code"], shown["subject"]) == ("771204", "Dein Bestätigungscode")


async def test_mail_without_a_code_or_for_nobody_is_forgotten(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await owned(alice, conn, world, ports)
    for mail in (
        {**MAIL, "text": "Your order 482913 is on its way.", "subject": "Order"},
        {**MAIL, "recipients": ["nobody@mail.example"]},
    ):
        assert await hand_over(server, mail) == (200, {"data": {"stored": 0}})
    assert await conn.fetchval(CODES) == 0


async def test_an_address_of_two_customers_gives_neither_the_code(
    server: str,
    alice: Client,
    charlie: Client,
    conn: Connection,
    world: World,
    ports: Ports,
) -> None:
    await owned(alice, conn, world, ports)
    theirs = replace(world, acme=world.other)
    bundle_id = await published(charlie, videos=0)
    await claimed(conn, theirs, ports, bundle_id)
    await handed_in(conn, theirs, ports, bundle_id, credentials=PLANTED)

    assert await hand_over(server, MAIL) == (200, {"data": {"stored": 0}})
    assert await conn.fetchval(CODES) == 0


async def test_accounts_of_one_customer_with_one_address_all_get_the_code(
    server: str, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    accounts = [await owned(alice, conn, world, ports) for _ in range(2)]
    assert await hand_over(server, MAIL) == (200, {"data": {"stored": 2}})
    assert [(await read_code(alice, one))["code"] for one in accounts] == ["482913"] * 2
