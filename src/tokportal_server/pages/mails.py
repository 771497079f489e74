"""Mail to people: one-time links, and notices that they chose to get so.

A mail is a job, tried again while the mail server is away. One that holds a secret lies sealed in
the database until it is sent; a job names its row and nothing more.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import msgspec
import structlog

from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue_all, forget_jobs
from tokportal_server.lib.mail import Mail, Mailer
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.notice_links import link_of
from tokportal_server.pages.texts import text

log = structlog.get_logger(__name__)

KEEP = "INSERT INTO sealed_mails (id, mail_sealed) VALUES ($1, $2)"
SEALED = "SELECT mail_sealed FROM sealed_mails WHERE id = $1"
DONE = "DELETE FROM sealed_mails WHERE id = $1"
WAITING = "SELECT id, mail_sealed FROM sealed_mails ORDER BY id FOR UPDATE"
FORGET = "DELETE FROM sealed_mails WHERE id = ANY ($1)"
NOTICE = """
SELECT n.workspace_id, n.text, n.about, n.topic, p.email, p.name, w.name AS workspace
  FROM notices n JOIN people p ON p.id = n.person_id JOIN workspaces w ON w.id = n.workspace_id
 WHERE n.workspace_id = $1 AND n.person_id = $2 AND n.kind = $3 AND n.subject = $4
   AND n.mailed_at IS NULL
"""
MAILED = """
UPDATE notices SET mailed_at = now()
 WHERE workspace_id = $1 AND person_id = $2 AND kind = $3 AND subject = $4
"""
PURGE = "DELETE FROM sealed_mails WHERE created_at < now() - interval '8 days'"

SEALED_MAIL_JOB: Final = "sealed_mail"
LinkPurpose = Literal["invitation", "password_reset", "workspace_invitation"]


def mail_context(mail_id: UUID) -> str:
    """Name what a sealed mail is bound to."""
    return f"sealed_mails {mail_id}"


async def mail_link(
    conn: Connection, ports: Ports, purpose: LinkPurpose, *, to: str, link: str, about: str
) -> bool:
    """Have a one-time link mailed; False without a mail server: then it must be handed over.

    ``about`` is whom the mail greets, or the workspace that it invites to.
    """
    mailer = Mailer.of(ports.settings)
    if mailer is None:
        return False
    mail_id = uuid4()
    mail = Mail(
        to=to,
        subject=text(f"mail.{purpose}.subject", about=about),
        text=text(f"mail.{purpose}.text", about=about, link=link),
        key=str(mail_id),
    )
    sealed = ports.vault.seal(msgspec.json.encode(mail), context=mail_context(mail_id))
    async with conn.transaction():
        await conn.execute(KEEP, mail_id, sealed)
        await enqueue_all(conn, SEALED_MAIL_JOB, [{"mail_id": str(mail_id)}])
    return True


async def purge_mails(conn: Connection) -> int:
    """Delete mails that could not be sent while their link was good; give how many there were."""
    return int((await conn.execute(PURGE)).removeprefix("DELETE "))


async def forget_mails(vault: Vault, conn: Connection, to: str) -> None:
    """Delete the sealed mails to an address, in small letters, that are not sent yet."""
    theirs = []
    for row in await conn.fetch(WAITING):
        opened = vault.open(row["mail_sealed"], context=mail_context(row["id"]))
        if msgspec.json.decode(opened, type=Mail).to.lower() == to:
            theirs.append(row["id"])
    await forget_jobs(conn, "mail_id", theirs)
    await conn.execute(FORGET, theirs)


class MailSender:
    """Sends what jobs name; what has been sent is not sent again, but for a crash in between."""

    def __init__(self, ports: Ports) -> None:
        self._database = ports.database
        self._vault: Vault = ports.vault
        self._mailer = Mailer.of(ports.settings)
        self._origin = ports.settings.origin()

    async def send_sealed(self, payload: dict[str, Any]) -> None:
        """Send a mail that holds a secret, and forget it."""
        mail_id = UUID(payload["mail_id"])
        async with self._database.connection() as conn:
            sealed = await conn.fetchval(SEALED, mail_id)
        if sealed is None or self._mailer is None:
            return
        opened = self._vault.open(sealed, context=mail_context(mail_id))
        await _send(self._mailer, msgspec.json.decode(opened, type=Mail))
        async with self._database.connection() as conn:
            await conn.execute(DONE, mail_id)

    async def send_notice(self, payload: dict[str, Any]) -> None:
        """Send a notice to a person who wants that kind by mail."""
        key = (
            UUID(payload["workspace_id"]),
            UUID(payload["person_id"]),
            payload["kind"],
            payload["subject"],
        )
        if self._mailer is None:
            return
        async with self._database.connection() as conn:
            notice = await conn.fetchrow(NOTICE, *key)
        if notice is None:
            return
        link = self._origin + link_of(notice)
        await _send(
            self._mailer,
            Mail(
                to=notice["email"],
                subject=text(
                    "mail.notice.subject",
                    topic=text(f"topic.{notice['topic']}"),
                    workspace=notice["workspace"],
                ),
                text=text("mail.notice.text", told=notice["text"], link=link, origin=self._origin),
                key=hashlib.sha256(repr(key).encode()).hexdigest()[:32],
            ),
        )
        async with self._database.connection() as conn:
            await conn.execute(MAILED, *key)


async def _send(mailer: Mailer, mail: Mail) -> None:
    try:
        await mailer.send(mail)
    except ValueError:
        # No attempt will make an address of it.
        log.warning("mail_has_no_address", subject=mail.subject)
