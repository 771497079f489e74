"""Whatever customers, managers, operators and time do to an order, its books stay right.

Hypothesis throws legal and illegal calls at an order, one after the other. Every call either
happens or is refused by an error of the API; after each the invariants of the workspace must hold,
and at the end ``doctor`` must find nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.orders.invariants import broken
from tests.orders.players import Players
from tokportal_server.bundles.wire import PatchBundleRequest
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.workbench.doctor import examine

STATE = """
SELECT b.status, b.bundle_type, b.charge_state, p.status AS profile, c.manager_id,
       (SELECT array_agg(s.status ORDER BY s.position) FROM slots s
         WHERE s.workspace_id = b.workspace_id AND s.bundle_id = b.id) AS slots
  FROM bundles b
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN claims c ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id
                    AND c.status = 'live'
 WHERE b.workspace_id = $1 AND b.id = $2
"""
DELIVERED = """
SELECT id FROM saved_accounts
 WHERE workspace_id = $1 AND delivered_at IS NOT NULL AND status = 'active' LIMIT 1
"""
TRANSITIONS = """
SELECT DISTINCT kind, from_status, to_status FROM journal
 WHERE kind IN ('bundle', 'profile', 'slot') AND from_status IS NOT NULL
"""
POSITIONS = st.integers(1, 3)
DAYS_AHEAD = st.integers(0, 8)
MANAGERS = st.integers(0, 1)


@dataclass
class Stage:
    """One database for many orders, and a loop that the machine's steps run in."""

    run: Any
    conn: Connection
    ports: Ports
    refusals: Counter[str] = field(default_factory=Counter)


