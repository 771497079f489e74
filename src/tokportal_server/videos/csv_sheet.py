"""Reading a CSV of slots: a file of unknown content becomes requests, row by row.

1. The file is refused as a whole if it cannot be read as a table: it is not UTF-8 text, its quotes
   do not close, its header is not ours, it has too many rows, or it names a position twice.
2. Each row is judged alone, so that one bad row spoils no other.

Lines are read one at a time and none may be longer than any right one could be, so that memory
does not depend on what the file holds. ``row`` is counted as a spreadsheet shows it: the header is
row 1, blank rows count, and a cell with line breaks in it is still one row.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TextIO

import msgspec

from tokportal_server.http.errors import ValidationError
from tokportal_server.http.validation import Problem, decode_body, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.errors import VideoNotFoundError, VideoStatusError
from tokportal_server.videos.csv_columns import (
    COLUMNS,
    DATE,
    REQUIRED,
    START_DATE,
    CellError,
    read_cell,
)
from tokportal_server.videos.wire import HIGHEST_POSITION, ConfigureVideoRequest

MAX_ROWS = 1000
_LONGEST_LINE = 256 * 1024
_LONGEST_LISTING = 10
# Spreadsheets leave some behind; millions would only cost time.
_MOST_BLANK = 10_000
_WHOLE_ROW = "row"


class RowProblem(msgspec.Struct, frozen=True):
    """Why a row was not imported: ``field`` is the column, null if it is the row as a whole."""

    row: int
    field: str | None
    code: str
    message: str


@dataclass(slots=True)
class Sheet:
    """What a file asks for. ``row_of`` gives the row of each position; ``skipped`` were blank."""

    requests: dict[int, ConfigureVideoRequest] = field(default_factory=dict)
    row_of: dict[int, int] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)
    skipped: int = 0
    date_column: str = DATE

    def blame(self, row: int, error: ApiError) -> None:
        """Note the refusal of a row: each of its problems by its column."""
        listed: list[dict[str, Any]] = [{"field": _column_of(error), "message": error.message}]
        if isinstance(error, ValidationError):
            listed = error.details["errors"]
        for problem in listed:
            named = problem["field"]
            column = self.date_column if named == DATE else None if named == _WHOLE_ROW else named
            self.problems.append(RowProblem(row, column, error.code, problem["message"]))


def _column_of(error: ApiError) -> str | None:
    if isinstance(error, VideoNotFoundError | VideoStatusError):
        return "position"
    named: str | None = error.details.get("field")
    return named


def read_sheet(path: Path, *, auto_publish: bool | None) -> Sheet:
    """Read a file; runs in a thread.

    Raises:
        ValidationError: it is refused as a whole.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return _Reader(auto_publish=auto_publish).read(file)
        except UnicodeDecodeError:
            _refuse_file("is not text in UTF-8, or only in parts; export it as 'CSV UTF-8'")


def _refuse_file(*messages: str) -> NoReturn:
    refuse([Problem("file", message) for message in messages])
    raise AssertionError(messages)


