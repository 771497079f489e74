"""Rows of a CSV file that people open in spreadsheets (RFC 4180)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

# Spreadsheets know by it that the text is UTF-8.
BYTE_ORDER_MARK: Final = "\ufeff".encode()
# What a spreadsheet would run: also after blanks, and in the full widths of East Asia.
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def csv_line(cells: Sequence[object]) -> bytes:
    """Write a row: every cell quoted, the line ended by CRLF, nothing that opens as a formula.

    None is an empty cell. A number stays a number, whatever its sign.
    """
    target = io.StringIO()
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([_cell(one) for one in cells])
    return target.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    harmless = isinstance(value, int | float)
    return f"'{text}" if not harmless and _FORMULA.match(text) else text
