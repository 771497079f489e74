"""Spreadsheets: of slots, of numbers, and the cells of both."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.fuzz.parsers.target import Target, pieces_of, text_of
from tokportal_server.analytics.providers.manual import MOST_POSTS, read_numbers_csv
from tokportal_server.lib.errors import ApiError
from tokportal_server.videos.csv_columns import COLUMNS, CellError, read_cell, write_cell
from tokportal_server.videos.csv_sheet import MAX_ROWS, read_sheet

SHEET = (
    b"position,video_type,description,target_publish_date,video_url,carousel_images\r\n"
    b'1,video,"Look, ""here""\nand there",2026-12-05,https://media.example.com/a.mp4,\r\n'
    b'2,carousel,=1+1,2026-12-06,,"https://a.example/1.png;""https://b.example/;2.png"""\r\n'
)


def read_slots(data: bytes) -> None:
    """A file of slots is read, row by row, or refused."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(data)
        file.flush()
        try:
            sheet = read_sheet(Path(file.name), auto_publish=None)
        except ApiError:
            return
    assert len(sheet.requests) <= MAX_ROWS
    assert set(sheet.requests) <= set(sheet.row_of)


def read_numbers(data: bytes) -> None:
    """A file of numbers is read, or told what is wrong with it."""
    posts, problems = read_numbers_csv(data)
    assert problems or len(posts) <= MOST_POSTS


def read_and_write_a_cell(data: bytes) -> None:
    """What is read from a cell is written as a cell that says the same, and is no formula."""
    column = COLUMNS[data[0] % len(COLUMNS)] if data else COLUMNS[0]
    try:
        value = read_cell(column, text_of(data[1:]))
    except CellError:
        return
    written = write_cell(column, value)
    assert not written.startswith(("=", "@", "\t", "\r", "\n")), written
    # A list of nothing is an empty cell.
    assert read_cell(column, written) == (value if value != [] else None), (column, written)


def read_pieces(data: bytes) -> None:
    """Cells of lists, next to each other."""
    for piece in pieces_of(data, 3):
        read_and_write_a_cell(bytes([COLUMNS.index("carousel_images")]) + piece)


TARGETS = (
    Target("csv_slots", read_slots, (SHEET, SHEET.replace(b",", b";"), b"\xef\xbb\xbf" + SHEET)),
    Target(
        "csv_numbers",
        read_numbers,
        (b"platform_url,views,likes\nhttps://www.tiktok.com/@a/video/7300000000000000000,1,2\n",),
    ),
    Target("csv_cell", read_and_write_a_cell, (b"\x02=1+1", b'\x05a;"b;""c"', b"\x0dtrue")),
    Target("csv_lists", read_pieces, (b'a;"b;c";d\xff "" \xff;;',)),
)
