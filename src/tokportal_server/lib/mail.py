"""Sending mail by SMTP: one message, plain text and the same as simple HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final, Literal

import aiosmtplib
import msgspec

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.settings import Settings

_SECONDS: Final = 30.0
_LINK = re.compile(r"https?://[^\s<>\"]+")

# How the connection is protected: upgraded before anything is said, from the start, or not at all.
Security = Literal["starttls", "tls", "none"]


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one person; ``key`` is the same if it is sent again, so that it is known."""

    to: str
    subject: str
    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Mailer:
    """The operator's mail server."""

    host: str
    port: int
    security: Security
    username: str | None
    password: str | None
    sender: str

    @classmethod
    def of(cls, settings: Settings) -> Mailer | None:
        """Read the settings; None if there is no mail server."""
        if settings.smtp_host is None or settings.mail_from is None:
            return None
        return cls(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            username=settings.smtp_username,
            password=settings.smtp_password,
            sender=settings.mail_from,
        )

    async def send(self, mail: Mail) -> None:
        """Hand a message to the mail server.

        Raises:
            ValueError: the recipient is no address.
            aiosmtplib.SMTPException, OSError: the server is away, or does not take it.
        """
        message = compose(mail, sender=self.sender)
        await aiosmtplib.send(
            message,
            sender=self.sender,
            # Not read from the message: one mail goes to one person, whatever their name is.
            recipients=[mail.to],
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            timeout=_SECONDS,
        )


def compose(mail: Mail, *, sender: str) -> EmailMessage:
    """Write a message.

    Raises:
        ValueError: the recipient is no address.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(addr_spec=sender)
    if not mail.to:
        raise ValueError("there is no recipient")
    # One address, or a refusal: neither a second recipient nor a header can be written into it.
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = format_datetime(real_now())
    message["Message-ID"] = f"<{mail.key}@{sender.rpartition('@')[2]}>"
    # Vacation messages and the like are not answers to people.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(_as_html(mail.text), subtype="html")
    return message


def _as_html(text: str) -> str:
    paragraphs = (
        f"<p>{_linked(one).replace(chr(10), '<br>')}</p>" for one in text.strip().split("\n\n")
    )
    return f"<!doctype html>\n<html><body>{''.join(paragraphs)}</body></html>\n"


def _linked(text: str) -> str:
    parts: list[str] = []
    at = 0
    for found in _LINK.finditer(text):
        address = escape(found[0])
        parts += [escape(text[at : found.start()]), f'<a href="{address}">{address}</a>']
        at = found.end()
    return "".join([*parts, escape(text[at:])])
