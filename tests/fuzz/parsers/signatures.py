"""Signatures: ours, the published client's, the permits of uploads, keys of cursors."""

from __future__ import annotations

from tokportal.client import verify_webhook_signature

from tests.fuzz.parsers.target import Target, pieces_of, text_of
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.signing import sign_webhook, verify_signature
from tokportal_server.webhooks.feed import _sequence
from tokportal_server.webhooks.verification import explain

SECRET = "whsec_" + "5e" * 32
NOW = 1_795_420_800
BODY = b'{"id":"evt_0","type":"bundle.created","data":{"n":[1,2.5,null]}}'
SIGNED = sign_webhook(SECRET, NOW, BODY).encode()


def verify(data: bytes) -> None:
    """Nobody's signature verifies but ours; ours does, for the published client as well."""
    given, body = pieces_of(data, 2)
    header = given.decode("latin-1")
    ours = verify_signature(SECRET, header, body, now=NOW)
    assert ours == (header == sign_webhook(SECRET, NOW, body)) or _other_time(header, body)
    # The client compares texts, which Python refuses unless they are ASCII.
    if header.isascii():
        assert not ours or verify_webhook_signature(body, header, SECRET, now=NOW)
    signed = sign_webhook(SECRET, NOW, body)
    assert verify_signature(SECRET, signed, body, now=NOW)
    assert verify_webhook_signature(body, signed, SECRET, now=NOW)
    assert not verify_signature(SECRET, signed, body + b"x", now=NOW)


def _other_time(header: str, body: bytes) -> bool:
    at = header[2:].partition(",")[0]
    return at.isdigit() and header == f"t={at},v1=" + sign_webhook(SECRET, int(at), body)[-64:]


def explain_why_not(data: bytes) -> None:
    """Whatever was filled in has one verdict, which tells no secret."""
    signature, body, secret = pieces_of(data, 3)
    text = secret.decode("utf-8", "replace")
    verdict = explain(
        secret=text, signature=signature.decode("latin-1"), body=body, now=NOW, sent=BODY
    )
    assert len(text) < 8 or text not in verdict.text


def read_a_cursor(data: bytes) -> None:
    """A cursor of the feed is a number, or refused."""
    try:
        assert 0 <= _sequence(text_of(data[:18])) < 10**18
    except ApiError:
        return


TARGETS = (
    Target("signature_verify", verify, (SIGNED + b"\xff" + BODY, b"t=1,v1=" + b"0" * 64)),
    Target(
        "signature_explain",
        explain_why_not,
        (SIGNED + b"\xff" + BODY + b"\xff" + SECRET.encode(), SIGNED + b"\xff[[[[" + b"\xff"),
    ),
    Target("cursor", read_a_cursor, (b"41", b"-1", "\u0664".encode())),
)
