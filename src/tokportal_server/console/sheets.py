"""Slots by CSV: a check that changes nothing, the import, the export, a template.

The file stays with whoever sends it: a check is a dry run of the import, and the import takes the
file again. Both judge each row as the API does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from tokportal_server.bundles.queries import get_bundle, list_bundles
from tokportal_server.bundles.wire import Bundle, ListBundlesQuery
from tokportal_server.console.acts import (
    bundle_address,
    console_address,
    is_writer,
    refusal_of,
    rules_of,
    source_of,
)
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.lib.csv_rows import BYTE_ORDER_MARK, csv_line
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Refusal,
    Shown,
    Stream,
    Visit,
    nothing_here,
)
from tokportal_server.videos.batch_routes import csv_result, form_limits
from tokportal_server.videos.batch_wire import CsvResult
from tokportal_server.videos.csv_columns import COLUMNS, REQUIRED
from tokportal_server.videos.csv_sheet import MAX_ROWS, Sheet, read_sheet
from tokportal_server.videos.export_csv import export_csv
from tokportal_server.videos.operations.configure_slots import configure_slots

_CSV: Final = "text/csv"
_OPEN: Final = ("pending_setup", "published", "published_priority", "accepted")
_PROBLEMS_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file's rows, or would become of them in a check that ``changed`` nothing."""

    result: CsvResult
    credits: CreditsMoved
    changed: bool


def _limits(_: Settings) -> FormLimits:
    return form_limits()["importBundleVideosCsv"]


async def show_sheets(visit: Visit) -> Answer:
    """Lead to the bundles whose slots can be filled in from a file: the newest of them."""
    query = ListBundlesQuery(per_page=100)
    newest, _ = await list_bundles(visit.conn, visit.workspace.id, query)
    facts = {
        "bundles": [one for one in newest if one.status in _OPEN and one.videos_quantity],
        "console": console_address(visit),
        "writer": is_writer(visit),
    }
    return Shown("sheets.html", facts)


async def show_sheet(
    visit: Visit, refusal: Refusal | None = None, *, outcome: Outcome | None = None
) -> Answer:
    """Show what a file for a bundle's slots looks like, and the form to send one.

    Raises:
        PageNotFoundError: the workspace has no such bundle.
    """
    bundle = await _bundle(visit)
    facts = {
        "bundle": bundle,
        "open": bundle.status in _OPEN and bundle.videos_quantity > 0,
        "columns": [(name, name in REQUIRED) for name in COLUMNS],
        "most": MAX_ROWS,
        "outcome": outcome,
        "problems": outcome.result.errors[:_PROBLEMS_SHOWN] if outcome else [],
        "writer": is_writer(visit),
        "root": bundle_address(visit),
        "address": f"{bundle_address(visit)}/csv",
        "console": console_address(visit),
        "refusal": refusal,
    }
    return Shown("sheet.html", facts)


async def _bundle(visit: Visit) -> Bundle:
    try:
        return await get_bundle(visit.conn, visit.workspace.id, visit.id("bundle"))
    except BundleNotFoundError:
        raise nothing_here() from None


async def check_sheet(visit: Visit) -> Answer:
    """Say what importing the file would do; nothing is changed."""
    return await _take(visit, dry_run=True)


async def import_sheet(visit: Visit) -> Answer:
    """Configure slots from the rows of the file; each row succeeds or fails alone."""
    return await _take(visit, dry_run=False)


async def _take(visit: Visit, *, dry_run: bool) -> Answer:
    """Read the file with no connection taken, then do or rehearse what it says."""
    publish = {"true": True}.get(visit.field("auto_publish"))
    try:
        sheet = await asyncio.to_thread(read_sheet, visit.file.path, auto_publish=publish)
    except ApiError as error:
        refusal = refusal_of("sheet", error, visit)
        async with visit.connected() as known:
            return await show_sheet(known, refusal)
    async with visit.connected() as known:
        try:
            outcome = await _configure(known, sheet, dry_run=dry_run)
        except BundleNotFoundError:
            raise nothing_here() from None
        return await show_sheet(known, outcome=outcome)


async def _configure(visit: Visit, sheet: Sheet, *, dry_run: bool) -> Outcome:
    async with unit_of_work(visit.conn, visit.workspace.id, now=visit.now, dry_run=dry_run) as tx:
        done = await configure_slots(
            tx=tx,
            actor=visit.customer,
            bundle_id=visit.id("bundle"),
            wanted={**sheet.requests},
            source=source_of(visit),
            rules=rules_of(visit),
        )
    return Outcome(csv_result(sheet, done), done.credits, changed=not dry_run)


async def download_sheet(visit: Visit) -> Answer:
    """Give the slots of a bundle as a file that the import takes back."""
    bundle = await _bundle(visit)
    lines = await export_csv(visit.conn, visit.workspace.id, bundle.id)
    return Stream(_sent(lines), _CSV, f"slots-{bundle.id}.csv")


async def _sent(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


async def download_template(visit: Visit) -> Answer:
    """Give a file with the columns and two rows to be overwritten."""
    del visit
    return Stream.of(_template(), _CSV, "slots-template.csv")


def _template() -> bytes:
    first = {
        "position": 1,
        "video_type": "video",
        "description": "The caption of the first video",
        "target_publish_date": "2030-01-31",
        "video_url": "https://example.com/first.mp4",
    }
    second = {
        "position": 2,
        "video_type": "carousel",
        "description": "The caption of the carousel",
        "target_publish_date": "2030-02-01",
        "carousel_images": "https://example.com/one.jpg;https://example.com/two.jpg",
        "carousel_title": "Its title",
    }
    rows = [COLUMNS, *([row.get(name) for name in COLUMNS] for row in (first, second))]
    return BYTE_ORDER_MARK + b"".join(map(csv_line, rows))


_HERE = "/console/{workspace}"
_ONE = f"{_HERE}/bundles/{{bundle}}/csv"
SHEET_PAGES: Final = (
    Page("sheets", "GET", f"{_HERE}/csv", show_sheets),
    Page("sheet_template", "GET", f"{_HERE}/csv/template.csv", download_template),
    Page("sheet", "GET", _ONE, show_sheet),
    Page("import_sheet", "POST", _ONE, import_sheet, takes_file=_limits),
    Page("check_sheet", "POST", f"{_ONE}/check", check_sheet, takes_file=_limits),
    Page("export_sheet", "GET", f"{_ONE}/slots.csv", download_sheet),
)
