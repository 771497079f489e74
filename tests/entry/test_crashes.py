"""``kill -9`` of API and worker at any moment of an order: after a restart it goes on, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.entry.crash import Moment, staged

MOMENTS = {
    "while_the_order_is_made": Moment("create", "SELECT 1 FROM wallets FOR UPDATE"),
    "while_a_file_is_uploaded": Moment("upload", "SELECT 1 FROM bundles FOR UPDATE"),
    "right_after_publishing": Moment("publish"),
    "between_review_and_decision": Moment("await_review"),
    "while_the_clock_moves": Moment("advance", "SELECT 1 FROM slots WHERE position = 2 FOR UPDATE"),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
async def test_an_order_goes_on_after_everything_was_killed(
    moment: Moment, dsn: str, tmp_path: Path
) -> None:
    async with staged(tmp_path, dsn) as scene:
        await scene.walk(moment, postgres_too=False, leases_lapse=True)
        await scene.check_the_books()


@pytest.mark.hazard(40)
async def test_an_order_whose_answer_was_lost_is_not_made_again_though_postgresql_died_too(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as scene:
        await scene.walk(Moment("create"), postgres_too=True, leases_lapse=True)
        await scene.check_the_books()
        assert len(scene.walker.answers) == 2


@pytest.mark.proof
@pytest.mark.parametrize("name", ["while_a_file_is_uploaded", "while_the_clock_moves"])
async def test_a_call_broken_off_is_taken_over_once_its_lease_has_really_lapsed(
    name: str, dsn: str, tmp_path: Path
) -> None:
    async with staged(tmp_path, dsn) as scene:
        await scene.walk(MOMENTS[name], postgres_too=False, leases_lapse=False)
        await scene.check_the_books()
