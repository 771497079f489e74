"""Headers of requests, and of answers to ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tests.fuzz.parsers.target import Target, pieces_of
from tokportal_server.http.asgi import request_id_of
from tokportal_server.http.client_address import client_address
from tokportal_server.http.idempotency import parse_key
from tokportal_server.http.multipart import boundary_of
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.redaction import redact_text
from tokportal_server.pages.forms import cookies_of, require_own_origin
from tokportal_server.webhooks.schedule import RETRY_AFTER_MAX, retry_after

REQUEST = (
    b"key\xff198.51.100.7, 10.0.0.2\xffa=b; tokportal_session=c"
    b"\xffmultipart/form-data; boundary=x\xffhttps://tok.example\xfftok.example"
)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def read_a_request(data: bytes) -> None:
    """Every header of a request that somebody reads is taken, or refused."""
    key, forwarded, cookie, kind, origin, host = pieces_of(data, 6)
    request_id_of([(b"x-request-id", key)])
    address = client_address(
        {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", forwarded)]}, ("10.0.0.0/8",)
    )
    assert address == "10.0.0.1" or address.encode("latin-1") in forwarded
    for name, value in cookies_of({b"cookie": cookie}).items():
        assert ";" not in name + value
    calls: tuple[Callable[[], object], ...] = (
        lambda: parse_key(key),
        lambda: boundary_of(kind.decode("latin-1")),
        lambda: require_own_origin({b"origin": origin, b"host": host}, "https://tok.example"),
    )
    for call in calls:
        with suppress(ApiError):
            call()


def read_retry_after(data: bytes) -> None:
    """A receiver asks us to wait between nothing and a day."""
    wait = retry_after(data.decode("latin-1"), real_now=NOW)
    assert timedelta(0) <= wait <= RETRY_AFTER_MAX


def take_out_secrets(data: bytes) -> None:
    """What is logged has lost its secrets, and is not longer for it than by the words for them."""
    text = data.decode("latin-1")
    clean = redact_text(text)
    assert len(clean) <= len(text) * 4 + 20


TARGETS = (
    Target(
        "heads_request",
        read_a_request,
        (REQUEST,),
    ),
    Target(
        "heads_retry_after",
        read_retry_after,
        (b"120", b"Mon, 23 Nov 2026 09:00:00 GMT", b"-1", b"Mon, 23 Nov 2026 09:00:00 -0000"),
    ),
    Target(
        "heads_redaction",
        take_out_secrets,
        (b"password=x&a-b-token: y", b"://a:b@c", b"Bearer abcdefghij", b"sk_0123456789"),
    ),
)
