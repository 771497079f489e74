"""``fixBundleVideoDownload``: other media in place of those that the manager could not use."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row, lock_bundle, lock_slot
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.errors import NoDownloadIssueError
from tokportal_server.videos.media_links import link_slot_media
from tokportal_server.videos.platform_rules import carousel_problems
from tokportal_server.videos.requests import FixVideoDownloadRequest
from tokportal_server.videos.wire import SlotContent
from tokportal_server.workspaces.reference import get_platform

# Once the post is in review or done, the manager has found a way, and the media are history.
_NEEDED_IN = frozenset({"published", "accepted", "pending_corrections"})
_FITTING = {
    "video": ("video_url",),
    "carousel": ("carousel_images",),
    "story": ("video_url", "story_image_url"),
}
REPAIR = """
UPDATE slots SET content = $3, media_status = $4, media_error = NULL, download_issue = NULL,
       updated_at = $5
 WHERE workspace_id = $1 AND id = $2
"""


async def fix_download(
    *,
    tx: UnitOfWork,
    bundle_id: UUID,
    position: int,
    request: FixVideoDownloadRequest,
    source: MediaSource,
) -> Row:
    """Replace the slot's media, and take the manager's report down; give the row as it was.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        NoDownloadIssueError: no manager waits for other media.
        ValidationError: the field does not fit the slot, or the address may not be called.
        MediaNotFoundError: an upload is not there.
    """
    bundle = await lock_bundle(tx, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    if slot["download_issue"] is None or slot["status"] not in _NEEDED_IN:
        raise NoDownloadIssueError(
            f"Slot {position} has no download issue: it is {slot['status']}, and no manager waits"
            " for other media of it.",
            details={"current_status": slot["status"]},
        )
    platform = await get_platform(tx.conn, bundle["platform"])
    refuse([*_misfits(slot, request), *carousel_problems(request.carousel_images, platform)])
    # A story has one file, so what is not given goes.
    files = {field: value or None for field, value in msgspec.structs.asdict(request).items()}
    content = msgspec.structs.replace(msgspec.convert(slot["content"], SlotContent), **files)
    media = await link_slot_media(tx, slot, content, source)
    await tx.conn.execute(
        REPAIR, tx.workspace_id, slot["id"], msgspec.to_builtins(content), media, tx.now
    )
    return slot


def _misfits(slot: Row, request: FixVideoDownloadRequest) -> Iterator[Problem]:
    fitting = _FITTING[slot["video_type"]]
    for field in request.given():
        if field not in fitting:
            yield Problem(
                field,
                f"does not belong to video_type {slot['video_type']!r}; send"
                f" {' or '.join(fitting)}",
            )
