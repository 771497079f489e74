"""Readings from what an API gave: its numbers, and the reason for each one that is not there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tokportal_server.analytics.observations import (
    POST_METRICS,
    Metric,
    MissingReason,
    PostReading,
    Reading,
    TrackedPost,
)


def reading(
    found: Mapping[Metric, int | None],
    payload: bytes,
    *,
    absent: MissingReason,
    never: Collection[Metric] = (),
) -> Reading:
    """Make a reading of ``found``.

    What is None there is missing for the reason ``absent``; ``never`` is what the API has not got.
    A negative count is the provider's mistake and no number.
    """
    metrics = {metric: n for metric, n in found.items() if n is not None and n >= 0}
    missing: dict[Metric, MissingReason] = dict.fromkeys(never, "not_supported")
    for metric, value in found.items():
        if value is None:
            missing[metric] = absent
        elif value < 0:
            missing[metric] = "provider_error"
    return Reading(metrics=metrics, missing=missing, payload=payload)


def unpermitted(post: TrackedPost, platform_post_id: str) -> PostReading:
    """Give the reading of a tracked post that nobody has consented to be read."""
    return PostReading(
        platform_post_id=platform_post_id,
        platform_url=post.platform_url,
        description=None,
        published_at=None,
        reading=Reading({}, dict.fromkeys(POST_METRICS, "no_permission"), b"null"),
    )
