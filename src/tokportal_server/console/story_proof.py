"""Handing in a story: the picture of it is stored, and is its proof."""

from __future__ import annotations

from typing import Final

from tokportal_server.console import queue
from tokportal_server.console.work_page import show_work
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit
from tokportal_server.pages.texts import text
from tokportal_server.uploads.ingest import Ingested, ingest_image
from tokportal_server.uploads.limits import file_too_large, media_limits
from tokportal_server.uploads.media import public_url
from tokportal_server.uploads.operations.record_upload import (
    discarding_unrecorded,
    record_upload,
)
from tokportal_server.workbench.errors import ClaimNotYoursError
from tokportal_server.workbench.operations.submit_slot import submit_slot

_LONGEST_NAME = 255


def _limits(settings: Settings) -> FormLimits:
    return FormLimits(settings.image_max_bytes, file_too_large)


async def post_story(visit: Visit) -> Answer:
    """Hand in a posted story with a picture of it.

    The picture is checked as those of customers are. If the slot is refused, it is not kept.

    Raises:
        ClaimNotYoursError: they do not hold the order.
    """
    await _require_claim(visit)
    form = f"slot-{visit.number('position')}"
    try:
        picture = await ingest_image(
            visit.file.path,
            workspace_id=visit.id("workspace"),
            storage=visit.ports.storage,
            limits=media_limits(visit.ports.settings),
        )
    except ApiError as error:
        return await _shown_again(visit, Refusal(form, error.message, error.status, {}, visit.form))
    try:
        async with discarding_unrecorded(visit.ports, visit.id("workspace"), picture.storage_key):
            to = await _submit(visit, picture)
    except ClaimNotYoursError:
        raise
    except ApiError as error:
        return await _shown_again(visit, Refusal.of(form, error, visit))
    return Redirect(f"{to}?done=slot")


async def _require_claim(visit: Visit) -> None:
    """Refuse a picture of somebody else's order before any work is done on it."""
    async with visit.connected() as known:
        ids = (visit.id("workspace"), visit.id("bundle"))
        if await queue.held_one(known.conn, *ids, visit.person.id) is None:
            raise ClaimNotYoursError(text("work.not_yours"))


async def _submit(visit: Visit, picture: Ingested) -> str:
    """Record the picture and hand the slot in, together; give the page that comes next."""
    workspace_id, bundle_id = visit.id("workspace"), visit.id("bundle")
    async with visit.connected() as known:
        async with known.writing(workspace_id, real_now()) as tx:
            await record_upload(
                tx=tx,
                bundle_id=bundle_id,
                purpose="evidence",
                filename=visit.file.filename.replace("\0", "")[-_LONGEST_NAME:] or "story",
                media=picture,
            )
            await submit_slot(
                tx=tx,
                actor=visit.manager,
                bundle_id=bundle_id,
                position=visit.number("position"),
                platform_url=visit.field("platform_url") or None,
                evidence_url=public_url(visit.ports.settings.origin(), picture.storage_key),
                rules=OrderRules.of(visit.ports.settings),
            )
        # Completed by what was handed in: there is no page of it any more.
        still = await queue.held_one(known.conn, workspace_id, bundle_id, visit.person.id)
    return f"/desk/{workspace_id}/{bundle_id}" if still else "/desk/mine"


async def _shown_again(visit: Visit, refusal: Refusal) -> Answer:
    async with visit.connected() as known:
        return await show_work(known, refusal)


STORY_PAGES: Final = (
    Page(
        "submit_story",
        "POST",
        "/desk/{workspace}/{bundle}/slots/{position}/story",
        post_story,
        takes_file=_limits,
    ),
)
