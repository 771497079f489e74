"""Numbers that a person has read and entered: one at a time, or as a CSV file.

The source is ``manual``. An empty cell is a number that nobody has read, never 0.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tokportal_server.analytics.observations import (
    POST_METRICS,
    Collected,
    Metric,
    PostReading,
    Reading,
    TrackedPost,
)
from tokportal_server.http.validation import Problem
from tokportal_server.orders.post_urls import is_post_url, post_key

Count = Annotated[int, Meta(ge=0, le=10**15)]
ACCOUNT_METRICS: Final[tuple[Metric, ...]] = ("followers", "following", "posts")
MOST_POSTS: Final = 500
_MOST_BYTES: Final = 1 << 20
_COLUMNS: Final = ("platform_url", *POST_METRICS)


class EnteredPost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of one post, as somebody has read them."""

    platform_url: Annotated[str, Meta(min_length=1, max_length=2048)]
    views: Count | None = None
    likes: Count | None = None
    comments: Count | None = None
    shares: Count | None = None
    bookmarks: Count | None = None


class EnteredNumbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of an account and of posts on it, all read at one time."""

    followers: Count | None = None
    following: Count | None = None
    posts: Count | None = None
    read_posts: Annotated[Sequence[EnteredPost], Meta(max_length=MOST_POSTS)] = ()

    def problems_on(self, platform: str, tracked: Mapping[str, TrackedPost]) -> Iterator[Problem]:
        """Yield what cannot be: nothing at all, a post that is not tracked, one post twice.

        ``tracked`` are the account's posts by what their addresses have in common.
        """
        if not self.read_posts and not _given(self, ACCOUNT_METRICS):
            yield Problem("followers", "is needed, or another number: none was entered")
        seen: set[str] = set()
        for place, post in enumerate(self.read_posts):
            field = f"read_posts[{place}]"
            if not is_post_url(platform, post.platform_url):
                yield Problem(
                    f"{field}.platform_url",
                    f"is not the address of a post on {platform}",
                    post.platform_url,
                )
                continue
            key = post_key(platform, post.platform_url)
            if key not in tracked:
                yield Problem(
                    f"{field}.platform_url",
                    "is not tracked: a post is once its slot is finalized",
                    post.platform_url,
                )
            if key in seen:
                yield Problem(f"{field}.platform_url", "is entered twice; remove one")
            seen.add(key)
            if not _given(post, POST_METRICS):
                yield Problem(f"{field}.views", "is needed, or another number of this post")


def collected_from(
    entered: EnteredNumbers, tracked: Mapping[str, TrackedPost], *, platform: str, at: datetime
) -> Collected:
    """Make a collection of what was entered; ``at`` is when it was read, on the workspace's clock.

    ``entered`` has no problems on ``platform`` with ``tracked``.
    """
    account = _given(entered, ACCOUNT_METRICS)
    return Collected(
        source="manual",
        collected_at=at,
        account=_reading(account, ACCOUNT_METRICS) if account else None,
        posts=[_post(post, tracked, platform) for post in entered.read_posts],
    )


def read_numbers_csv(content: bytes) -> tuple[list[EnteredPost], list[Problem]]:
    """Read posts from a CSV file with a head: ``platform_url`` and any of the metrics of posts.

    Problems name the line of the file; where there is one, nothing should be stored.
    """
    if len(content) > _MOST_BYTES:
        return [], [Problem("file", f"is larger than {_MOST_BYTES} bytes; send it in parts")]
    try:
        text = content.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        heads = [head.strip() for head in reader.fieldnames or ()]
        reader.fieldnames = heads
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        return [], [Problem("file", f"is no CSV file in UTF-8: {error}"[:200])]
    if problems := list(_head_problems(heads)):
        return [], problems
    if len(rows) > MOST_POSTS:
        return [], [Problem("file", f"has more than {MOST_POSTS} rows; send it in parts")]
    posts: list[EnteredPost] = []
    for line, row in rows:
        try:
            posts.append(msgspec.convert(_cells(row), EnteredPost, strict=False))
        except msgspec.ValidationError as error:
            problems.append(Problem(f"line {line}", str(error)))
    return posts, problems


def _head_problems(heads: Sequence[str]) -> Iterator[Problem]:
    if "platform_url" not in heads:
        yield Problem("file", "needs the column platform_url in its first line")
    for head in heads:
        if head not in _COLUMNS:
            yield Problem("file", f"has a column that is not known; known: {_COLUMNS}", head)
    if len(set(heads)) < len(heads):
        yield Problem("file", "names a column twice")


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the cells that say something; too many cells in a line show under the name None."""
    given = {name: (cell or "").strip() if name else cell for name, cell in row.items()}
    return {str(name): cell for name, cell in given.items() if cell}


def _given(entered: msgspec.Struct, metrics: Sequence[Metric]) -> dict[Metric, int]:
    found = {metric: getattr(entered, metric) for metric in metrics}
    return {metric: value for metric, value in found.items() if value is not None}


def _post(post: EnteredPost, tracked: Mapping[str, TrackedPost], platform: str) -> PostReading:
    key = post_key(platform, post.platform_url)
    return PostReading(
        platform_post_id=tracked[key].platform_post_id or key,
        platform_url=post.platform_url,
        description=None,
        published_at=None,
        reading=_reading(_given(post, POST_METRICS), POST_METRICS),
    )


def _reading(given: Mapping[Metric, int], metrics: Sequence[Metric]) -> Reading:
    absent = [metric for metric in metrics if metric not in given]
    return Reading(given, dict.fromkeys(absent, "not_yet"), msgspec.json.encode({"entered": given}))
