"""Uploads from pages: the same checks and the same store as a direct upload of the API.

Scripts send the file in the background and read from the address they are led to what it became;
without scripts a person is led to the form, with the file in its field.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from tokportal_server.console.acts import bundle_address
from tokportal_server.console.slot_forms import MEDIA_FIELDS
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.pages.page import Answer, Page, Redirect, Visit, nothing_here
from tokportal_server.uploads.ingest import Ingested, ingest_image, ingest_video
from tokportal_server.uploads.limits import file_too_large, media_limits
from tokportal_server.uploads.operations.record_upload import (
    discarding_unrecorded,
    record_upload,
)
from tokportal_server.uploads.queries import require_bundle
from tokportal_server.uploads.wire import Purpose

_LONGEST_NAME = 255
# What a file in each of the fields is for, as the API's uploads say it.
_PURPOSES: Final[dict[str, Purpose]] = {
    **dict.fromkeys(MEDIA_FIELDS, "carousel"),
    "video_url": "video",
    "profile_picture_url": "profile_picture",
}


def _limits(settings: Settings) -> FormLimits:
    return FormLimits(settings.video_max_bytes, file_too_large)


async def upload(visit: Visit) -> Answer:
    """Check and store a file for one of the bundle's forms, and lead back to that form.

    Raises:
        PageNotFoundError: the workspace has no such bundle.
        ValidationError: the form does not say what the file is for.
        ApiError: as the direct uploads of the API.
    """
    into = visit.field("into")
    if into not in _PURPOSES:
        refuse([Problem("into", f"must be one of {', '.join(_PURPOSES)}", into)])
    async with visit.connected() as known:
        try:
            await require_bundle(known.conn, visit.workspace.id, visit.id("bundle"))
        except BundleNotFoundError:
            raise nothing_here() from None
    media = await _ingest(visit, _PURPOSES[into])
    async with (
        discarding_unrecorded(visit.ports, visit.workspace.id, media.storage_key),
        visit.connected() as open_visit,
        unit_of_work(open_visit.conn, visit.workspace.id, now=visit.now) as tx,
    ):
        await record_upload(
            tx=tx,
            bundle_id=visit.id("bundle"),
            purpose=_PURPOSES[into],
            filename=visit.file.filename.replace("\0", "")[-_LONGEST_NAME:],
            media=media,
        )
    return Redirect(f"{_back(visit, into)}?{urlencode({'into': into, 'file': media.storage_key})}")


async def _ingest(visit: Visit, purpose: Purpose) -> Ingested:
    limits = media_limits(visit.ports.settings)
    if purpose == "video":
        return await ingest_video(
            visit.file.path,
            workspace_id=visit.workspace.id,
            storage=visit.ports.storage,
            limits=limits,
        )
    if visit.file.size > limits.image_max_bytes:
        raise file_too_large(limits.image_max_bytes, visit.file.size)
    return await ingest_image(
        visit.file.path,
        workspace_id=visit.workspace.id,
        storage=visit.ports.storage,
        limits=limits,
    )


def _back(visit: Visit, into: str) -> str:
    """Give the form that the file is for."""
    position = visit.field("position")
    if into in MEDIA_FIELDS and position.isdecimal() and len(position) <= 4:
        return f"{bundle_address(visit)}/slots/{int(position)}"
    return f"{bundle_address(visit)}/profile"


FILE_PAGES: Final = (
    Page(
        "upload_file",
        "POST",
        "/console/{workspace}/bundles/{bundle}/files",
        upload,
        takes_file=_limits,
    ),
)
