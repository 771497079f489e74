"""Snapshots in the providers' own words, less what nobody needs to see (raw operations)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from tokportal_server.analytics.observations import Source
from tokportal_server.analytics.period import Boundary, Period, read_period
from tokportal_server.analytics.snapshots import unpack
from tokportal_server.analytics.strange_text import encodable
from tokportal_server.analytics.wire import RawSnapshot
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.lib.redaction import REDACTED, redact_text
from tokportal_server.orders.locks import Row

_NEWEST = """
   AND ($3::text IS NULL OR source = $3)
   AND ($4::timestamptz IS NULL OR collected_at >= $4 AND collected_at < $5)
 ORDER BY collected_at DESC, source DESC LIMIT $6
"""
RAW_OF_ACCOUNT = f"""
SELECT saved_account_id AS subject_id, collected_at, source, payload FROM account_snapshots
 WHERE workspace_id = $1 AND saved_account_id = $2 {_NEWEST}
"""
RAW_OF_POST = f"""
SELECT tracked_post_id AS subject_id, collected_at, source, payload FROM post_snapshots
 WHERE workspace_id = $1 AND tracked_post_id = $2 {_NEWEST}
"""
# A field whose name has one of these words, however it is written, loses its value.
_SECRET_WORDS: Final = frozenset(
    (
        "auth",
        "authorization",
        "birthday",
        "birthdate",
        "cookie",
        "credential",
        "credentials",
        "dob",
        "email",
        "ip",
        "key",
        "mail",
        "password",
        "phone",
        "secret",
        "session",
        "sig",
        "signature",
        "token",
    )
)
# Addresses of further pages: they carry the connection's token.
_PAGE_LINKS: Final = frozenset(("next", "previous"))
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


class RawQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which snapshots; without ``from`` and ``to`` the newest of all."""

    source: Annotated[Source | None, Meta(description="Only those of one source.")] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="Most snapshots to give.")] = 50
    from_: Boundary | None = msgspec.field(default=None, name="from")
    to: Boundary | None = None

    def period(self, now: datetime) -> Period | None:
        """Read the times; None without any.

        Raises:
            ValidationError: they are none.
        """
        if self.from_ is None and self.to is None:
            return None
        return read_period(self.from_, self.to, now=now)


async def raw_of_account(
    conn: Connection,
    workspace_id: UUID,
    account_id: UUID,
    query: RawQuery,
    period: Period | None,
) -> list[RawSnapshot]:
    """Give snapshots of an account itself, the newest first."""
    rows = await conn.fetch(RAW_OF_ACCOUNT, workspace_id, account_id, *_parameters(query, period))
    return [_snapshot(row) for row in rows]


async def raw_of_post(
    conn: Connection, workspace_id: UUID, post_id: UUID, query: RawQuery, period: Period | None
) -> list[RawSnapshot]:
    """Give snapshots of a tracked post, the newest first."""
    rows = await conn.fetch(RAW_OF_POST, workspace_id, post_id, *_parameters(query, period))
    return [_snapshot(row) for row in rows]


def _parameters(query: RawQuery, period: Period | None) -> Iterable[object]:
    return query.source, period and period.since, period and period.until, query.limit


def _snapshot(row: Row) -> RawSnapshot:
    collected_at = wire_time(row["collected_at"])
    payload, redacted = redact_payload(unpack(row["payload"]))
    return RawSnapshot(
        # A snapshot has no other name than what it is of, from whom, and when.
        id=uuid5(row["subject_id"], f"{row['source']} {collected_at}"),
        source=row["source"],
        collected_at=collected_at,
        payload=payload,
        redacted=redacted,
    )


def redact_payload(raw: bytes) -> tuple[Any, list[str]]:
    """Give a payload without what must not be shown, and where that stood (JSON pointers).

    What is no JSON is not shown at all.
    """
    redacted: list[str] = []
    try:
        return _redact(json.loads(raw), "", redacted), redacted
    except (ValueError, RecursionError):
        return None, [""]


def _redact(value: Any, place: str, redacted: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            encodable(name): _hidden(name, item, f"{place}/{_escaped(name)}", redacted)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redact(item, f"{place}/{index}", redacted) for index, item in enumerate(value)]
    if isinstance(value, str):
        if (clean := redact_text(value)) != value:
            redacted.append(place)
        return encodable(clean)
    return value


def _hidden(name: str, value: Any, place: str, redacted: list[str]) -> Any:
    words = {word.lower() for word in _WORDS.findall(name)}
    is_link = name.lower() in _PAGE_LINKS and isinstance(value, str)
    if value is not None and (is_link or words & _SECRET_WORDS):
        redacted.append(place)
        return REDACTED
    return _redact(value, place, redacted)


def _escaped(name: str) -> str:
    return encodable(name).replace("~", "~0").replace("/", "~1")
