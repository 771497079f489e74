from __future__ import annotations

from itertools import islice

from tests.faults.blows import KINDS
from tests.faults.plan import drawn

ROUNDS = 40


def test_a_seed_draws_the_same_blows_again_and_another_seed_draws_others() -> None:
    first, again, other = (list(islice(drawn(s, list(KINDS)), ROUNDS)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_kind_falls_before_any_falls_twice() -> None:
    blows = [blow.kind for one in islice(drawn(3, list(KINDS)), ROUNDS) for blow in one.blows]
    assert sorted(blows[: len(KINDS)]) == sorted(KINDS)


def test_whatever_takes_a_server_away_falls_alone() -> None:
    rounds = list(islice(drawn(4, list(KINDS)), 500))
    together = [one.blows for one in rounds if len(one.blows) > 1]
    assert together
    assert not any(KINDS[blow.kind].alone for blows in together for blow in blows)
