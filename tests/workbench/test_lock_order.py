"""What operators do takes its locks in the one order as well (see tests/orders/lock_probe.py)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tests.cast import World
from tests.client import Client
from tests.credits.moves import grant
from tests.orders.lock_probe import LockProbe
from tests.orders.walk import ordered, posted, published, video, workable, working
from tests.workbench.office import Office
from tests.workbench.test_deadlines import later, sweep
from tokportal_server.credits.lapses import set_low_mark
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.operations.adjust_credits import adjust_credits
from tokportal_server.workbench.operations.refund_debit import refund_debit

DEBIT = "SELECT id FROM credit_entries WHERE type = 'debit' AND reference_id = $1"


async def test_cancelling_refunding_and_lapsing_keep_the_order_of_locks(
    alice: Client, conn: Connection, world: World, ports: Ports, olga: Office
) -> None:
    at_work = await workable(alice, conn, world, ports, videos=3, auto_finalize_videos=False)
    await posted(conn, world, ports, at_work, 1)
    with_option = await ordered(alice, videos=2, edits_quantity=2)
    await alice.put(f"/bundles/{with_option}/videos/1", video(volume_added_sound=1))
    fresh, open_, empty = (
        await ordered(alice),
        await published(alice, videos=0),
        await ordered(alice),
    )
    await grant(conn, world.acme, 5, now=real_now(), expires_at=real_now() + timedelta(days=1))
    probe = LockProbe()
    probe.watch(conn)
    await olga.cancel_slot(at_work, 2)
    await olga.cancel(at_work)
    await olga.cancel_slot(with_option, 1)
    await olga.cancel(with_option, amount=1)
    await olga.archive(with_option)
    await olga.reverse(fresh)
    await olga.cancel(open_)
    debit = await conn.fetchval(DEBIT, UUID(empty))
    async with working(conn, world) as tx:
        await refund_debit(tx=tx, actor=world.as_olga, entry_id=debit, amount=1, reason="Sorry.")
    async with working(conn, world) as tx:
        await adjust_credits(tx=tx, actor=world.as_olga, amount=-1, reason="Sorry.")
    async with working(conn, world) as tx:
        await set_low_mark(tx=tx, credits_below=5000)
    settled = await sweep(conn, ports, later(24 * 61))
    assert sorted(settled) == ["idle", "idle", "lots"]
    assert probe.faults() == set()
    assert any("wallets" in locked for locked in probe.orders())
