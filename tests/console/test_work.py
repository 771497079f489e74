from __future__ import annotations

import asyncio

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    POST,
    claimed,
    published,
    published_with_videos,
    set_up,
    workable,
)
from tests.pages.guest import Guest, give_passwords, visiting
from tests.workbench.desk import hire
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

ACCOUNT = {
    "username": "@acme.daily",
    "profile_url": "https://www.tiktok.com/@acme.daily",
    "visible_name": "Acme",
    "password": "s3cret",
    "email": "acme@mail.example",
    "email_password": "s3cret too",
    "recovery_codes": "one\r\n\r\n two ",
}
OPEN_WINDOW = "UPDATE slots SET target_start = current_date - 1, target_end = current_date"
STATUS = "SELECT status FROM bundles WHERE id = $1"


def work(world: World, bundle_id: str, *more: object) -> str:
    """Give an address on the workbench."""
    return "/".join(["/desk", str(world.acme), bundle_id, *map(str, more)])


async def test_the_queue_has_priority_first_then_the_oldest(
    alice: Client, conn: Connection, mona: Guest
) -> None:
    first, second, urgent = [await published(alice) for _ in range(3)]
    await conn.execute("UPDATE bundles SET status = 'published_priority' WHERE id = $1", urgent)
    page = (await mona.get("/desk")).html
    assert page.index(urgent) < page.index(first) < page.index(second)


