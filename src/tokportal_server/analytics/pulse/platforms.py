"""On which platforms the text of comments may be looked through (contract section 11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Why a platform's comments are left out; one that is not named here is read. What a rehearsal made
# up, and what a person wrote down, is nobody's data but the workspace's own.
NOT_READ: Final[Mapping[str, str]] = {
    "tiktok": (
        "TikTok's Display API gives no comments, and its terms allow no other way of collecting"
        " them."
    ),
}
OWN_SOURCES: Final = ("simulator", "manual")
