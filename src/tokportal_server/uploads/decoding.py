"""What the two decoding children have in common: how they are asked and how they answer.

A child is given one JSON object as its only argument and prints one: the facts, or
``{"refused": <error code>, "message": ..., "details": {...}}``. This module is loaded at every
upload, so it imports nothing that is slow to load.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


class RefusedError(Exception):
    """The media is refused: one of the codes of ``uploads.limits``, with a sentence that helps."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.answer = {"refused": code, "message": message, "details": details}


def unreadable(cause: Exception) -> RefusedError:
    """Give the refusal of a file whose decoder failed.

    Only the error's name is told, since its text may hold a path of this server.
    """
    return RefusedError(
        "MEDIA_UNREADABLE",
        "The file cannot be decoded: it is damaged or incomplete. Check that it plays or opens "
        "on your side and send it again.",
        reason=type(cause).__name__,
    )


def answer(decode: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Print what ``decode`` makes of the request in the last argument, refusals included."""
    try:
        result = decode(json.loads(sys.argv[-1]))
    except RefusedError as refusal:
        result = refusal.answer
    sys.stdout.write(json.dumps(result))
