"""A statement as CSV, for a spreadsheet or for bookkeeping."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from tokportal_server.lib.clock import wire_time
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
# What a spreadsheet takes for a formula when it begins a text.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def statement_csv(entries: Sequence[Row]) -> bytes:
    """Write entries as UTF-8 with a byte order mark; amounts are decimals of the currency's unit.

    A text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    written = io.StringIO(newline="")
    sheet = csv.writer(written)
    sheet.writerow(COLUMNS)
    for entry in entries:
        sheet.writerow(
            [
                wire_time(entry["at"]),
                entry["type"],
                entry["kind"] or "",
                _plain(entry["subject"]),
                entry["country"] or "",
                entry["platform"] or "",
                decimal_of(entry["amount"], entry["currency"]),
                entry["currency"],
                _plain(entry["reason"] or ""),
                entry["id"],
            ]
        )
    return written.getvalue().encode("utf-8-sig")


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
