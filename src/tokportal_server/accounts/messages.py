"""A mail as it is handed over: JSON of a mail service, or the message itself."""

from __future__ import annotations

import email
import hashlib
from email.message import EmailMessage
from email.policy import default as modern
from email.utils import getaddresses
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tokportal_server.http.errors import UnsupportedContentTypeError
from tokportal_server.http.validation import Problem, decode_body, refuse, refuse_malformed_json
from tokportal_server.lib.errors import ApiError

_TYPES: Final = ("application/json", "message/rfc822")
# Where mail servers write whom a message was delivered to; `To` may name a list or an alias.
_RECIPIENTS: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
_MOST_RECIPIENTS: Final = 50
_Text = Annotated[str, Meta(max_length=10_000_000)]


class InboundMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mail; at least one of ``text`` and ``html`` is there as a rule."""

    message_id: Annotated[str, Meta(min_length=1, max_length=998)]
    recipients: Annotated[
        list[Annotated[str, Meta(max_length=320)]], Meta(min_length=1, max_length=_MOST_RECIPIENTS)
    ]
    sender: _Text = ""
    subject: _Text = ""
    text: _Text = ""
    html: _Text = ""


def read_message(body: bytes, content_type: str) -> InboundMail:
    """Read a mail.

    Raises:
        UnsupportedContentTypeError: it is neither JSON nor ``message/rfc822``.
        MalformedJsonError, UnknownFieldError, ValidationError: it is not a mail.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        refuse_malformed_json(body)
        return decode_body(InboundMail, body)
    if kind == "message/rfc822":
        return _read_rfc822(body)
    raise UnsupportedContentTypeError(
        f"Content-Type is {content_type[:80]!r}; send {' or '.join(_TYPES)}.",
        details={"accepted": list(_TYPES)},
    )


def _read_rfc822(body: bytes) -> InboundMail:
    """Read a message, whatever it is made to do to its reader.

    Raises:
        ValidationError: it cannot be read.
    """
    try:
        return _of_message(body)
    except ApiError:
        raise
    except Exception:
        # The library raises a dozen kinds of error, RecursionError among them.
        refuse([Problem("body", "is no message that can be read")])
        raise


def _of_message(body: bytes) -> InboundMail:
    message = email.message_from_bytes(body, policy=modern)
    given = [_storable(value) for name in _RECIPIENTS for value in message.get_all(name, [])]
    recipients = list(dict.fromkeys(address for _, address in getaddresses(given) if address))
    if not recipients:
        refuse([Problem("body", f"has none of the headers {', '.join(_RECIPIENTS)}")])
    return InboundMail(
        message_id=_storable(message.get("Message-ID", "")) or hashlib.sha256(body).hexdigest(),
        recipients=recipients[:_MOST_RECIPIENTS],
        sender=_storable(message.get("From", "")),
        subject=_storable(message.get("Subject", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _storable(header: object) -> str:
    """Give a header as text; bytes of no character set come as lone surrogates."""
    return str(header).encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _part(message: EmailMessage, kind: str) -> str:
    """Give the part that a reader would be shown, in whatever character set it claims to be."""
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")