@contextmanager
def staged(given: Settings) -> Iterator[Stage]:
    """Open a connection in a loop of the test's own: the machine's steps are plain functions."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        ports = runner.run(stack.enter_async_context(open_ports(given)))
        conn = runner.run(stack.enter_async_context(ports.database.connection()))
        try:
            yield Stage(runner.run, conn, ports)
        finally:
            runner.run(stack.aclose())


class RandomOrders(RuleBasedStateMachine):
    """An order at a time, in a workspace of its own for each example."""

    stage: ClassVar[Stage]
    players: Players

    def do(self, act: Coroutine[Any, Any, str | None]) -> None:
        """Let somebody act; what is refused must have its reason among the API's errors."""
        code = self.stage.run(act) or "ok"
        self.stage.refusals[code] += code != "ok"

    @initialize(
        balance=st.sampled_from([100, 400]),
        videos=st.integers(0, 3),
        edits=st.integers(0, 1),
        auto=st.booleans(),
        warm=st.booleans(),
    )
    def begin(self, *, balance: int, videos: int, edits: int, auto: bool, warm: bool) -> None:
        self.players = self.stage.run(Players.gather(self.stage.conn, self.stage.ports, balance))
        wanted: dict[str, Any] = {"auto_finalize_videos": auto}
        if warm:
            wanted |= {"wants_niche_warming": True, "niche_warming_instructions": "Cats."}
        if videos:
            wanted |= {"videos_quantity": videos, "edits_quantity": min(edits, videos)}
        kind = "account_and_videos" if videos else "account_only"
        self.do(self.players.order(bundle_type=kind, **wanted))

    @invariant()
    def books_are_right(self) -> None:
        if hasattr(self, "players"):
            players = self.players
            assert self.stage.run(broken(players.conn, players.workspace)) == []

    def teardown(self) -> None:
        assert [f for f in self.stage.run(examine(self.stage.conn)) if f.contradictions] == []

    # The next sensible step, so that orders get as far as their ends.

    @rule(steps=st.integers(3, 9), content=st.sampled_from([True, True, False]))
    def go_on(self, *, steps: int, content: bool) -> None:
        for _ in range(steps):
            self.do(self.next_step(content=content))
            self.books_are_right()

    async def next_step(self, *, content: bool) -> str | None:
        players = self.players
        state = await players.conn.fetchrow(STATE, players.workspace, players.bundle_id)
        if state is None or state["status"] == "archived":
            return await self.next_order()
        if state["status"] in {"completed", "cancelled"}:
            return await players.archive()
        if state["status"] == "pending_setup":
            return await self.prepare(state)
        if state["status"] != "accepted":
            return await players.claim(0)
        holder = next(
            n for n, manager in enumerate(players.managers) if manager.id == state["manager_id"]
        )
        return await self.work(state, holder, content=content)

    async def next_order(self) -> str:
        account = await self.players.conn.fetchval(DELIVERED, self.players.workspace)
        if account is None:
            return await self.players.order(bundle_type="account_and_videos", videos_quantity=1)
        return await self.players.order(
            bundle_type="videos_only", account_id=account, videos_quantity=2
        )

    async def prepare(self, state: Any) -> str:
        players = self.players
        if state["profile"] == "pending":
            return await players.configure_profile()
        if "pending" in (state["slots"] or []):
            return await players.configure_slot(state["slots"].index("pending") + 1, 4)
        await players.resume()
        return await players.publish()

    async def work(self, state: Any, holder: int, *, content: bool) -> str | None:
        players = self.players
        if state["profile"] in {"published", "pending_corrections"}:
            return await players.submit_account(holder)
        if state["profile"] == "in_review":
            return await (players.finalize_profile() if content else players.send_profile_back())
        for position, status in enumerate(state["slots"], start=1):
            if status == "pending":
                return await players.configure_slot(position, 2, auto_publish=True)
            if status == "configured":
                return await players.publish_slot(position)
            if status == "in_review":
                answer = players.finalize_slot if content else players.send_slot_back
                return await answer(position)
            if status in {"accepted", "pending_corrections"}:
                code = await players.submit_slot(holder, position)
                return await players.advance(24) if code == "WINDOW_NOT_OPEN" else code
        return None

    # Anything at any time.

    @rule(name=st.sampled_from(["acme.daily", "acme.weekly"]))
    def configure_profile(self, name: str) -> None:
        self.do(self.players.configure_profile(name))

    @rule(
        position=POSITIONS,
        ahead=DAYS_AHEAD,
        auto=st.booleans(),
        more=st.sampled_from(
            [
                {},
                {"editing_instructions": "Cut it."},
                {"volume_added_sound": 5, "tiktok_sound_url": "https://www.tiktok.com/music/a-1"},
                {"video_url": "https://media.example.com/a.mp4"},
            ]
        ),
    )
    def configure_slot(
        self, *, position: int, ahead: int, auto: bool, more: dict[str, Any]
    ) -> None:
        self.do(self.players.configure_slot(position, ahead, auto_publish=auto, **more))

    @rule(accounts=st.integers(1, 3), videos=st.integers(0, 2))
    def order_many(self, accounts: int, videos: int) -> None:
        self.do(self.players.order_many(accounts, videos))

    @rule(
        request=st.builds(PatchBundleRequest, auto_finalize_videos=st.booleans())
        | st.builds(PatchBundleRequest, external_ref=st.sampled_from(["a", "b", None]))
    )
    def update(self, request: PatchBundleRequest) -> None:
        self.do(self.players.update(request))

    @rule(positions=POSITIONS, ahead=DAYS_AHEAD)
    def configure_slots(self, positions: int, ahead: int) -> None:
        self.do(self.players.configure_slots(positions, ahead))

    @rule(position=POSITIONS, ahead=DAYS_AHEAD)
    def patch_slot(self, position: int, ahead: int) -> None:
        self.do(self.players.patch_slot(position, ahead))

    @rule()
    def publish(self) -> None:
        self.do(self.players.publish())

    @rule(position=POSITIONS)
    def publish_slot(self, position: int) -> None:
        self.do(self.players.publish_slot(position))

    @rule()
    def publish_all(self) -> None:
        self.do(self.players.publish_all())

    @rule()
    def unpublish(self) -> None:
        self.do(self.players.unpublish())

    @rule(position=POSITIONS, how=st.sampled_from(["unschedule", "reset"]))
    def withdraw(self, position: int, how: str) -> None:
        self.do(getattr(self.players, how)(position))

    @rule(quantity=st.integers(1, 2), what=st.sampled_from(["add_videos", "add_edits"]))
    def add(self, quantity: int, what: str) -> None:
        self.do(getattr(self.players, what)(quantity))

    @rule(back=st.booleans())
    def review_profile(self, *, back: bool) -> None:
        self.do(self.players.send_profile_back() if back else self.players.finalize_profile())

    @rule(position=POSITIONS, back=st.booleans())
    def review_slot(self, *, position: int, back: bool) -> None:
        players = self.players
        self.do(players.send_slot_back(position) if back else players.finalize_slot(position))

    @rule(manager=MANAGERS, what=st.sampled_from(["claim", "release", "submit_account"]))
    def manage(self, manager: int, what: str) -> None:
        self.do(getattr(self.players, what)(manager))

    @rule(manager=MANAGERS, position=POSITIONS)
    def submit_slot(self, manager: int, position: int) -> None:
        self.do(self.players.submit_slot(manager, position))

    @rule(manager=MANAGERS, position=POSITIONS, fix=st.booleans())
    def lose_media(self, *, manager: int, position: int, fix: bool) -> None:
        self.do(self.players.report_download(manager, position))
        if fix:
            self.do(self.players.fix_download(position))

    @rule(amount=st.none() | st.integers(0, 60))
    def cancel(self, amount: int | None) -> None:
        self.do(self.players.cancel(amount))

    @rule()
    def cancel_own(self) -> None:
        self.do(self.players.cancel_own())

    @rule(position=POSITIONS)
    def cancel_slot(self, position: int) -> None:
        self.do(self.players.cancel_slot(position))

    @rule(what=st.sampled_from(["archive", "reverse", "pause", "resume"]))
    def operate(self, what: str) -> None:
        self.do(getattr(self.players, what)())

    @rule(hours=st.sampled_from([1, 13, 25, 49, 73, 200]))
    def let_time_pass(self, hours: int) -> None:
        self.do(self.players.advance(hours))


