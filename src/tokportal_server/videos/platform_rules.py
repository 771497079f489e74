"""What a platform allows a slot to hold (contract section 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokportal_server.http.validation import Problem
from tokportal_server.videos.wire import INSTAGRAM_ONLY, ConfigureVideoRequest
from tokportal_server.workspaces.wire import Platform


def platform_problems(request: ConfigureVideoRequest, platform: Platform) -> Iterator[Problem]:
    """Yield every way in which a request does not fit the bundle's platform."""
    if request.video_type not in platform.video_types:
        yield Problem(
            "video_type",
            f"{platform.name} has no {request.video_type} slots; it has"
            f" {', '.join(platform.video_types)}",
            request.video_type,
        )
    yield from caption_problems(request.description, platform)
    yield from carousel_problems(request.carousel_images, platform)
    if platform.code != "instagram":
        for field in INSTAGRAM_ONLY:
            if getattr(request, field):
                yield Problem(field, f"is for Instagram only; the bundle is for {platform.name}")
    if platform.code != "tiktok" and request.tiktok_sound_url:
        yield Problem("tiktok_sound_url", f"is for TikTok only; the bundle is for {platform.name}")


def caption_problems(description: str | None, platform: Platform) -> Iterator[Problem]:
    """Yield that a caption is longer than the platform's longest."""
    if description and len(description) > platform.caption_max:
        yield Problem(
            "description",
            f"is {len(description)} characters long; {platform.name} takes {platform.caption_max}",
        )


def carousel_problems(images: Sequence[str] | None, platform: Platform) -> Iterator[Problem]:
    """Yield that a carousel has more images than the platform's longest."""
    if images and len(images) > platform.carousel_max:
        yield Problem(
            "carousel_images",
            f"has {len(images)} images; {platform.name} takes {platform.carousel_max}",
        )
