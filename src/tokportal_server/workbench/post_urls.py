"""What the address of a post looks like on each platform."""

from __future__ import annotations

import re

_FORMS = {
    "tiktok": re.compile(
        r"https://(?:(?:www|m)\.)?tiktok\.com/@[\w.]{1,24}/(?:video|photo)/\d{5,25}/?(?:\?\S*)?"
        r"|https://v[mt]\.tiktok\.com/\w{5,20}/?"
    ),
    "instagram": re.compile(
        r"https://(?:www\.)?instagram\.com/(?:[\w.]{1,30}/)?(?:p|reel|tv)/[\w-]{5,40}/?(?:\?\S*)?"
        r"|https://(?:www\.)?instagram\.com/stories/[\w.]{1,30}/\d{5,25}/?"
    ),
}
EXAMPLES = {
    "tiktok": "https://www.tiktok.com/@name/video/7300000000000000000",
    "instagram": "https://www.instagram.com/reel/Cabc123def4/",
}


def is_post_url(platform: str, url: str) -> bool:
    """Say whether ``url`` has the form of a post's address on ``platform``."""
    return bool(_FORMS[platform].fullmatch(url))