class _Reader:
    """Goes through one file."""

    def __init__(self, *, auto_publish: bool | None) -> None:
        self._auto_publish = auto_publish
        self._sheet = Sheet()
        self._header: list[str] = []
        self._taken = 0
        self._twice: list[str] = []

    def read(self, file: TextIO) -> Sheet:
        first = file.readline(_LONGEST_LINE)
        delimiter = ";" if first.count(";") > first.count(",") else ","
        file.seek(0)
        row = 0
        try:
            for cells in csv.reader(_lines(file), delimiter=delimiter, strict=True):
                row += 1
                self._read_row(row, cells)
        except csv.Error as error:
            _refuse_file(
                f"row {row + 1}: cannot be read as CSV: {error}. A quote that opens a cell closes"
                " it, and quotes inside are doubled"
            )
        if not self._header:
            _refuse_file("is empty; its first row names the columns")
        if self._twice:
            _refuse_file(*self._twice)
        return self._sheet

    def _read_row(self, row: int, cells: list[str]) -> None:
        if not self._header:
            self._header = _header(cells)
            if DATE not in self._header:
                self._sheet.date_column = START_DATE
        elif not any(cell.strip() for cell in cells):
            self._sheet.skipped += 1
            if self._sheet.skipped > _MOST_BLANK:
                _refuse_file(f"row {row}: more than {_MOST_BLANK} rows are blank; delete them")
        else:
            self._taken += 1
            if self._taken > MAX_ROWS:
                _refuse_file(
                    f"row {row}: a file may have {MAX_ROWS} rows; send the rest in another"
                )
            try:
                self._take(row, cells)
            except ApiError as error:
                self._sheet.blame(row, error)

    def _take(self, row: int, cells: list[str]) -> None:
        """Make a row's request.

        Raises:
            ValidationError: with every problem of the row.
        """
        values, problems = _values(self._header, cells)
        position = values.pop("position", None)
        if position is None and not any(p.field == "position" for p in problems):
            problems.append(Problem("position", "is required"))
        if position is not None and not 1 <= position <= HIGHEST_POSITION:
            problems.append(Problem("position", f"must be from 1 to {HIGHEST_POSITION}"))
        elif position in self._sheet.row_of:
            self._twice.append(
                f"row {row}: position {position} is in row {self._sheet.row_of[position]} already"
            )
        elif position is not None:
            self._sheet.row_of[position] = row
        if self._auto_publish is not None:
            values["auto_publish"] = self._auto_publish
        request = _decode(values, problems)
        if position is not None:
            self._sheet.requests[position] = request


def _values(header: Sequence[str], cells: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Read the cells of a row; give those that hold something, and what cannot be read."""
    values: dict[str, Any] = {}
    problems = []
    for name, cell in zip(header, cells, strict=False):
        try:
            value = read_cell(name, cell)
        except CellError as error:
            problems.append(Problem(name, str(error), cell))
        else:
            if value is not None:
                values[DATE if name == START_DATE else name] = value
    if any(cell.strip() for cell in cells[len(header) :]):
        problems.append(
            Problem(_WHOLE_ROW, f"has more cells than the header, which has {len(header)}")
        )
    return values, problems


def _decode(values: dict[str, Any], problems: list[Problem]) -> ConfigureVideoRequest:
    """Give the request of a row, if ``problems`` stays empty.

    Raises:
        ValidationError: with ``problems`` and those of the request itself.
    """
    try:
        request = decode_body(ConfigureVideoRequest, msgspec.json.encode(values))
    except ValidationError as error:
        seen = {problem.field for problem in problems}
        more = msgspec.convert(error.details["errors"], list[Problem])
        refuse(problems + [problem for problem in more if problem.field not in seen])
        raise
    refuse(problems)
    return request


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if "\0" in line:
            _refuse_file("contains U+0000: it is no text, or a damaged one")
        if len(line) == _LONGEST_LINE:
            _refuse_file(f"has a line of {_LONGEST_LINE} characters or more, which no slot needs")
        yield line


def _header(cells: Sequence[str]) -> list[str]:
    """Give the columns' names.

    Raises:
        ValidationError: they are not ours; every reason at once.
    """
    names = [cell.strip().lower() for cell in cells]
    # Spreadsheets keep columns that somebody emptied.
    while names and not names[-1]:
        names.pop()
    known = {*COLUMNS, START_DATE}
    if unknown := [name for name in names if name not in known]:
        listed = ", ".join(repr(name[:40]) for name in unknown[:_LONGEST_LISTING])
        if len(unknown) > _LONGEST_LISTING:
            listed += f" and {len(unknown) - _LONGEST_LISTING} more"
        _refuse_file(
            f"row 1: unknown column(s) {listed}; known are {', '.join(COLUMNS)}, and {START_DATE}"
            f" for {DATE}"
        )
    plain = [DATE if name == START_DATE else name for name in names]
    problems = [f"row 1: column {name} is there twice" for name in COLUMNS if plain.count(name) > 1]
    problems += [f"row 1: column {name} is missing" for name in REQUIRED if name not in plain]
    if problems:
        _refuse_file(*problems)
    return names
