"""Which blows fall, and when: drawn from a seed, so that a run can be repeated blow by blow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.blows import KINDS, Blow
from tests.faults.scene import chance_of

_TWO_AT_ONCE: Final = 0.2


@dataclass(frozen=True)
class Round:
    """Blows that fall together, after a pause in seconds."""

    pause: float
    blows: tuple[Blow, ...]


def drawn(seed: int, kinds: Sequence[str], *, pace: float = 1.0) -> Iterator[Round]:
    """Draw rounds without end; every kind comes once before any comes again.

    Up to one round in five has two blows at once. Durations and pauses are multiplied by ``pace``.
    """
    chance = chance_of(seed, "plan")
    waiting: list[str] = []

    def blow() -> Blow:
        if not waiting:
            waiting.extend(chance.sample(kinds, len(kinds)))
        kind = waiting.pop()
        seconds = chance.uniform(*KINDS[kind].seconds) * pace
        return Blow(kind, round(seconds, 2), chance.randrange(1000))

    while True:
        first = blow()
        together = [first]
        if chance.random() < _TWO_AT_ONCE and not KINDS[first.kind].alone:
            second = blow()
            if KINDS[second.kind].alone:
                waiting.append(second.kind)
            else:
                together.append(second)
        yield Round(round(chance.uniform(0.5, 4) * pace, 2), tuple(together))
