"""Grants, orders, cancellations, reversals and time, in any order, against a small model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.credits.comparison import compare
from tests.credits.moves import empty_workspace, grant
from tests.credits.wallet import Wallet
from tests.orders.walk import order
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.cancellation import Cancelled
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle
from tokportal_server.workbench.operations.cancel_slot import cancel_slot
from tokportal_server.workbench.operations.reverse_charges import reverse_charges

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OLGA = Actor("operator")
ACCOUNT, SLOT, EDIT = 25, 2, 3

WHICH = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), st.integers(20, 90), st.sampled_from([None, 1, 2, 30])),
        st.tuples(st.just("order"), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("cancel_slot"), WHICH, st.integers(1, 3)),
        st.tuples(st.just("cancel"), WHICH, st.sampled_from([None, None, 0, 5, 30])),
        st.tuples(st.just("reverse"), WHICH),
        st.tuples(st.just("pass"), st.sampled_from([1, 1, 2, 30])),
    ),
    min_size=5,
    max_size=20,
)


@dataclass
class Order:
    """What an order was sold for and has not given back. Each step gives the refund, None: no."""

    slots: set[int]
    edits: int
    left: int = field(init=False)
    open: bool = True
    charged: bool = True

    def __post_init__(self) -> None:
        self.left = ACCOUNT + SLOT * len(self.slots) + EDIT * self.edits

    def cancel_slot(self, position: int) -> int | None:
        """Without the slot; an edit that no slot is left for goes as well."""
        if not self.open or position not in self.slots:
            return None
        self.slots.remove(position)
        gone = max(0, self.edits - len(self.slots))
        self.edits -= gone
        return self._back(SLOT + EDIT * gone)

    def cancel(self, amount: int | None) -> int | None:
        """All of it; nothing was used."""
        if not self.open or (amount or 0) > self.left:
            return None
        self.open = False
        return self._back(self.left if amount is None else amount)

    def reverse(self) -> int | None:
        """Everything that is still charged."""
        if not self.open or not self.charged:
            return None
        self.charged = False
        return self._back(self.left)

    def _back(self, amount: int) -> int:
        amount = min(amount, self.left)
        self.left -= amount
        return amount


@dataclass
class Game:
    """One workspace in the database and in the model."""

    conn: Connection
    workspace: UUID
    rules: OrderRules
    now: datetime = START
    wallet: Wallet = field(default_factory=Wallet)
    orders: list[tuple[UUID, Order]] = field(default_factory=list)

    async def play(self, kind: str, *details: Any) -> None:
        """Do one step in both."""
        if kind == "pass":
            self.now += details[0] * DAY
        elif kind == "grant":
            amount, days = details
            ends = None if days is None else self.now + days * DAY
            await grant(self.conn, self.workspace, amount, now=self.now, expires_at=ends)
            assert self.wallet.grant(self.now, amount, ends)
        elif kind == "order":
            await self._order(details[0], min(details[1], details[0]))
        elif self.orders:
            await self._give_back(kind, details[0] % len(self.orders), *details[1:])

    async def _order(self, videos: int, edits: int) -> None:
        sold = Order(set(range(1, videos + 1)), edits)
        expected = self.wallet.debit(self.now, sold.left)
        wanted = msgspec.convert(order(videos, edits_quantity=edits), CreateBundleRequest)
        try:
            async with unit_of_work(self.conn, self.workspace, now=self.now) as tx:
                bundle_id, _ = await create_bundle(
                    tx=tx, actor=OLGA, order=wanted, per_minute=10**6
                )
        except InsufficientCreditsError:
            assert not expected
        else:
            assert expected
            self.orders.append((bundle_id, sold))

    async def _give_back(self, kind: str, number: int, *details: Any) -> None:
        bundle_id, sold = self.orders[number]
        refund = getattr(sold, kind)(*details)
        try:
            done = await self._act(kind, bundle_id, *details)
        except ApiError:
            assert refund is None
        else:
            assert done.refund.amount == refund
            if refund:
                assert self.wallet.refund(self.now, number, refund)

    def _act(self, kind: str, bundle_id: UUID, *details: Any) -> Awaitable[Cancelled]:
        return getattr(self, f"_{kind}")(bundle_id, *details)  # type: ignore[no-any-return]

    async def _cancel(self, bundle_id: UUID, amount: int | None) -> Cancelled:
        async with unit_of_work(self.conn, self.workspace, now=self.now) as tx:
            return await cancel_bundle(
                tx=tx, actor=OLGA, bundle_id=bundle_id, reason="Game.", amount=amount
            )

    async def _cancel_slot(self, bundle_id: UUID, position: int) -> Cancelled:
        async with unit_of_work(self.conn, self.workspace, now=self.now) as tx:
            return await cancel_slot(
                tx=tx,
                actor=OLGA,
                bundle_id=bundle_id,
                position=position,
                reason="Game.",
                rules=self.rules,
            )

    async def _reverse(self, bundle_id: UUID) -> Cancelled:
        async with unit_of_work(self.conn, self.workspace, now=self.now) as tx:
            return await reverse_charges(tx=tx, actor=OLGA, bundle_id=bundle_id, reason="Game.")


async def _play(conn: Connection, rules: OrderRules, steps: list[tuple[Any, ...]]) -> None:
    game = Game(conn, await empty_workspace(conn), rules)
    for step in steps:
        await game.play(*step)
        await compare(conn, game.workspace, game.wallet)


@pytest.mark.hazard(29)
@pytest.mark.parametrize(
    "examples", [60, pytest.param(2000, marks=pytest.mark.proof)], ids=["short", "long"]
)
def test_credits_are_where_the_model_says_after_every_step(dsn: str, examples: int) -> None:
    rules = OrderRules.of(Settings(home=Path("unused")))
    with asyncio.Runner() as runner:
        conn = runner.run(asyncpg.connect(dsn))
        runner.run(prepare_connection(conn))

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(STEPS)
        def against_the_model(steps: list[tuple[Any, ...]]) -> None:
            runner.run(_play(conn, rules, steps))

        against_the_model()
        assert [f for f in runner.run(examine(conn)) if f.contradictions] == []
        runner.run(conn.close())
