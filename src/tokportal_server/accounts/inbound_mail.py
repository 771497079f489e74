"""``POST /hooks/inbound-mail``: a mail server hands over what came for the addresses of accounts.

1. The signature is checked: HMAC over the time and the body, as on our webhooks, 300 seconds long.
2. The mail is read: JSON, or the message itself as ``message/rfc822``.
3. The account is found by the keyed hash of an address that the mail was sent to.
4. The code, sender and subject are sealed; the rest of the mail is forgotten. A message that comes
   again changes nothing. Nothing of a mail is ever logged.
"""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from tokportal_server.accounts.mail_codes import find_code
from tokportal_server.accounts.messages import InboundMail, read_message
from tokportal_server.accounts.operations.store_code import store_code
from tokportal_server.accounts.sealing import SealedCode, address_hashes
from tokportal_server.http.answers import JSON
from tokportal_server.http.body import arriving
from tokportal_server.http.errors import BodyTooLargeError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.signing import verify_signature
from tokportal_server.lib.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

PATH = "/hooks/inbound-mail"
SIGNATURE = "TokPortal-Signature"
FIND_ACCOUNTS = """
SELECT a.workspace_id, a.id, w.clock_offset FROM saved_accounts a
  JOIN workspaces w ON w.id = a.workspace_id
 WHERE a.address_hash = ANY ($1::bytea[])
 ORDER BY a.workspace_id, a.id
"""
_LONGEST_TEXT = 200


class InvalidSignatureError(ApiError):
    """The signature is missing, wrong, or more than 300 seconds old."""

    code = "SIGNATURE_INVALID"
    status = 401
    remedy = (
        "The operator: sign the body with `TOKPORTAL_INBOUND_MAIL_SECRET`, and set the clock of"
        " whoever signs."
    )


def inbound_mail_routes(ports: Ports) -> list[HTTPRouteHandler]:
    """Give the route, if a secret for it is set."""
    secret = ports.settings.inbound_mail_secret
    if secret is None:
        return []

    @route(PATH, http_method=HttpMethod.POST, status_code=200)
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Keep the code of a mail; tell for how many accounts one is new."""
        request.scope["tokportal_operation"] = "receive_mail"  # type: ignore[typeddict-unknown-key]
        body = await _body(request, ports.settings.inbound_mail_max_bytes)
        given = request.headers.get(SIGNATURE, "")
        if not verify_signature(secret, given, body, now=int(time.time())):
            raise InvalidSignatureError(
                f"{SIGNATURE} is missing, wrong, or more than 300 seconds old. Nothing was kept."
            )
        mail = read_message(body, request.headers.get("content-type", ""))
        stored = await keep_code(ports, mail)
        return Response(
            msgspec.json.encode({"data": {"stored": stored}}), status_code=200, media_type=JSON
        )

    return [receive]


async def keep_code(ports: Ports, mail: InboundMail) -> int:
    """Keep the code of a mail for every account that has its address; give how many are new.

    Accounts of several workspaces with one address are a mistake of whoever set them up; then
    nobody gets the code, for it could be another customer's.
    """
    code = find_code(subject=mail.subject, text=mail.text, html=mail.html)
    if code is None:
        return 0
    sealed = SealedCode(
        code=code,
        sender=mail.sender[:_LONGEST_TEXT] or None,
        subject=mail.subject[:_LONGEST_TEXT] or None,
    )
    hashes = [h for to in mail.recipients for h in address_hashes(ports.vault, to)]
    async with ports.database.connection() as conn:
        await ports.maintenance.refuse_writes(conn)
        found = await conn.fetch(FIND_ACCOUNTS, hashes)
        if len({row["workspace_id"] for row in found}) > 1:
            log.warning("inbound_mail_ambiguous", accounts=[str(row["id"]) for row in found])
            return 0
        digest = hashlib.sha256(mail.message_id.encode()).digest()
        return sum([await _keep(ports, conn, sealed, digest, **dict(row)) for row in found])


async def _keep(
    ports: Ports,
    conn: Connection,
    code: SealedCode,
    digest: bytes,
    *,
    workspace_id: UUID,
    id: UUID,  # noqa: A002 - as the row names it
    clock_offset: timedelta,
) -> bool:
    async with unit_of_work(conn, workspace_id, now=real_now() + clock_offset) as tx:
        return await store_code(
            tx=tx, vault=ports.vault, account_id=id, code=code, message_digest=digest
        )


async def _body(request: Request[Any, Any, Any], max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in arriving(request.stream()):
        size += len(chunk)
        if size > max_bytes:
            raise BodyTooLargeError(
                f"The mail is longer than {max_bytes} bytes. Send it without its attachments.",
                details={"max_bytes": max_bytes},
            )
        chunks.append(chunk)
    return b"".join(chunks)
