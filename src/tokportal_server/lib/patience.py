"""Waiting a little for what another call is about to finish, without holding anything meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SECONDS = 2.0
_POLL_SECONDS = 0.05


class Patience:
    """Waits between tries, for at most two seconds in all; then it raises what ``refusal`` makes.

    To be made at the first try; holds no connection.
    """

    def __init__(self, refusal: Callable[[], Exception]) -> None:
        self._refusal = refusal
        self._give_up_at = asyncio.get_running_loop().time() + SECONDS

    async def wait(self) -> None:
        """Sleep a little, or raise the refusal if two seconds have passed."""
        if asyncio.get_running_loop().time() >= self._give_up_at:
            raise self._refusal()
        await asyncio.sleep(_POLL_SECONDS)
