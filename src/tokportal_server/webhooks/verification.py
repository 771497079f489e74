"""Why a signature does not verify: the question of everybody who writes a receiver.

The usual mistakes are tried out one after the other: if the signature verifies with one of them
undone, that was it. Nothing is stored, and a secret that is given is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tokportal_server.lib.signing import SIGNATURE_TOLERANCE_SECONDS, verify_signature
from tokportal_server.webhooks.sending import SIGNATURE_HEADER

_FORM: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_SECRET: Final = re.compile(r"whsec_[0-9a-f]{64}")
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a receiver should take the delivery, and if not, why: a code and sentences."""

    code: str
    text: str

    @property
    def valid(self) -> bool:
        """Whether the signature verifies."""
        return self.code == "valid"


# In the order in which this server writes them.
_ENVELOPE: Final = ("id", "type", "api_version", "created_at", "data")
_RESERIALISED: Final = Verdict(
    "reserialised_json",
    "The body says the same as what was sent, in other bytes: it was parsed and written again, or"
    " a line end, a byte order mark or an encoding was changed. Sign the bytes of the request as"
    " they came; most frameworks have them under a name like rawBody or get_data().",
)


def explain(
    *, secret: str, signature: str | None, body: bytes, now: int, sent: bytes | None = None
) -> Verdict:
    """Say whether a delivery verifies at ``now`` (Unix seconds), and what to mend if it does not.

    ``body`` is what the receiver computed the signature over, ``sent`` what this server sent for
    the event, where that is known.
    """
    if signature is None or not signature.strip():
        return Verdict(
            "missing_header",
            f"There is no {SIGNATURE_HEADER} header. Header names have no case; if a proxy stands"
            " before the receiver, see that it passes the header on.",
        )
    signature = signature.strip()
    match = _FORM.fullmatch(signature)
    if match is None:
        return Verdict(
            "malformed_header",
            f"The header is not of the form t=<unix seconds>,v1=<64 hex digits>. Give the whole"
            f" value of {SIGNATURE_HEADER}, and nothing else.",
        )
    signed_at = int(match[1])
    if not _verifies(secret, signature, body, signed_at):
        return _mistake(secret, signature, body, signed_at, sent)
    age = now - signed_at
    if abs(age) > SIGNATURE_TOLERANCE_SECONDS:
        return Verdict(
            "stale",
            f"Secret and body are right, but the signature is {abs(age)} seconds"
            f" {'old' if age > 0 else 'ahead of the clock'}, and at most"
            f" {SIGNATURE_TOLERANCE_SECONDS} are accepted. Verify when the delivery comes, not"
            " later from a queue, and set the receiver's clock by NTP.",
        )
    return Verdict("valid", "The signature verifies.")


def _verifies(secret: str, signature: str, body: bytes, signed_at: int) -> bool:
    return verify_signature(secret, signature, body, now=signed_at)


def _mistake(
    secret: str, signature: str, body: bytes, signed_at: int, sent: bytes | None
) -> Verdict:
    for respelled in _respelled(body):
        if _verifies(secret, signature, respelled, signed_at):
            return _RESERIALISED
    for other, what in _other_secrets(secret):
        if _verifies(other, signature, body, signed_at):
            return Verdict("wrong_secret", f"{what} It counts as text, just as it was shown.")
    if sent is not None:
        return _against_what_was_sent(secret, signature, body, signed_at, sent)
    if _SECRET.fullmatch(secret) is None:
        return Verdict(
            "wrong_secret",
            "This is no signing secret: those are whsec_ and 64 lower-case hex digits, shown once"
            " when the endpoint was made.",
        )
    if _decoded(body) is None:
        return Verdict(
            "changed_body",
            "The body is no JSON, so it is not what was sent. Take the bytes of the request as they"
            " came, all of them, and decode nothing before.",
        )
    return Verdict(
        "wrong_secret_or_changed_body",
        "The secret is that of another endpoint, or the body is not what was sent, byte for byte."
        " Check the secret first: each endpoint has its own. Then see that nothing parses, decodes"
        " or re-encodes the body before it is verified.",
    )


def _against_what_was_sent(
    secret: str, signature: str, body: bytes, signed_at: int, sent: bytes
) -> Verdict:
    if body == sent:
        return Verdict(
            "wrong_secret",
            "The body is what was sent, so the secret is not that of this endpoint. Each endpoint"
            " has its own, shown once when it was made.",
        )
    if _decoded(body) == _decoded(sent):
        return _RESERIALISED
    also = "" if _verifies(secret, signature, sent, signed_at) else " The secret is wrong as well."
    return Verdict("changed_body", f"The body is not what was sent for this event.{also}")


def _respelled(body: bytes) -> Iterator[bytes]:
    """Give spellings that the same JSON may have had when it was sent: as this server writes it."""
    yield body.removeprefix(b"\xef\xbb\xbf").strip()
    decoded = _decoded(body)
    if decoded is not None:
        yield msgspec.json.encode(decoded)
        if isinstance(decoded, dict) and isinstance(decoded.get("data"), dict):
            # Sorted keys: the envelope's own order is known, that of the data is not.
            yield msgspec.json.encode({name: decoded.get(name) for name in _ENVELOPE})


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _other_secrets(secret: str) -> Iterator[tuple[str, str]]:
    stripped = secret.strip().strip("\"'")
    yield stripped, "There are spaces, quotes or a line end around the secret."
    yield _PREFIX + stripped, "The secret was used without its prefix whsec_."
