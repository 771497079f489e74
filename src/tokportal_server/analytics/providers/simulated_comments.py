"""What people might say under a simulated post, in several languages: praise, blame, questions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from tokportal_server.analytics.observations import CommentReading

_TEXTS: Final = (
    "Love this so much 😍",
    "Where can I buy it?",
    "Not worth the money, very disappointed",
    "Day 3 of asking for part two",
    "C'est magnifique, merci !",
    "Quel est le prix ?",
    "Je n'aime pas du tout",
    "Das gefällt mir sehr gut",
    "Wo gibt es das?",
    "Schrecklich, nie wieder",
    "¡Me encanta!",
    "¿Cuánto cuesta?",
    "Qué mala calidad",
    "Che bello, bravissimi",
    "Dove si compra?",
    "Adorei, muito bom!",
    "Isso é horrível",
    "大好きです",
    "どこで買えますか？",  # noqa: RUF001 - as it is written in Japanese
    "رائع جدا",
    "كم السعر؟",
    "🔥🔥🔥",
    "First!",
    "Which song is this?",
)
_MOST: Final = 40


def comments_under(
    platform_post_id: str, seed: int, number: int, *, since: datetime, now: datetime
) -> Iterator[CommentReading]:
    """Give the comments of a post that has ``number`` of them, at most the first forty.

    They come in the order of their times, one after the other from ``since`` on.
    """
    for place in range(min(number, _MOST)):
        grain = seed // (place + 1) + 7919 * place
        posted = since + timedelta(minutes=20 + 47 * place + grain % 31)
        if posted > now:
            return
        yield CommentReading(
            id=f"{platform_post_id}{place:03d}",
            platform_post_id=platform_post_id,
            author_handle=f"sim.viewer{grain % 9000 + 1000}",
            text=_TEXTS[grain % len(_TEXTS)],
            like_count=grain % 23,
            reply_count=grain % 3,
            posted_at=posted,
        )