def run(given: Settings, *, examples: int, steps: int, thorough: bool) -> Counter[str]:
    """Run the machine; give which changes of status happened, and which refusals were met.

    ``thorough`` takes new steps every time, and minutes to make a failing sequence short.
    """
    with staged(given) as stage:
        machine = type("Orders", (RandomOrders,), {"stage": stage})
        run_state_machine_as_test(
            machine,
            settings=profile(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=not thorough,
                phases=[Phase.generate, *([Phase.shrink] if thorough else [])],
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        met = stage.refusals
        rows = stage.run(stage.conn.fetch(TRANSITIONS))
    return met + Counter(f"{row['kind']} {row['from_status']} {row['to_status']}" for row in rows)


# What the steps must have led to, or they would prove little: the few of them, and the many.
ENDS = {
    "bundle accepted completed",
    "profile in_review finalized",
    "slot in_review finalized",
}
REACHED = ENDS | {
    "bundle accepted cancelled",
    "bundle accepted published",
    "bundle published pending_setup",
    "profile in_review pending_corrections",
    "slot in_review pending_corrections",
    "slot accepted cancelled",
}


def test_random_calls_never_leave_an_order_with_wrong_books(settings: Settings) -> None:
    met = run(settings, examples=30, steps=30, thorough=False)
    assert met.keys() >= ENDS, ENDS - met.keys()


@pytest.mark.proof
def test_thousands_of_random_calls_never_leave_an_order_with_wrong_books(
    settings: Settings,
) -> None:
    met = run(settings, examples=300, steps=60, thorough=True)
    assert met.keys() >= REACHED, REACHED - met.keys()
