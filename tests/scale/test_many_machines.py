"""Several APIs and workers on one PostgreSQL behave as one server: ``facts.py`` says in what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.deploy.programs import program
from tests.scale import facts
from tests.scale.cluster import Cluster, Shape, running


async def prove(
    shape: Shape, wanted: Sequence[Callable[[Cluster], Awaitable[None]]], subtests: pytest.Subtests
) -> None:
    async with running(shape) as cluster:
        for fact in wanted:
            with subtests.test(fact.__name__):
                await fact(cluster)


async def test_two_of_each_are_one_server(subtests: pytest.Subtests) -> None:
    await prove(Shape(apis=2, workers=2), facts.SHORT, subtests)


@pytest.mark.proof
@pytest.mark.parametrize("major", [16, 18])
async def test_three_of_each_are_one_server(major: int, subtests: pytest.Subtests) -> None:
    await prove(Shape(major=major), facts.ALL, subtests)


@pytest.mark.proof
async def test_so_are_they_through_a_pooler_in_transaction_mode(subtests: pytest.Subtests) -> None:
    program("pgbouncer")
    await prove(Shape(pooled=True), facts.ALL, subtests)
