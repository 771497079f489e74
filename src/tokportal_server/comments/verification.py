"""Whether a comment stands under its post as it was ordered.

What stands there is told by a :class:`CommentSource`, an adapter of an official API; nothing here
reads a platform's pages. Where no source can look, people do: the task is confirmed by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import structlog

from tokportal_server.comments.similarity import likeness
from tokportal_server.comments.wire import OutcomeKind

log = structlog.get_logger(__name__)

# Contract section 10.
SAME: Final = 0.95
LONGEST_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Look:
    """A comment to look for: under which post, by whom, with which words.

    ``comment_id`` is the one that the manager handed in, if the platform shows it; ``attempt``
    counts from 1.
    """

    workspace_id: UUID
    task_id: UUID
    saved_account_id: UUID
    platform: str
    post_url: str
    post: str
    author_handle: str
    text: str
    comment_id: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class FoundComment:
    """A comment under a post, as the platform's API gives it."""

    id: str
    author_handle: str
    text: str


class CannotLookError(Exception):
    """No API lets this server read the comments of this post; the reason is for the customer."""


class LookFailedError(Exception):
    """The API did not answer this time; the reason is for the customer."""


class CommentSource(Protocol):
    """Reads the comments of a post from an official API, within ``LONGEST_SECONDS``."""

    async def comments(self, look: Look) -> Sequence[FoundComment]:
        """Give the comments under the post of ``look``.

        Raises:
            CannotLookError: no API is connected that may read them.
            LookFailedError: it is, and failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look came to; ``score`` is the likeness of the texts, from 0 to 1."""

    outcome: OutcomeKind
    reason: str | None = None
    score: float | None = None
    comment_id: str | None = None
    seen: int = 0
    # Whether to look again later, if the comment was not found.
    again: bool = True


async def look_for(source: CommentSource, look: Look) -> Verdict:
    """Ask a source, and judge what it gives; one that breaks has failed, and stops nothing else."""
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return judge(look, await source.comments(look))
    except CannotLookError as error:
        return Verdict("couldnt_verify", str(error), again=False)
    except LookFailedError as error:
        return Verdict("scrape_failed", str(error))
    except TimeoutError:
        return Verdict("scrape_failed", f"no answer within {LONGEST_SECONDS} seconds")
    except Exception:
        log.exception("comment_source_broke", task=str(look.task_id))
        return Verdict("scrape_failed", "looking for the comment failed on our side")


def judge(look: Look, comments: Sequence[FoundComment]) -> Verdict:
    """Say whether the comment is among ``comments``.

    The comment that the manager handed in is judged by itself. Without it, one of the account's
    own decides; another author's only if nobody knows which one to look for.
    """
    ours = _handle(look.author_handle)
    scored = [(likeness(look.text, c.text), c) for c in comments]
    handed_in = [pair for pair in scored if pair[1].id == look.comment_id]
    by_us = [pair for pair in scored if _handle(pair[1].author_handle) == ours]
    for score, comment in sorted(handed_in or by_us, key=lambda pair: -pair[0])[:1]:
        if _handle(comment.author_handle) != ours:
            reason = f"the comment was written by {_shown(comment.author_handle)}, not by {ours}"
            return _found("wrong_account", score, comment, comments, reason)
        if score >= SAME:
            return _found("verified", score, comment, comments)
        if handed_in or look.comment_id is None:
            reason = f"the comment of {ours} reads: {_shown(comment.text)}"
            return _found("wrong_text", score, comment, comments, reason)
    if look.comment_id is None:
        for score, comment in scored:
            if score >= SAME:
                reason = f"only {_shown(comment.author_handle)} has written this, not {ours}"
                return _found("wrong_account", score, comment, comments, reason)
    reason = f"no such comment of {ours} is among those that the platform gives"
    return Verdict("couldnt_verify", reason, seen=len(comments))


def _found(
    outcome: OutcomeKind,
    score: float,
    comment: FoundComment,
    comments: Sequence[FoundComment],
    reason: str | None = None,
) -> Verdict:
    return Verdict(outcome, reason, score, _shown(comment.id), len(comments))


def _shown(text: str) -> str:
    """Give a stranger's text as it can be stored and shown in a line."""
    return "".join(c if c.isprintable() else " " for c in text[:200])


def _handle(name: str) -> str:
    return name.strip().removeprefix("@").lower()
