"""What the addresses of posts, stories and profiles look like on each platform."""

from __future__ import annotations

import re

LONGEST_URL = 2048
_POSTS = {
    "tiktok": re.compile(
        r"https://(?:(?:www|m)\.)?tiktok\.com/@[\w.]{1,24}/(?:video|photo)/\d{5,25}/?(?:\?\S*)?"
        r"|https://v[mt]\.tiktok\.com/\w{5,20}/?",
        re.ASCII,
    ),
    "instagram": re.compile(
        r"https://(?:www\.)?instagram\.com/(?:[\w.]{1,30}/)?(?:p|reel|tv)/[\w-]{5,40}/?(?:\?\S*)?",
        re.ASCII,
    ),
}
_STORIES = {
    "instagram": re.compile(
        r"https://(?:www\.)?instagram\.com/stories/[\w.]{1,30}/\d{5,25}/?(?:\?\S*)?", re.ASCII
    )
}
_PROFILES = {
    "tiktok": re.compile(r"https://(?:(?:www|m)\.)?tiktok\.com/@[\w.]{1,24}/?(?:\?\S*)?", re.ASCII),
    "instagram": re.compile(r"https://(?:www\.)?instagram\.com/[\w.]{1,30}/?(?:\?\S*)?", re.ASCII),
}
EXAMPLES = {
    "tiktok": "https://www.tiktok.com/@name/video/7300000000000000000",
    "instagram": "https://www.instagram.com/reel/Cabc123def4/",
}


def is_post_url(platform: str, url: str, *, story: bool = False) -> bool:
    """Say whether ``url`` has the form of a post's (or a story's) address on ``platform``."""
    return _fits(_STORIES if story else _POSTS, platform, url)


def is_profile_url(platform: str, url: str) -> bool:
    """Say whether ``url`` has the form of a profile's address on ``platform``."""
    return _fits(_PROFILES, platform, url)


def is_picture_url(url: str) -> bool:
    """Say whether ``url`` can be the address of a picture, wherever it is kept."""
    return len(url) <= LONGEST_URL and re.fullmatch(r"https?://[!-~]+", url) is not None


def _fits(forms: dict[str, re.Pattern[str]], platform: str, url: str) -> bool:
    form = forms.get(platform)
    return form is not None and len(url) <= LONGEST_URL and form.fullmatch(url) is not None
