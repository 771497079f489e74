"""What emoji say about a mood: ours, and short, because only what is plain is listed.

Left out on purpose: 😂 and 🤣 (with somebody or at them), 😭 and 💀 (as often laughter as grief),
🙏, 😳, 🙃 and everything that is a thing rather than a mood.
"""

from __future__ import annotations

from typing import Final

_GLAD: Final = (
    "😀😃😄😁😆🥹😊😇🙂😌😍🥰😘😗😙😚😋😎🤩🥳🤗☺😻"
    "👏🙌👍👌💪💯🔥✨🎉🎊🏆💐🌹🫶❤♥🧡💛💚💙💜🩷🩵🤍🤎💕💞💓💗💖💘💝💟❣"
)
_SAD: Final = "😞😔😟😕🙁☹😣😖😫😩😢😤😠😡🤬😰😥😓🤢🤮😒🙄👎💔💩😑🤡😿😾🖕"

VALENCE: Final[dict[str, int]] = dict.fromkeys(_GLAD, 2) | dict.fromkeys(_SAD, -2)


def emoji_valence(text: str) -> list[int]:
    """Give the valence of each different emoji of a text; a row of hearts is one heart."""
    return [VALENCE[char] for char in set(text) & VALENCE.keys()]
