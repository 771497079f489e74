"""What the addresses of posts, stories, comments and profiles look like on each platform."""

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
# What tells one post from another, whatever the address it is reached by.
_POST_KEYS = {
    "tiktok": re.compile(r"/(?:video|photo)/(\d+)|//v[mt]\.tiktok\.com/(\w+)", re.ASCII),
    "instagram": re.compile(r"/(?:p|reel|tv)/([\w-]+)", re.ASCII),
}
_AUTHORS = {
    "tiktok": re.compile(r"tiktok\.com/@([\w.]+)/", re.ASCII),
    "instagram": re.compile(r"instagram\.com/([\w.]+)/(?:p|reel|tv)/", re.ASCII),
}
_COMMENTS = {
    "tiktok": re.compile(r"[?&](?:share_comment_id|comment_id|cid)=(\d{5,25})(?:&\S*)?", re.ASCII),
    "instagram": re.compile(r"/c/(\d{5,25})/?(?:\?\S*)?", re.ASCII),
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


def platform_of_post(url: str) -> str | None:
    """Give the platform of which ``url`` has the form of a post's address, or None."""
    return next((platform for platform in _POSTS if is_post_url(platform, url)), None)


def post_key(platform: str, url: str) -> str:
    """Give what the addresses of one post have in common; a short link is a post of its own.

    Raises:
        ValueError: ``url`` is no post's address on ``platform``.
    """
    found = _POST_KEYS[platform].search(url)
    if found is None:
        raise ValueError(url)
    return next(group for group in found.groups() if group)


def author_of_post(platform: str, url: str) -> str | None:
    """Give the handle of the post's author, if the address names it."""
    found = _AUTHORS[platform].search(url)
    return found and found[1]


def comment_of_url(platform: str, url: str) -> tuple[str, str] | None:
    """Give post key and comment id of a comment's address, or None if it is not one."""
    found = _COMMENTS[platform].search(url)
    if found is None or found.end() != len(url):
        return None
    post = url[: found.start()] if platform == "instagram" else url
    return (post_key(platform, post), found[1]) if is_post_url(platform, post) else None


def is_picture_url(url: str) -> bool:
    """Say whether ``url`` can be the address of a picture, wherever it is kept."""
    return len(url) <= LONGEST_URL and re.fullmatch(r"https?://[!-~]+", url) is not None


def _fits(forms: dict[str, re.Pattern[str]], platform: str, url: str) -> bool:
    form = forms.get(platform)
    return form is not None and len(url) <= LONGEST_URL and form.fullmatch(url) is not None
