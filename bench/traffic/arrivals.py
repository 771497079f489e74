"""Open-loop traffic: arrivals come when they are due, however slow the answers are.

A client that waits for an answer before it sends the next call measures little of what its users
would: while the server stands still, it sends nothing. Here the gaps between arrivals are drawn
beforehand, and what is late has waited since it was due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import aiohttp

from traffic.cast import Cast
from traffic.kinds import KINDS, Kind
from traffic.tally import Tally
from traffic.turns import StrangeAnswerError, Turn

# More than this at once, and the server does not keep up; the run would only measure its queue.
_MOST: Final = 2_000
_LAST_SECONDS: Final = 120.0


class OverwhelmedError(Exception):
    """Arrivals pile up: the rate is too high for this machine."""


async def traffic(
    session: aiohttp.ClientSession, cast: Cast, tally: Tally, *, rate: float, seconds: float
) -> None:
    """Let so many arrivals a second come for so long, and wait for what is under way.

    Raises:
        OverwhelmedError: two thousand are under way at once.
    """
    loop = asyncio.get_running_loop()
    rng = Random("load")  # noqa: S311 - the same traffic each time
    kinds = drawn(KINDS, rng)
    zero = loop.time()
    due, running = zero, set[asyncio.Task[None]]()
    while due < zero + seconds:
        due += rng.expovariate(rate)
        await asyncio.sleep(due - loop.time())
        tally.arrivals += 1
        turn = Turn(
            session=session, cast=cast, tally=tally, zero=zero, due=due, number=tally.arrivals
        )
        kind = next(kinds)
        task = asyncio.create_task(_arrive(kind, turn, tally, Random(rng.random())))  # noqa: S311
        running.add(task)
        task.add_done_callback(running.discard)
        tally.most_under_way = max(tally.most_under_way, len(running))
        if len(running) > _MOST:
            raise OverwhelmedError(f"{len(running)} calls are under way; lower --rate")
    if running:
        await asyncio.wait(running, timeout=_LAST_SECONDS)


async def _arrive(kind: Kind, turn: Turn, tally: Tally, rng: Random) -> None:
    cast = turn.cast
    who = rng.choice(cast.rehearsals if kind.rehearsals_only else cast.customers)
    try:
        await kind.act(turn, who, rng)
    except StrangeAnswerError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not what was meant to come
        tally.fail(kind.name, 0.0, repr(error))


def drawn(kinds: Sequence[Kind], rng: Random) -> Iterator[Kind]:
    """Give every kind once, so that even seconds have all of them; then draw by weight."""
    yield from kinds
    while True:
        yield rng.choices(kinds, [kind.weight for kind in kinds])[0]
