"""A manager has posted a slot, or corrected the post, and hands in the proof."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.claims import reckon_deadline
from tokportal_server.orders.completion import complete_if_done
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import slot_transition_refused
from tokportal_server.orders.locks import Row, lock_slot
from tokportal_server.orders.post_urls import EXAMPLES, is_picture_url, is_post_url
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import SLOT
from tokportal_server.videos.operations.finalize_slot import finalize_locked
from tokportal_server.videos.schedule import today
from tokportal_server.workbench.claim_guard import lock_workable_bundle
from tokportal_server.workbench.errors import WindowNotOpenError

SUBMITTABLE = ("accepted", "pending_corrections")
REVIEWED = "UPDATE bundles SET reviewed_once = true WHERE workspace_id = $1 AND id = $2"
RESOLVE = """
UPDATE corrections SET resolved_at = $3
 WHERE workspace_id = $1 AND slot_id = $2 AND resolved_at IS NULL
"""


async def submit_slot(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    platform_url: str | None,
    evidence_url: str | None = None,
    rules: OrderRules,
) -> None:
    """Put a posted slot in review; with auto_finalize_videos it is finalized at once.

    ``platform_url`` is the live post; a story, whose address does not live long, needs
    ``evidence_url``, a picture of it.

    Raises:
        BundleNotFoundError, ClaimNotYoursError, VideoNotFoundError: not this manager's to post.
        SlotTransitionError, WindowNotOpenError, WorkFrozenError: it is not its time.
        ValidationError: the proof is not the address of a post on the platform.
    """
    bundle = await lock_workable_bundle(tx, actor, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    _check_proof(bundle, slot, platform_url, evidence_url)
    if slot["status"] not in SUBMITTABLE:
        raise slot_transition_refused(slot, "in_review")
    _check_time(tx, slot)
    await tx.conn.execute(RESOLVE, tx.workspace_id, slot["id"], tx.now)
    await tx.conn.execute(REVIEWED, tx.workspace_id, bundle_id)
    automatic = bundle["auto_finalize_videos"]
    submitted = await move(
        tx,
        SLOT,
        slot,
        "in_review",
        actor=actor,
        data=about_slot(bundle, slot, platform_url=platform_url),
        platform_url=platform_url,
        evidence_url=evidence_url,
        submitted_at=tx.now,
        review_deadline_at=None if automatic else tx.now + rules.review,
        updated_at=tx.now,
    )
    if automatic:
        await finalize_locked(tx, bundle, submitted, actor=actor, reason="auto_finalize_videos")
    await reckon_deadline(tx, bundle, rules)
    await complete_if_done(tx, bundle, actor)


def _check_proof(bundle: Row, slot: Row, url: str | None, evidence: str | None) -> None:
    platform, story = bundle["platform"], slot["video_type"] == "story"
    problems = []
    if story and not evidence:
        problems.append(Problem("evidence_url", "a story needs a picture of it as proof"))
    if evidence and not is_picture_url(evidence):
        problems.append(Problem("evidence_url", "must be an http(s) address", evidence))
    if not story and not url:
        problems.append(Problem("platform_url", "is required: the address of the live post"))
    if url and not is_post_url(platform, url, story=story):
        like = "a story's" if story else EXAMPLES[platform]
        problems.append(
            Problem(
                "platform_url", f"is not such an address on {platform}; it looks like {like}", url
            )
        )
    refuse(problems)


def _check_time(tx: UnitOfWork, slot: Row) -> None:
    if slot["status"] == "pending_corrections":
        return
    if slot["workable_at"] is None:
        raise WindowNotOpenError(
            f"Slot {slot['position']} waits for its account: the customer has not approved the"
            " profile yet."
        )
    if today(tx.now) < slot["target_start"]:
        raise WindowNotOpenError(
            f"Slot {slot['position']} goes up from {slot['target_start']} on; it is"
            f" {today(tx.now)} now.",
            details={"opens": slot["target_start"].isoformat()},
        )
