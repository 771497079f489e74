"""A mail server as small as it can be: takes every message, or refuses for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class Postbox:
    """What has come, and where to send it."""

    port: int = 0
    refusing: bool = False
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 not now\r\n" if self.refusing else b"220 postbox\r\n")
        while line := await reader.readline():
            match line.split()[0].upper():
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    mail = message_from_bytes(raw.removesuffix(b"\r\n.\r\n"), policy=default)
                    assert isinstance(mail, EmailMessage)
                    self.mails.append(mail)
                case b"RCPT":
                    self.recipients.append(line.decode().split("<")[1].split(">")[0])
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
            writer.write(b"250 ok\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def postbox() -> AsyncIterator[Postbox]:
    """Run one on a free port."""
    box = Postbox()
    server = await asyncio.start_server(box._serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


def words(mail: EmailMessage) -> str:
    """Give the plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
