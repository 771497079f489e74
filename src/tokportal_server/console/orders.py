"""The customer's first pages: what needs them, and the list of bundles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

import msgspec

from tokportal_server.accounts.queries import get_account
from tokportal_server.bundles.queries import list_account_bundles, list_bundles
from tokportal_server.bundles.search import find_bundles
from tokportal_server.bundles.wire import (
    Bundle,
    BundleType,
    ListAccountBundlesQuery,
    ListBundlesQuery,
    PlatformCode,
)
from tokportal_server.console import overview
from tokportal_server.console.acts import console_address, is_writer
from tokportal_server.console.lists import query_of
from tokportal_server.credits.lapses import low_mark_of
from tokportal_server.credits.ledger import spendable
from tokportal_server.lib.csv_rows import BYTE_ORDER_MARK, csv_line
from tokportal_server.lib.db import Database
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.orders.states import BundleStatus, ProfileStatus
from tokportal_server.pages.page import Answer, Page, Shown, Stream, Visit, nothing_here
from tokportal_server.videos.wire import LAST_DAY
from tokportal_server.workspaces.reference import list_countries

_STATUSES: Final[tuple[str, ...]] = get_args(BundleStatus)
# The filters that are chosen from a list of words, with the words.
_CHOICES: Final = {
    "status": _STATUSES,
    "bundle_type": get_args(BundleType),
    "platform": get_args(PlatformCode),
    "account_status": get_args(ProfileStatus),
}
# Of a filtered list no more are counted; whoever wants the rest narrows it, or takes the file.
MOST_COUNTED: Final = 1_000
# What a file of bundles has, as the bundle object names it; the last one is the cost in credits.
_COLUMNS: Final = (
    "id",
    "title",
    "external_ref",
    "bundle_type",
    "platform",
    "country",
    "status",
    "username",
    "videos_quantity",
    "videos_configured_count",
    "created_at",
    "published_at",
    "completed_at",
    "cost",
)
# Ten thousand bundles; the filters lead to older ones.
_PAGES_IN_A_FILE: Final = 100


class _Days(NamedTuple):
    """The days on which bundles were ordered, both included; None is no bound."""

    first: date | None
    last: date | None


async def show_overview(visit: Visit) -> Answer:
    """Show what needs the customer now."""
    workspace_id = visit.workspace.id
    facts = {
        "needs": await overview.needs_of(visit.conn, workspace_id),
        "drafts": await overview.drafts_of(visit.conn, workspace_id, visit.now),
        "counts": await overview.counts_of(visit.conn, workspace_id),
        "statuses": _STATUSES,
        "credits": await spendable(visit.conn, workspace_id, visit.now),
        "low_mark": await low_mark_of(visit.conn, workspace_id),
        "writer": is_writer(visit),
        "now": visit.now,
    }
    return Shown("overview.html", facts)


async def show_bundles(visit: Visit) -> Answer:
    """Show the bundles, newest first: all, those that the filters leave, or what a search found.

    The address has the filters, so that a list can be kept as a bookmark and sent to somebody.
    """
    sought = visit.query.get("q", "").strip()[:200]
    query, days, given = _filters(visit)
    facts: dict[str, Any] = {
        "q": sought,
        "given": given,
        "narrowed": bool(given.keys() - {"status"}),
        "choices": _CHOICES,
        "countries": await list_countries(visit.conn),
        "address": f"{console_address(visit)}/bundles",
        "account": None,
        "pages": None,
        "most": MOST_COUNTED,
        "writer": is_writer(visit),
        # What else the address has to say on the next page of the list.
        "kept": {**given, "account": visit.query.get("account", "")},
    }
    if "account" in visit.query:
        facts |= await _of_account(visit)
    elif sought:
        found = await find_bundles(visit.conn, sought, workspace_id=visit.workspace.id)
        facts["bundles"] = [one for one in found if query.status in (None, one.status)]
    else:
        facts["bundles"], facts["pages"] = await list_bundles(
            visit.conn,
            visit.workspace.id,
            query,
            first=days.first,
            last=days.last,
            count_up_to=MOST_COUNTED,
        )
    return Shown("bundles.html", facts)


async def download_bundles(visit: Visit) -> Answer:
    """Give the bundles that the filters leave as a file, from the newest on."""
    query, days, _ = _filters(visit)
    chunks = _bundles_csv(visit.ports.database, visit.workspace.id, query, days)
    return Stream(chunks, "text/csv", "bundles.csv")


async def _bundles_csv(
    database: Database, workspace_id: UUID, query: ListBundlesQuery, days: _Days
) -> AsyncIterator[bytes]:
    yield BYTE_ORDER_MARK + csv_line(_COLUMNS)
    for page in range(1, _PAGES_IN_A_FILE + 1):
        part = msgspec.structs.replace(query, page=page, per_page=100)
        async with database.connection() as conn:
            bundles, pages = await list_bundles(
                conn,
                workspace_id,
                part,
                first=days.first,
                last=days.last,
                count_up_to=page * part.per_page + 1,
            )
        yield b"".join(csv_line(_cells(bundle)) for bundle in bundles)
        if page >= pages.total_pages:
            return


def _cells(bundle: Bundle) -> list[object]:
    return [*(getattr(bundle, name) for name in _COLUMNS[:-1]), bundle.cost.total]


def _filters(visit: Visit) -> tuple[ListBundlesQuery, _Days, dict[str, str]]:
    """Read the filters of the list, and as the address has those that were understood."""
    query, given = query_of(visit, ListBundlesQuery)
    days = _Days(_day(visit.query.get("first", "")), _day(visit.query.get("last", "")))
    given |= {name: day.isoformat() for name, day in days._asdict().items() if day is not None}
    return query, days, {name: given[name] for name in given if name not in ("page", "per_page")}


def _day(written: str) -> date | None:
    """Read a day of the filters; what is none filters nothing."""
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return None
    return day if day <= LAST_DAY else None


async def _of_account(visit: Visit) -> dict[str, Any]:
    """Give the bundles of one delivered account."""
    query, _ = query_of(visit, ListAccountBundlesQuery)
    try:
        account_id = UUID(visit.query["account"])
        account = await get_account(
            visit.conn, visit.workspace.id, account_id, base_url=visit.ports.settings.origin()
        )
    except (ValueError, SavedAccountNotFoundError):
        raise nothing_here() from None
    bundles, pages = await list_account_bundles(visit.conn, visit.workspace.id, account_id, query)
    return {"account": account, "bundles": bundles, "pages": pages}


_HERE = "/console/{workspace}"
ORDER_PAGES: Final = (
    Page("overview", "GET", _HERE, show_overview),
    Page("bundles", "GET", f"{_HERE}/bundles", show_bundles),
    Page("bundles_csv", "GET", f"{_HERE}/bundles.csv", download_bundles),
)
