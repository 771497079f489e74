"""Credits: what there is and until when, what became of them, what things cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import msgspec

from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.console.acts import (
    console_address,
    is_writer,
    perform,
    refusal_of,
    rehearse,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import link, options, query_of
from tokportal_server.credits import queries
from tokportal_server.credits.lapses import low_mark_of, set_low_mark
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.credits.prices import current_prices
from tokportal_server.credits.wire import HistoryQuery
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.csv_rows import BYTE_ORDER_MARK, csv_line
from tokportal_server.lib.db import Database
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Refusal, Shown, Stream, Visit
from tokportal_server.workbench.operations.set_price import price_history
from tokportal_server.workspaces.reference import list_countries, list_platforms

LOTS = """
SELECT amount, remaining, source, expires_at, created_at FROM credit_lots
 WHERE workspace_id = $1 AND remaining > 0 AND (expires_at IS NULL OR expires_at > $2)
 ORDER BY expires_at NULLS LAST, ordinal LIMIT 200
"""
# By the place in the ledger: what is booked while the file is sent moves nothing.
ENTRIES = """
SELECT ordinal, created_at, type, amount, balance_after, description, reference_kind,
       reference_id, id
  FROM credit_entries
 WHERE workspace_id = $1
   AND ($2::timestamptz IS NULL OR created_at >= $2)
   AND ($3::timestamptz IS NULL OR created_at <= $3)
   AND ($4::bigint IS NULL OR ordinal < $4)
 ORDER BY ordinal DESC LIMIT 500
"""
_COLUMNS: Final = (
    "created_at",
    "type",
    "amount",
    "balance_after",
    "description",
    "reference_kind",
    "reference_id",
    "id",
)
_TYPES: Final = ("account_only", "account_and_videos")
# What the calculator sends where an order must say more than what it costs depends on.
_UNSAID: Final = "To be said with the order."


class MarkForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Below how many credits the workspace wants to be told; 0: never."""

    credits_below: int


async def show_credits(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the balance, its lots with their ends, and the history that the filters ask for."""
    workspace_id, now = visit.workspace.id, visit.now
    query, filters = query_of(visit, HistoryQuery)
    entries, pages = await queries.history(visit.conn, workspace_id, query)
    address = console_address(visit)
    days = {name: day for name, day in filters.items() if name in ("date_from", "date_to")}
    facts = {
        "balance": await queries.balance(visit.conn, workspace_id, now),
        "lots": await visit.conn.fetch(LOTS, workspace_id, now),
        "low_mark": await low_mark_of(visit.conn, workspace_id),
        "entries": entries,
        "pages": pages,
        "filters": days,
        "csv": link(f"{address}/credits/history.csv", days),
        "address": f"{address}/credits",
        "console": address,
        "writer": is_writer(visit),
        "now": now,
        "refusal": refusal,
    }
    return Shown("credits.html", facts)


async def set_mark(visit: Visit) -> Answer:
    """Say below how many credits the workspace wants to be told."""

    async def act(tx: UnitOfWork) -> None:
        asked = decode_body(MarkForm, body_of(MarkForm, visit.form))
        await set_low_mark(tx=tx, credits_below=asked.credits_below, actor=visit.customer)

    then = f"{console_address(visit)}/credits?done=mark_set"
    return await perform(visit, "mark", act, again=show_credits, then=then)


async def download_history(visit: Visit) -> Answer:
    """Give the history as a file, with the same filters, from the newest entry on."""
    query, _ = query_of(visit, HistoryQuery)
    chunks = _history_csv(visit.ports.database, visit.workspace.id, query)
    return Stream(chunks, "text/csv", "credits.csv")


async def _history_csv(
    database: Database, workspace_id: UUID, query: HistoryQuery
) -> AsyncIterator[bytes]:
    yield BYTE_ORDER_MARK + csv_line(_COLUMNS)
    before: int | None = None
    while True:
        async with database.connection() as conn:
            rows = await conn.fetch(ENTRIES, workspace_id, *queries.span_of(query), before)
        if not rows:
            return
        yield b"".join(csv_line(_cells(row)) for row in rows)
        before = rows[-1]["ordinal"]


def _cells(row: Row) -> list[object]:
    return [wire_time(row["created_at"]), *(row[name] for name in _COLUMNS[1:])]


async def show_prices(visit: Visit) -> Answer:
    """Show what things cost, since when and until when they cost something else, and a reckoner."""
    workspace_id = visit.workspace.id
    cost, refusal = await _reckoned(visit) if visit.query.get("bundle_type") else (None, None)
    current = await current_prices(visit.conn, workspace_id)
    facts = {
        "prices": msgspec.structs.asdict(current),
        "history": await price_history(conn=visit.conn, workspace_id=workspace_id),
        "countries": [
            (one.code, one.name)
            for one in await list_countries(visit.conn)
            if "account" in one.enabled_for
        ],
        "platforms": [
            (one.code, one.name) for one in await list_platforms(visit.conn) if one.enabled
        ],
        "type_options": options("bundle_type", _TYPES),
        "asked": visit.query,
        "cost": cost,
        "address": f"{console_address(visit)}/prices",
        "console": console_address(visit),
        "refusal": refusal,
    }
    return Shown("prices.html", facts)


async def _reckoned(visit: Visit) -> tuple[dict[str, Any] | None, Refusal | None]:
    """Price an order by ordering it in a dry run; give the parts of the price, or the refusal."""
    asked = {name: value for name, value in visit.query.items() if value.strip()}
    if asked.get("wants_niche_warming") == "true":
        asked["niche_warming_instructions"] = _UNSAID
    cost: dict[str, Any] = {}

    async def order(tx: UnitOfWork) -> None:
        request = decode_body(CreateBundleRequest, body_of(CreateBundleRequest, asked))
        per_minute = visit.ports.settings.create_bucket_per_minute
        _, moved = await create_bundle(
            tx=tx, actor=visit.customer, order=request, per_minute=per_minute
        )
        cost.update(parts=moved.breakdown, available=moved.remaining + moved.charged)

    try:
        await rehearse(visit, order)
    except InsufficientCreditsError as error:
        # Too little to order it is no reason not to say what it costs.
        cost.update(parts=error.details["breakdown"], available=error.details["available"])
    except ApiError as error:
        refusal = refusal_of("reckon", error, visit)
        return None, refusal
    return cost, None


_HERE = "/console/{workspace}"
CREDIT_PAGES: Final = (
    Page("credits", "GET", f"{_HERE}/credits", show_credits),
    Page("set_low_mark", "POST", f"{_HERE}/credits/mark", set_mark),
    Page("credit_history_csv", "GET", f"{_HERE}/credits/history.csv", download_history),
    Page("prices", "GET", f"{_HERE}/prices", show_prices),
)
