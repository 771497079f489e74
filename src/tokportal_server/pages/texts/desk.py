"""Texts of the managers' desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "queue.title": "Queue",
    "queue.claim": "Claim",
    "queue.videos": "videos: {n} ({ready} ready)",
    "queue.edits": "with editing: {n}",
    "queue.niche": "niche warming",
    "queue.deep": "deep warming",
    "queue.moderation": "comment moderation",
    "queue.first_day": "first post {day}",
    "queue.time": "{n} h to set the account up",
    "queue.offered": "offered",
    "queue.empty": "Nothing to claim",
    "queue.empty_why": (
        "No order is open in your countries ({countries}) on your platforms ({platforms}). New"
        " ones appear here when customers publish them."
    ),
    "queue.paused": "The operator has paused all work: {reason}",
    "queue.to_mine": "See your own work",
    "mine.title": "My work",
    "mine.empty": "You hold no order",
    "mine.to_queue": "Go to the queue",
    "mine.set_up": "Set the account up",
    "mine.correct_account": "Correct the account",
    "mine.account_in_review": "The customer reviews the account",
    "mine.correct": "Posts to correct: {n}",
    "mine.post": "Videos to post: {n}",
    "mine.from": "from {day}",
    "mine.in_review": "Posts in review: {n}",
    "work.title": "Order {name}",
    "work.not_yours": "You do not hold this order (any more). What is open is in the queue.",
    "work.account": "Account",
    "work.submit_account": "Hand in the account",
    "work.account_in_review": "Handed in. The customer reviews it.",
    "work.keep_credentials": "Leave the secrets empty to keep those that are stored.",
    "work.credentials_wrong": "The credentials {what}.",
    "work.codes_hint": "One a line.",
    "work.open_credentials": "Open the stored credentials",
    "work.open_hint": "Noted in the audit log.",
    "work.corrections": "Corrections, round {n}",
    "work.slot": "Video {n}",
    "work.window": "post {start} to {end} (UTC days; the account lives in {zone})",
    "work.issue": "Reported: the download does not work ({reason})",
    "work.download": "Download {kind} {n}",
    "work.waits": "This waits until the customer has approved the account.",
    "work.submit_slot": "Hand in the post",
    "work.report": "The download does not work",
    "work.report_reason": "What is wrong with it",
    "work.report_do": "Report it",
    "work.release": "Give the order back",
    "work.release_reason": "Why",
    "work.release_hint": "The customer may read this.",
    "work.release_do": "Give it back",
    "credentials.title": "Credentials",
    "credentials.note": "Use them for this order only. This look was noted in the audit log.",
    "credentials.code": "Recovery code {n}",
    "credentials.back": "Back to the order",
}
