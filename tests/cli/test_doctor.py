"""``doctor``: silent about sound books, and each contradiction has a check that finds it."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented, delivered
from tests.credits.moves import grant
from tests.orders.walk import claimed, published, video
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.workbench.doctor import CHECKS, examine
from tokportal_server.workbench.machines import MACHINES

REFUND_MORE = """
INSERT INTO credit_entries (workspace_id, type, amount, description, balance_after, reference_kind,
                            refunds_entry_id, business_key, actor_kind, created_at)
SELECT workspace_id, 'refund', -amount + 1, '', 1, 'bundle', id, 'x:' || id, 'system', now()
  FROM credit_entries WHERE type = 'debit' AND reference_kind = 'bundle'
"""
EARN = """
INSERT INTO earnings (workspace_id, manager_id, month, type, kind, job_id, subject, amount,
                      currency, reason, at)
SELECT s.workspace_id, m.person_id, '2026-01-01', '{}', 'video', s.id, '', 0, 'USD', 'x', now()
  FROM slots s, managers m WHERE s.position = 1
"""
PAID_EXTRA = video(volume_added_sound=1)
# What somebody with too many rights could do, by the check that finds it.
DAMAGE = {
    "ledger sums": ["UPDATE credit_lots SET remaining = remaining - 1"],
    "ledger entries": ["UPDATE credit_entries SET amount = amount - 1 WHERE type = 'debit'"],
    "ledger lots": [
        "UPDATE credit_entry_lots SET amount = amount - 1 WHERE amount < 0",
        "DELETE FROM credit_entry_lots WHERE amount < 0",
    ],
    "ledger balances": [
        "UPDATE credit_entries SET balance_after = balance_after + 1 WHERE type = 'debit'"
    ],
    "refunds": [REFUND_MORE],
    "charges": [
        "UPDATE bundles SET cost_breakdown = cost_breakdown || '{\"total\": 1}'",
        "UPDATE bundles SET charge_state = 'reversed'",
        "UPDATE bundle_charges SET reversed_at = now()",
        "DELETE FROM bundle_charges",
    ],
    "charge entries": [
        "DELETE FROM credit_entries WHERE reference_kind = 'bundle'",
        "UPDATE bundle_charges SET amount = amount + 1",
        "DELETE FROM bundle_charges",
    ],
    "charge parts": ["UPDATE bundle_charges SET breakdown = breakdown || '{\"video_slots\": 1}'"],
    "charge refunds": ["UPDATE bundle_charges SET refunded = 1"],
    "options": [
        "UPDATE slot_options SET price = price + 1",
        "UPDATE slot_options SET entry_id = NULL",
    ],
    "edit requests": [
        "UPDATE edit_requests SET price = price + 1",
        "UPDATE edit_requests SET entry_id = NULL",
        "UPDATE edit_requests SET status = 'rejected'",
    ],
    "owning fees": [
        "UPDATE saved_accounts SET owning_fee_paid_at = now()",
        "UPDATE credit_entries SET reference_kind = 'account' WHERE type = 'debit'",
    ],
    "comment charges": [
        "UPDATE comment_tasks SET price = price + 1",
        "UPDATE comment_tasks SET entry_id = NULL",
    ],
    "comment refunds": ["UPDATE comment_tasks SET status = 'cancelled'"],
    "comment timers": [
        "UPDATE comment_tasks SET due_at = NULL",
        "UPDATE comment_tasks SET look_at = now()",
        "UPDATE comment_tasks SET with_operator = true",
    ],
    "credit levels": [
        "UPDATE wallets SET is_low = true",
        "UPDATE wallets SET low_below = 10000",
    ],
    "ended bundles": [
        "UPDATE bundles SET status = 'cancelled'",
        "UPDATE bundles SET status = 'completed'",
    ],
    "charged bundles": ["DELETE FROM bundles"],
    "claims": [
        "UPDATE claims SET status = 'released'",
        "DELETE FROM claims",
        "UPDATE bundles SET status = 'published'",
    ],
    "slots": ["DELETE FROM slots WHERE position = 2"],
    "event sequence": [
        "DELETE FROM events WHERE sequence = 2",
        "UPDATE event_sequences SET last = last + 1",
        "DELETE FROM event_sequences",
    ],
    "delivery totals": [
        "DELETE FROM webhook_deliveries",
        "UPDATE webhook_deliveries SET status = 'succeeded'",
        "UPDATE webhook_tallies SET n = n + 1",
        "DELETE FROM webhook_tallies",
    ],
    "earnings": [EARN.format("job"), EARN.format("reversal")],
    "journal of bundles": [
        "UPDATE bundles SET status = 'completed'",
        "DELETE FROM journal WHERE kind = 'bundle' AND to_status = 'published'",
        "DELETE FROM journal WHERE kind = 'bundle'",
    ],
    "journal of profiles": [
        "UPDATE profiles SET status = 'finalized'",
        "DELETE FROM journal WHERE kind = 'profile' AND from_status IS NULL",
    ],
    "journal of slots": [
        "UPDATE slots SET status = 'finalized' WHERE position = 1",
        "UPDATE journal SET from_status = 'gone' WHERE kind = 'slot' AND from_status = 'pending'",
    ],
    "journal of edit_requests": ["UPDATE edit_requests SET status = 'in_progress'"],
    "journal of comment_tasks": ["UPDATE comment_tasks SET status = 'submitted'"],
    **{
        f"counters of {machine.table}": [
            f"UPDATE counters SET n = n + 1 WHERE kind = '{machine.kind}'",
            f"DELETE FROM counters WHERE kind = '{machine.kind}'",
        ]
        for machine in MACHINES
    },
}


@pytest.fixture
async def order(alice: Client, world: World, conn: Connection, ports: Ports) -> str:
    """An order at work: two slots, one with an option; a comment and an edit to be made.

    Somebody wants to know of its publication.
    """
    endpoint = {"url": "http://127.0.0.1:9/", "events": ["bundle.published"]}
    assert (await alice.post("/webhooks", endpoint)).status == 201
    bundle_id = await published(alice)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", PAID_EXTRA)).status == 200
    await claimed(conn, world, ports, bundle_id)
    account_id = await delivered(conn, world)
    await commented(alice, account_id)
    edit = {"requested_username": "acme.weekly", "requested_visible_name": "Acme"}
    assert (await alice.post(f"/accounts/{account_id}/edit-request", edit)).status == 201
    while await Dispatcher(ports).run_once():
        pass
    return bundle_id


async def _contradicted(conn: Connection) -> dict[str, str]:
    return {
        finding.check.name: repr(finding.contradictions)
        for finding in await examine(conn)
        if finding.contradictions
    }


@pytest.mark.usefixtures("order")
async def test_finds_nothing_wrong_with_an_order_at_work(world: World, conn: Connection) -> None:
    await grant(conn, world.acme, 5, now=real_now())
    assert await _contradicted(conn) == {}


async def test_finds_nothing_wrong_with_an_empty_house(conn: Connection) -> None:
    assert await _contradicted(conn) == {}


@pytest.mark.hazard(32)
@pytest.mark.parametrize(
    ("check", "statement"),
    [(check, statement) for check, statements in DAMAGE.items() for statement in statements],
)
async def test_finds_what_a_superuser_broke(
    order: str, world: World, conn: Connection, check: str, statement: str
) -> None:
    assert await _contradicted(conn) == {}
    async with conn.transaction():
        # Past every trigger and foreign key.
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute(statement)
    found = await _contradicted(conn)
    assert check in found
    assert str(world.acme) in found[check] or order in found[check]


@pytest.mark.usefixtures("order")
async def test_a_story_whose_beginning_had_its_time_is_sound(conn: Connection) -> None:
    async with conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute("DELETE FROM journal WHERE from_status IS NULL")
    assert "journal of bundles" in await _contradicted(conn)
    await conn.execute("UPDATE workspaces SET created_at = now() - interval '6 years'")
    assert await _contradicted(conn) == {}


def test_there_is_a_test_for_every_check() -> None:
    assert set(DAMAGE) == {check.name for check in CHECKS}