async def test_the_queue_leaves_out_what_is_not_the_managers_and_says_why_it_is_empty(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    bundle_id = await published(alice)
    await conn.execute("UPDATE managers SET countries = '{DE}' WHERE person_id = $1", world.mona)
    page = await mona.get("/desk")
    assert bundle_id not in page.html
    assert "your countries (DE)" in page.text
    await conn.execute("UPDATE managers SET countries = '{USA}' WHERE person_id = $1", world.mona)
    assert bundle_id in (await mona.get("/desk")).html
    await conn.execute(
        "INSERT INTO kill_switches (scope, subject_id, reason) VALUES ('all', $1, 'Storm.')",
        world.acme,
    )
    assert "paused all work: Storm." in (await mona.get("/desk")).text


async def test_who_holds_as_many_orders_as_they_may_sees_the_queue_and_why_they_cannot_claim(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    await claimed(conn, world, ports, await published(alice))
    bundle_id = await published(alice)
    await conn.execute("UPDATE managers SET capacity = 2")
    assert work(world, bundle_id, "claim") in (await mona.get("/desk")).html
    await conn.execute("UPDATE managers SET capacity = 1")
    page = await mona.get("/desk")
    assert "You hold as many orders as you may at once (1)." in page.text
    assert work(world, bundle_id, "claim") not in page.html
    refused = await mona.post(work(world, bundle_id, "claim"))
    assert (refused.status, "as many as you may" in refused.text) == (409, True)


async def test_of_two_who_claim_at_once_one_gets_it_and_the_other_is_told(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    bundle_id = await published(alice)
    nora = await hire(conn)
    assert nora.id is not None
    await conn.execute("UPDATE people SET email = 'nora@example.com' WHERE id = $1", nora.id)
    await give_passwords(conn, nora.id)
    async with visiting(mona.address) as other:
        await other.sign_in("nora")
        there = work(world, bundle_id, "claim")
        answers = await asyncio.gather(mona.post(there), other.post(there))
    assert sorted(answer.status for answer in answers) == [303, 409]
    late = next(answer for answer in answers if answer.status == 409)
    assert "somebody else was faster" in late.text
    assert "Nothing to claim" in late.text
    assert await conn.fetchval("SELECT count(*) FROM claims WHERE status = 'live'") == 1


async def test_an_order_by_hand_from_the_claim_to_the_last_post(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    claim = await mona.post(work(world, bundle_id, "claim"))
    assert claim.to == f"{work(world, bundle_id)}?done=claimed"
    page = await mona.get(claim.to)
    for asked in ("acme.daily", "Every day.", "Look at this.", "The order is yours"):
        assert asked in page.text
    done = await mona.post(work(world, bundle_id, "account"), ACCOUNT)
    assert done.to.endswith("?done=account")
    assert "The customer reviews" in (await mona.get("/desk/mine")).text
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await conn.execute(OPEN_WINDOW)
    assert "Videos to post: 1" in (await mona.get("/desk/mine")).text
    last = await mona.post(work(world, bundle_id, "slots", 1), {"platform_url": POST})
    # That completed the order, so there is no page of it to go back to.
    assert last.to == "/desk/mine?done=slot"
    assert await conn.fetchval(STATUS, bundle_id) == "completed"


async def test_the_credentials_go_into_the_vault_and_open_again_with_a_line_in_the_audit_log(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await published(alice)
    await claimed(conn, world, ports, bundle_id)
    await mona.post(work(world, bundle_id, "account"), ACCOUNT)
    assert "s3cret" not in (await mona.get(work(world, bundle_id))).html
    opened = await mona.post(work(world, bundle_id, "credentials"))
    assert opened.status == 200
    for secret in ("s3cret too", "one", "two"):
        assert f'data-copy="{secret}"' in opened.html
    assert "account.open_credentials" in [
        row["action"] for row in await conn.fetch("SELECT action FROM audit")
    ]


async def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await published(alice)
    await claimed(conn, world, ports, bundle_id)
    wrong = {**ACCOUNT, "profile_url": "https://example.com/x", "username": "a b"}
    page = await mona.post(work(world, bundle_id, "account"), wrong)
    assert page.status == 400
    for field in ("username", "profile_url"):
        assert f'aria-describedby="account-{field}-wrong"' in page.html
    assert 'value="https://example.com/x"' in page.html
    # Secrets are typed again: a page does not carry them.
    assert "s3cret" not in page.html
    half = await mona.post(work(world, bundle_id, "account"), {**ACCOUNT, "email": ""})
    assert 'aria-describedby="account-email-wrong"' in half.html


async def test_a_post_before_its_day_or_at_another_address_is_refused_on_its_own_form(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    early = await mona.post(work(world, bundle_id, "slots", 2), {"platform_url": POST})
    assert early.status == 409
    assert "goes up from" in early.text
    elsewhere = {"platform_url": "https://example.com/v/1"}
    wrong = await mona.post(work(world, bundle_id, "slots", 2), elsewhere)
    assert 'aria-describedby="slot-2-platform_url-wrong"' in wrong.html
    assert 'aria-describedby="slot-1-platform_url-wrong"' not in wrong.html


async def test_reports_a_broken_download_and_gives_the_order_back_with_a_reason(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    report = await mona.post(work(world, bundle_id, "slots", 1, "report"), {"reason": "404"})
    assert report.to.endswith("?done=reported")
    assert "does not work (404)" in (await mona.get(report.to)).text
    silent = await mona.post(work(world, bundle_id, "release"), {"reason": " "})
    assert silent.status == 400
    assert 'aria-describedby="release-reason-wrong"' in silent.html
    back = await mona.post(work(world, bundle_id, "release"), {"reason": "Ill."})
    assert back.to == "/desk/mine?done=released"
    assert await conn.fetchval(STATUS, bundle_id) == "published"
    assert (await mona.get(work(world, bundle_id))).code == "CLAIM_NOT_YOURS"


async def test_corrections_are_a_checklist(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await published(alice)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    asked = {"comment": "Almost.", "fields": {"username": "acme.news"}}
    assert (await alice.post(f"/bundles/{bundle_id}/account/corrections", asked)).status == 200
    page = await mona.get(work(world, bundle_id))
    assert "Corrections, round 1" in page.text
    assert page.html.count('id="account-round-1') == 2
    assert "Correct the account" in (await mona.get("/desk/mine")).text
    # Secrets may stay as they are.
    kept = {"username": "acme.news", "profile_url": "https://www.tiktok.com/@acme.news"}
    assert (await mona.post(work(world, bundle_id, "account"), kept)).status == 303
    assert 'id="account-round-1' not in (await mona.get(work(world, bundle_id))).html


async def test_somebody_elses_order_shows_nothing(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    bundle_id = await published(alice)
    page = await mona.get(work(world, bundle_id))
    assert page.code == "CLAIM_NOT_YOURS"
    assert "acme.daily" not in page.html
    for act in ("account", "release", "credentials", "slots/1", "slots/1/report"):
        assert (await mona.post(work(world, bundle_id, act))).code == "CLAIM_NOT_YOURS"
    assert await conn.fetchval(STATUS, bundle_id) == "published"
