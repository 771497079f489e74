"""A worker's loops: they go on after an error, rest when idle, and stop when told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tokportal_server.lib.loops import run_loops


class Scripted:
    """A loop whose rounds are a function of their number, from 1."""

    name = "scripted"

    def __init__(self, act: Callable[[int], Awaitable[int]]) -> None:
        self._act = act
        self.rounds = 0

    async def run_once(self) -> int:
        """Do the next round."""
        self.rounds += 1
        return await self._act(self.rounds)


async def test_works_until_it_is_stopped() -> None:
    stop = asyncio.Event()

    async def act(number: int) -> int:
        if number == 50:
            stop.set()
        return 1

    loop = Scripted(act)
    await run_loops([loop], stop)
    assert loop.rounds == 50


async def test_an_error_ends_neither_its_loop_nor_the_others() -> None:
    stop = asyncio.Event()

    async def fail(number: int) -> int:
        if number == 2:
            stop.set()
        raise RuntimeError(number)

    async def idle(_: int) -> int:
        return 0

    failing, other = Scripted(fail), Scripted(idle)
    await run_loops([failing, other], stop)
    assert failing.rounds == 2
    # The other one looked for work while the failing one rested.
    assert other.rounds > 2


async def test_a_busy_loop_lets_the_others_have_their_turn() -> None:
    stop = asyncio.Event()

    async def busy(_: int) -> int:
        return 1

    async def waiting(number: int) -> int:
        if number == 3:
            stop.set()
        return 0

    await asyncio.wait_for(run_loops([Scripted(busy), Scripted(waiting)], stop), 30)


async def test_what_is_being_done_when_it_is_stopped_is_finished() -> None:
    stop, done = asyncio.Event(), asyncio.Event()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def act(_: int) -> int:
        begun.set()
        await go_on.wait()
        done.set()
        return 1

    loop = Scripted(act)
    running = asyncio.create_task(run_loops([loop], stop))
    await begun.wait()
    stop.set()
    await asyncio.sleep(0)
    assert not running.done()
    go_on.set()
    await running
    assert done.is_set()
    assert loop.rounds == 1


async def test_stopping_does_not_wait_for_an_idle_loops_rest() -> None:
    stop = asyncio.Event()
    rested = asyncio.Event()

    async def idle(number: int) -> int:
        # By then it rests for half a second at a time.
        if number == 5:
            rested.set()
        return 0

    loop = Scripted(idle)
    running = asyncio.create_task(run_loops([loop], stop))
    await rested.wait()
    stop.set()
    await running
    assert loop.rounds == 5
