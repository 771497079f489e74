"""What managers earn: one entry for each finished job, and what takes it back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.accounts.revealing import PROFILE_CHANGE
from tests.cast import World
from tests.client import Client
from tests.comments.steps import commented, confirmed, delivered
from tests.orders.walk import posted, sent_back, workable, working
from tests.workbench.books import derived, earned, entries, rated
from tests.workbench.desk import Desk, hire
from tokportal_server.entry.worker import LISTENERS
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.catalogue import CATALOGUE
from tokportal_server.workbench.earnings.finished import (
    EARNING_EVENTS,
    EARNINGS_JOB,
    EarningsListener,
)
from tokportal_server.workbench.earnings.rates import pay_for, rates_at
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.ban_account import ban_account
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle
from tokportal_server.workbench.operations.complete_edit_request import (
    MadeChanges,
    complete_edit_request,
)
from tokportal_server.workbench.operations.refund_debit import refund_debit
from tokportal_server.workbench.operations.set_rate import NewRate, set_rate


def kinds(rows: list[asyncpg.Record]) -> list[tuple[str, str, int]]:
    return [(row["type"], row["kind"], row["amount"]) for row in rows]


async def test_an_account_and_each_post_are_booked_once_for_who_did_them(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500, video=250)
    bundle_id = await workable(alice, conn, world, ports, videos=2, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id, 1)
    await sent_back(conn, world, ports, bundle_id, 1)
    await posted(conn, world, ports, bundle_id, 1, days=5.1)
    await alice.post(f"/bundles/{bundle_id}/videos/1/finalize")
    await derived(ports)
    rows = await entries(conn)
    assert kinds(rows) == [("job", "account_setup", 1500), ("job", "video", 250)]
    assert {row["manager_id"] for row in rows} == {world.mona}
    assert [row["subject"] for row in rows] == ["acme.daily", "acme.daily #1"]
    assert {row["currency"] for row in rows} == {"USD"}


async def test_jobs_that_run_twice_book_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500)
    await workable(alice, conn, world, ports, videos=1)
    await derived(ports)
    await conn.execute("UPDATE events SET dispatched_at = NULL")
    await derived(ports)
    assert kinds(await entries(conn)) == [("job", "account_setup", 1500)]


async def test_two_workers_with_the_same_job_book_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500)
    await workable(alice, conn, world, ports, videos=1)
    profile_id = str(await conn.fetchval("SELECT id FROM profiles"))
    told = {
        "workspace_id": str(world.acme),
        "type": "account.finalized",
        "created_at": real_now().isoformat(),
        "data": {"account_id": profile_id},
    }
    listener = EarningsListener(ports.database, currency="USD", ban_days=0)
    await asyncio.gather(*(listener.run(told) for _ in range(4)))
    assert kinds(await entries(conn)) == [("job", "account_setup", 1500)]


def test_the_worker_listens_to_every_event_that_ends_a_job() -> None:
    assert all(EARNINGS_JOB in LISTENERS[name] for name in EARNING_EVENTS)
    assert {entry.type for entry in CATALOGUE} >= EARNING_EVENTS


async def test_a_post_with_editing_earns_for_both_and_a_story_by_its_own_rate(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, video=200, video_edit=300, story=50)
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await conn.execute("UPDATE slots SET uses_edit_slot = true WHERE position = 1")
    await conn.execute("UPDATE slots SET video_type = 'story' WHERE position = 2")
    await posted(conn, world, ports, bundle_id, 1)
    await conn.execute(
        "UPDATE slots SET status = 'in_review', submitted_at = now() WHERE position = 2"
    )
    for position in (1, 2):
        await alice.post(f"/bundles/{bundle_id}/videos/{position}/finalize")
    await derived(ports)
    # Nobody handed the second one in, so nobody earns by it.
    assert kinds(await entries(conn))[1:] == [("job", "video", 200), ("job", "video_edit", 300)]


async def test_comments_and_profile_edits_are_jobs_too(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, comment=40, profile_edit=700)
    account = await delivered(conn, world)
    task_id = await commented(alice, account)
    await confirmed(conn, world, ports, task_id)
    assert (await alice.post(f"/comments/{task_id}/approve")).status == 200
    await edited(alice, conn, world, account)
    await derived(ports)
    assert kinds(await entries(conn)) == [("job", "comment", 40), ("job", "profile_edit", 700)]


async def edited(alice: Client, conn: Connection, world: World, account: str) -> UUID:
    reply = await alice.post(f"/accounts/{account}/edit-request", PROFILE_CHANGE)
    assert reply.status == 201, reply.json
    request_id = UUID(reply.data["id"])
    made = MadeChanges(profile_url="https://www.tiktok.com/@acme.daily")
    async with working(conn, world) as tx:
        await accept_edit_request(tx=tx, actor=world.as_mona, request_id=request_id)
        await complete_edit_request(tx=tx, actor=world.as_mona, request_id=request_id, made=made)
    return request_id


async def test_simulated_managers_earn_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500)
    await workable(alice, conn, world, ports, videos=1)
    await conn.execute(
        "UPDATE managers SET rehearsal_workspace_id = $1 WHERE person_id = $2",
        world.acme,
        world.mona,
    )
    await derived(ports)
    assert await entries(conn) == []


async def test_a_rehearsal_earns_nobody_anything(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500)
    await workable(alice, conn, world, ports, videos=1)
    await conn.execute("UPDATE workspaces SET rehearsal = true")
    await derived(ports)
    assert await entries(conn) == []


async def test_a_job_without_a_rate_is_booked_with_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await workable(alice, conn, world, ports, videos=1)
    await derived(ports)
    [row] = await entries(conn)
    assert (row["amount"], row["currency"]) == (0, "EUR")


async def test_the_rate_of_the_moment_counts_and_that_of_the_place_before_the_general_one(
    conn: Connection, world: World
) -> None:
    before = real_now()
    await rated(conn, world, video=100)
    for more in (
        {"country": "FR", "amount": 300},
        {"platform": "instagram", "amount": 200},
        {"country": "FR", "platform": "instagram", "amount": 400},
    ):
        rate = NewRate(kind="video", currency="EUR", **more)  # type: ignore[arg-type]
        await set_rate(conn=conn, actor=world.as_olga, rate=rate)
    soon = real_now() + timedelta(hours=1)
    later = NewRate(kind="video", amount=150, currency="USD", valid_from=soon)
    await set_rate(conn=conn, actor=world.as_olga, rate=later)
    end = NewRate(kind="video", amount=None, currency="EUR", country="FR", valid_from=soon)
    await set_rate(conn=conn, actor=world.as_olga, rate=end)

    async def paid(country: str, platform: str, hours: float = 0) -> int | None:
        rates = await rates_at(conn, real_now() + timedelta(hours=hours))
        rate = pay_for(rates, "video", country, platform)
        return None if rate is None else rate.amount

    assert await paid("USA", "tiktok") == 100
    assert await paid("USA", "instagram") == 200
    assert await paid("FR", "tiktok") == 300
    assert await paid("FR", "instagram") == 400
    assert await paid("USA", "tiktok", 2) == 150
    assert await paid("FR", "tiktok", 2) == 150
    assert await rates_at(conn, before) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "dance"}, "kind"),
        ({"amount": -1}, "amount"),
        ({"amount": None}, "amount"),
        ({"currency": "usd"}, "currency"),
        ({"country": "XX"}, "country"),
        ({"platform": "myspace"}, "platform"),
        ({"valid_from": real_now() - timedelta(hours=1)}, "valid_from"),
    ],
)
async def test_refuses_a_rate_that_cannot_be(
    conn: Connection, world: World, wrong: dict[str, object], field: str
) -> None:
    facts = {"kind": "video", "amount": 1, "currency": "USD", **wrong}
    with pytest.raises(ValidationError) as refused:
        await set_rate(conn=conn, actor=world.as_olga, rate=NewRate(**facts))  # type: ignore[arg-type]
    assert refused.value.details["errors"][0]["field"] == field
    assert await conn.fetchval("SELECT count(*) FROM earning_rates") == 0


async def test_what_the_customer_gets_back_whole_is_not_earned(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500)
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await derived(ports)
    paid = await conn.fetchval("SELECT sum(amount)::integer FROM bundle_charges")
    async with working(conn, world) as tx:
        await cancel_bundle(
            tx=tx,
            actor=world.as_olga,
            bundle_id=UUID(bundle_id),
            reason="Goodwill.",
            amount=paid,
        )
    await derived(ports)
    await conn.execute("UPDATE events SET dispatched_at = NULL")
    await derived(ports)
    rows = await entries(conn)
    assert kinds(rows) == [("job", "account_setup", 1500), ("reversal", "account_setup", -1500)]
    assert rows[1]["reason"] == "the customer got the whole price back"


async def test_a_part_that_goes_back_leaves_the_earning(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, account_setup=1500)
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await derived(ports)
    async with working(conn, world) as tx:
        await cancel_bundle(
            tx=tx, actor=world.as_olga, bundle_id=UUID(bundle_id), reason="Late.", amount=3
        )
    await derived(ports)
    assert kinds(await entries(conn)) == [("job", "account_setup", 1500)]


async def test_an_edit_whose_debit_went_back_whole_is_not_earned(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await rated(conn, world, profile_edit=700)
    account = await delivered(conn, world)
    request_id = await edited(alice, conn, world, account)
    await derived(ports)
    debit = await conn.fetchval("SELECT entry_id FROM edit_requests WHERE id = $1", request_id)
    for amount in (3, 5):
        async with working(conn, world) as tx:
            await refund_debit(
                tx=tx, actor=world.as_olga, entry_id=debit, amount=amount, reason="Sorry."
            )
        await derived(ports)
        rows = await entries(conn)
        assert len(rows) == (1 if amount == 3 else 2)
    assert kinds(rows)[1] == ("reversal", "profile_edit", -700)


@pytest.mark.parametrize(("days", "left"), [(0, 1500), (7, 0)])
async def test_a_ban_soon_after_the_approval_takes_the_set_up_back_if_that_is_the_rule(
    alice: Client, conn: Connection, world: World, ports: Ports, days: int, left: int
) -> None:
    await rated(conn, world, account_setup=1500)
    await workable(alice, conn, world, ports, videos=1)
    await derived(ports)
    account_id = await conn.fetchval("SELECT id FROM saved_accounts")
    async with working(conn, world) as tx:
        await ban_account(tx=tx, actor=world.as_olga, account_id=account_id, reason="Spam.")
    await derived(ports, ban_days=days)
    assert sum(row["amount"] for row in await entries(conn)) == left


async def test_who_takes_an_order_over_earns_by_what_they_hand_in(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> None:
    await rated(conn, world, account_setup=1500, video=200)
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await mona.release(bundle_id)
    nora = Desk(conn, world, ports, await hire(conn), hours=24 * 5)
    await nora.claim(bundle_id)
    await nora.post(bundle_id)
    await alice.post(f"/bundles/{bundle_id}/videos/1/finalize")
    await derived(ports)
    by = {row["kind"]: row["manager_id"] for row in await entries(conn)}
    assert by == {"account_setup": world.mona, "video": nora.actor.id}


async def test_nobody_changes_the_books(conn: Connection, world: World) -> None:
    await earned(conn, world)
    for statement in ("UPDATE earnings SET amount = 1", "DELETE FROM earnings"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute(statement)
