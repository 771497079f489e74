"""The slots of a bundle as a CSV that ``importBundleVideosCsv`` takes back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from uuid import UUID

import msgspec

from tokportal_server.lib.clock import wire_day
from tokportal_server.lib.csv_rows import BYTE_ORDER_MARK
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import bundle_not_found
from tokportal_server.orders.locks import Row
from tokportal_server.videos.csv_columns import COLUMNS, write_cell
from tokportal_server.videos.queries import BUNDLE_EXISTS
from tokportal_server.videos.wire import SlotContent

FILLED = """
SELECT position, video_type, name, external_ref, target_start, content FROM slots
 WHERE workspace_id = $1 AND bundle_id = $2 AND video_type IS NOT NULL
 ORDER BY position
"""


async def export_csv(conn: Connection, workspace_id: UUID, bundle_id: UUID) -> Iterator[bytes]:
    """Give the file, row by row: a header, then every slot that holds something, by position.

    UTF-8 with a byte order mark, every cell quoted, lines ended by CRLF (RFC 4180). No cell opens
    as a formula. Media are named as they were given, so uploads can be used in this workspace only.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
    """
    if await conn.fetchval(BUNDLE_EXISTS, workspace_id, bundle_id) is None:
        raise bundle_not_found(bundle_id)
    return _lines(await conn.fetch(FILLED, workspace_id, bundle_id))


def _lines(slots: list[Row]) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK + _line(COLUMNS).encode()
    for slot in slots:
        content = msgspec.structs.asdict(msgspec.convert(slot["content"], SlotContent))
        values = {
            **content,
            "position": slot["position"],
            "video_type": slot["video_type"],
            "name": slot["name"],
            "external_ref": slot["external_ref"],
            "target_publish_date": wire_day(slot["target_start"]),
        }
        yield _line([write_cell(column, values[column]) for column in COLUMNS]).encode()


def _line(cells: list[str] | tuple[str, ...]) -> str:
    target = io.StringIO()
    csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return target.getvalue()
