"""One attempt: sign, post, and say what came of it. No database in here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
from prometheus_client import Counter, Histogram

from tokportal_server import __version__
from tokportal_server.lib import tracing
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.outbound import Answer, ErrorClass, OutboundFailure, OutboundPort
from tokportal_server.lib.signing import new_webhook_secret, sign_webhook
from tokportal_server.webhooks.schedule import retry_after

CONTENT_TYPE: Final = "application/json"
ID_HEADER: Final = "TokPortal-Event-Id"
TYPE_HEADER: Final = "TokPortal-Event-Type"
SIGNATURE_HEADER: Final = "TokPortal-Signature"
CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 15.0
KEPT_BYTES: Final = 2048
# What a rehearsal may ask to go wrong (``faults``); two of them are done here.
Fault = Literal["slow", "twice", "out_of_order", "wrong_signature"]
_SLOW_PIECES: Final = 10
_SLOW_PAUSE_SECONDS: Final = 0.5


ATTEMPTS = Counter(
    "tokportal_webhook_attempts",
    "Attempts to deliver an event: ok, or how they failed.",
    ["outcome"],
)
SECONDS = Histogram("tokportal_webhook_attempt_seconds", "Time that an attempt took.")


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that this process may attempt until its lease ends."""

    workspace_id: UUID
    id: UUID
    recorded_at: datetime
    endpoint_id: UUID
    event_id: str
    event_type: str
    attempt: int
    url: str
    body: bytes
    lease_token: UUID
    manual: bool = False
    fault: Fault | None = None
    traceparent: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt; ``error_class`` None is a success, ``duration_ms`` real time."""

    error_class: ErrorClass | None
    duration_ms: int
    response_status: int | None = None
    response_body: str | None = None
    retry_after: timedelta = timedelta(0)


async def send(outbound: OutboundPort, claimed: Claimed, *, secret: str) -> Outcome:
    """Post a delivery with a signature of this moment, in real time.

    Of a traced event it is part of the trace, which the receiver is given as ``traceparent``.
    """
    facts: dict[str, tracing.Value] = {
        "tokportal.event_id": claimed.event_id,
        "tokportal.workspace_id": str(claimed.workspace_id),
        "tokportal.endpoint_id": str(claimed.endpoint_id),
        "tokportal.attempt": claimed.attempt,
    }
    name = f"deliver {claimed.event_type}"
    with tracing.span(name, "client", parent=claimed.traceparent, attributes=facts) as span:
        outcome = await _attempt(outbound, claimed, secret)
        if outcome.response_status is not None:
            span.note("http.response.status_code", outcome.response_status)
        if outcome.error_class is not None:
            span.fail(outcome.error_class)
    ATTEMPTS.labels(outcome.error_class or "ok").inc()
    SECONDS.observe(outcome.duration_ms / 1000)
    return outcome


async def _attempt(outbound: OutboundPort, claimed: Claimed, secret: str) -> Outcome:
    signed_at = int(real_now().timestamp())
    if claimed.fault == "wrong_signature":
        secret = new_webhook_secret()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": f"tokportal-server/{__version__}",
        ID_HEADER: claimed.event_id,
        TYPE_HEADER: claimed.event_type,
        SIGNATURE_HEADER: sign_webhook(secret, signed_at, claimed.body),
    }
    if (here := tracing.carried()) is not None:
        headers[tracing.HEADER] = here
    body: bytes | AsyncIterator[bytes] = claimed.body
    if claimed.fault == "slow":
        body = _in_pieces(claimed.body)
        headers["Content-Length"] = str(len(claimed.body))
    try:
        answer = await outbound.post(
            claimed.url,
            body,
            headers,
            connect_timeout=CONNECT_SECONDS,
            total_timeout=TOTAL_SECONDS,
            keep_body=KEPT_BYTES,
        )
    except OutboundFailure as failure:
        return Outcome(
            error_class=failure.error_class,
            duration_ms=failure.duration_ms,
            response_status=failure.status,
            response_body=None if failure.status is None else _text(failure.body),
        )
    return _outcome(answer)


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Give a body over five seconds, as a bad line does."""
    length = -(-len(body) // _SLOW_PIECES)
    for start in range(0, len(body), length):
        await asyncio.sleep(_SLOW_PAUSE_SECONDS)
        yield body[start : start + length]


def _outcome(answer: Answer) -> Outcome:
    return Outcome(
        error_class=answer.error_class,
        duration_ms=answer.duration_ms,
        response_status=answer.status,
        response_body=_text(answer.body),
        retry_after=retry_after(answer.headers.get("retry-after"), real_now=real_now()),
    )


def _text(body: bytes) -> str:
    """Give bytes of any kind as text that can be stored, at most 2 KiB of it as UTF-8."""
    text = body.decode("utf-8", errors="replace").replace("\0", "\ufffd")
    return text.encode()[:KEPT_BYTES].decode("utf-8", errors="ignore")
