"""Texts of the customers' console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "overview.rehearsal": "A rehearsal, worked by simulated managers. Its clock says",
    "overview.low": "Only {n} credits are left; your mark is {mark}.",
    "overview.needs": "Needs you now",
    "overview.nothing": "Nothing waits for you.",
    "overview.account_review": "Review the account",
    "overview.slot_review": "Review video {n}",
    "overview.media_failed": "Replace the media of video {n}",
    "overview.download_issue": "Mend the download of video {n}",
    "overview.drafts": "Being set up",
    "overview.ready": "Ready to publish",
    "overview.blockers": "{n} open",
    "overview.numbers": "At a glance",
    "overview.credits": "credits",
    "bundles.title": "Bundles",
    "bundles.search": "Title, reference or username",
    "bundles.status": "Status",
    "bundles.all": "All",
    "bundles.show": "Show",
    "bundles.none": "No bundle fits.",
    "bundles.pages": "Pages",
    "bundles.page": "Page {n} of {of}",
    "bundles.newer": "Newer",
    "bundles.older": "Older",
    "bundle.untitled": "Bundle",
    "bundle.ref": "Reference {ref}",
    "bundle.cost": "{n} credits",
    "bundle.ready": "Ready to publish",
    "bundle.not_ready": "Before it can be published",
    "bundle.publish": "Publish",
    "bundle.then_approved": "to review; then it counts as approved",
    "bundle.deviation": "{field} is “{actual}” instead of “{wanted}”.",
    "bundle.window": "Goes up {start} to {end}",
    "bundle.media_failed": "The media could not be fetched. {why}",
    "bundle.post": "Live post:",
    "bundle.brief": "What you asked for",
    "bundle.approve": "Approve",
    "bundle.correct": "Ask for corrections",
    "bundle.correct_do": "Send back",
    "bundle.by_field": "Say it field by field",
    "bundle.what_account": "What should be different about the account",
    "bundle.what_slot": "What should be different about the post",
    "bundle.mended": "(mended)",
    "bundle.waiting": "(with the manager)",
    "bundle.timeline": "What happened",
    "bundle.cancel": "Cancel this bundle",
    "bundle.cancel_hint": (
        "Possible until a manager has begun. What goes back follows the refund rule; a cancelled"
        " bundle cannot be opened again."
    ),
    "bundle.cancel_do": "Cancel it",
}
