"""A statement as CSV, for a spreadsheet or for bookkeeping."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.csv_rows import BYTE_ORDER_MARK, csv_lines
from tokportal_server.orders.locks import Row
from tokportal_server.workbench.earnings.money import decimal_of

COLUMNS: Final = (
    "at",
    "type",
    "job",
    "subject",
    "country",
    "platform",
    "amount",
    "currency",
    "reason",
    "entry_id",
)


def statement_csv(entries: Sequence[Row]) -> bytes:
    """Write entries as UTF-8 with a byte order mark; amounts are in the currency's unit."""
    return BYTE_ORDER_MARK + csv_lines([COLUMNS, *map(_cells, entries)], every_cell_quoted=False)


def _cells(entry: Row) -> list[object]:
    return [
        wire_time(entry["at"]),
        entry["type"],
        entry["kind"],
        entry["subject"],
        entry["country"],
        entry["platform"],
        Decimal(decimal_of(entry["amount"], entry["currency"])),
        entry["currency"],
        entry["reason"],
        entry["id"],
    ]
