"""The budget of calls to a provider: one for all processes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tokportal_server.analytics.observations import ProviderFailedError
from tokportal_server.analytics.providers.budget import Budget
from tokportal_server.lib.db import Database

FILL = "UPDATE buckets SET tokens = tokens - 1000 WHERE kind = 'provider'"


async def test_two_processes_share_one_budget(database: Database) -> None:
    # Four calls at once, then one each ten seconds.
    budgets = [Budget(database, "tiktok_api", 6), Budget(database, "tiktok_api", 6)]
    await asyncio.gather(*(budget.take() for budget in budgets))
    async with database.connection() as conn:
        rows = await conn.fetch("SELECT tokens FROM buckets WHERE kind = 'provider'")
    assert len(rows) == 1
    assert rows[0]["tokens"] < 1


async def test_a_budget_that_is_used_up_is_a_failure_that_passes(database: Database) -> None:
    budget = Budget(database, "tiktok_api", 60)
    await budget.take()
    async with database.connection() as conn:
        await conn.execute(FILL)
    with pytest.raises(ProviderFailedError) as caught:
        await budget.take()
    assert (caught.value.retryable, "at most 60 calls a minute" in caught.value.reason) == (
        True,
        True,
    )
    await Budget(database, "instagram_api", 60).take()


async def test_a_pause_is_for_one_provider_and_never_shortened(database: Database) -> None:
    budget = Budget(database, "tiktok_api", 600)
    await budget.pause(timedelta(minutes=30), "The limit was reached")
    await budget.pause(timedelta(minutes=1), "The limit was reached again")
    with pytest.raises(ProviderFailedError, match="called again in 30 min"):
        await budget.take()
    await Budget(database, "instagram_api", 600).take()
