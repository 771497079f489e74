"""Rows of a CSV file that people open in spreadsheets (RFC 4180)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

# Spreadsheets know by it that the text is UTF-8.
BYTE_ORDER_MARK: Final = "\ufeff".encode()
# What a spreadsheet would run: also after blanks, and in the full widths of East Asia.
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def csv_line(cells: Sequence[object]) -> bytes:
    """Write a row: every cell quoted, the line ended by CRLF, nothing that opens as a formula.

    None is an empty cell. A number stays a number, whatever its sign.
    """
    return csv_lines([cells])


def csv_lines(rows: Iterable[Sequence[object]], *, every_cell_quoted: bool = True) -> bytes:
    """Write rows as :func:`csv_line` does; or with quotes only where a cell needs them."""
    target = io.StringIO()
    writer = csv.writer(
        target,
        quoting=csv.QUOTE_ALL if every_cell_quoted else csv.QUOTE_MINIMAL,
        lineterminator="\r\n",
    )
    writer.writerows([_cell(one) for one in cells] for cells in rows)
    return target.getvalue().encode()


def defused(text: str) -> str:
    """Give a text that no spreadsheet takes for a formula: it has an apostrophe in front."""
    return f"'{text}" if _FORMULA.match(text) else text


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float | Decimal) else defused(str(value))
