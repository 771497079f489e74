"""The simulated managers' background loop."""

from __future__ import annotations

from datetime import timedelta

from tests.bundles.stages import delivered
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, published, published_with_videos, sent_back
from tokportal_server.accounts.sealing import credentials_context
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.post_urls import is_profile_url
from tokportal_server.rehearsal.managers import SimulatedManagers


async def rounds(ports: Ports, most: int = 20) -> list[int]:
    """Let the loop run until it has nothing to do; give what each round did."""
    loop = SimulatedManagers(ports)
    done = []
    for _ in range(most):
        done.append(await loop.run_once())
        if done[-1] == 0:
            return done
    raise AssertionError(f"no rest after {most} rounds: {done}")


async def test_the_loop_claims_sets_up_and_then_waits_for_the_customer(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=0)
    assert await rounds(ports) == [1, 1, 0]
    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert (profile["status"], profile["deviations"]) == ("in_review", [])
    assert is_profile_url("tiktok", profile["profile_url"])
    account = await conn.fetchrow("SELECT id, manager_id FROM saved_accounts")
    assert account is not None
    assert account["manager_id"] == world.mona
    sealed = await conn.fetchval("SELECT sealed FROM vault_items")
    opened = ports.vault.open(sealed, context=credentials_context(world.acme, account["id"]))
    assert b"password" in opened


async def test_the_loop_corrects_and_posts_when_the_day_has_come(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    await rounds(ports)
    await alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "No."})
    assert await rounds(ports) == [1, 0]
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    assert await rounds(ports) == [0]
    await conn.execute("UPDATE workspaces SET clock_offset = '5 days' WHERE rehearsal")
    await conn.execute(
        "UPDATE slots SET download_issue = $1 WHERE position = 2",
        {"reported_at": "2026-01-01T00:00:00.000Z", "reason": "404"},
    )
    assert await rounds(ports) == [1, 0]
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in slots] == ["finalized", "accepted"]


async def test_a_story_is_handed_in_with_its_picture(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1, platform="instagram")
    await conn.execute("UPDATE slots SET video_type = 'story'")
    await rounds(ports)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await conn.execute("UPDATE workspaces SET clock_offset = '5 days' WHERE rehearsal")
    assert await rounds(ports) == [1, 0]
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot["status"] == "finalized"
    assert slot["evidence_url"].endswith(f"{slot['id']}.jpg")


async def test_slot_corrections_are_handed_in_again(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published_with_videos(
        alice, conn, world, videos=1, auto_finalize_videos=False
    )
    await rounds(ports)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await conn.execute("UPDATE workspaces SET clock_offset = '5 days' WHERE rehearsal")
    await rounds(ports)
    await sent_back(conn, world, ports, bundle_id)
    assert await rounds(ports) == [1, 0]
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot["status"] == "in_review"
    assert slot["corrections"][0]["resolved_at"] is not None


async def test_orders_of_real_workspaces_and_other_rehearsals_are_left_to_their_own(
    alice: Client, charlie: Client, second: Client, conn: Connection, world: World, ports: Ports
) -> None:
    mine, real = await published(alice, videos=0), await published(charlie, videos=0)
    async with second:
        other = await published(second, videos=0)
        await rounds(ports)
        assert (await second.get(f"/bundles/{other}")).data["status"] == "accepted"
    assert (await alice.get(f"/bundles/{mine}")).data["status"] == "accepted"
    assert (await charlie.get(f"/bundles/{real}")).data["status"] == "published"
    claims = await conn.fetch(
        "SELECT c.workspace_id, m.rehearsal_workspace_id FROM claims c"
        " JOIN managers m ON m.person_id = c.manager_id"
    )
    assert len(claims) == 2
    assert all(c["workspace_id"] == c["rehearsal_workspace_id"] for c in claims)
    assert world.other not in {c["workspace_id"] for c in claims}


async def test_an_inactive_manager_and_a_closed_country_leave_an_order_waiting(
    alice: Client, conn: Connection, ports: Ports
) -> None:
    await conn.execute("UPDATE managers SET active = false")
    bundle_id = await published(alice, videos=0)
    assert await rounds(ports) == [0]
    await conn.execute("UPDATE managers SET active = true, countries = '{FR}'")
    assert await rounds(ports) == [0]
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published"


async def test_a_refused_step_stops_nobody_else(
    alice: Client, second: Client, conn: Connection, world: World, ports: Ports
) -> None:
    mine = await published(alice, videos=0)
    await conn.execute(
        "INSERT INTO kill_switches (scope, subject_id, reason) VALUES ('workspace', $1, 'x')",
        world.acme,
    )
    async with second:
        other = await published(second, videos=0)
        assert await rounds(ports) == [1, 1, 0]
        assert (await second.get(f"/bundles/{other}")).data["status"] == "accepted"
    assert (await alice.get(f"/bundles/{mine}")).data["status"] == "published"


async def test_each_rehearsal_is_worked_at_its_own_time(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await conn.execute("UPDATE workspaces SET clock_offset = '40 days' WHERE id = $1", world.acme)
    made = (await alice.post("/bundles", {"bundle_type": "account_only", "country": "USA"})).data
    await alice.put(f"/bundles/{made['id']}/account", PROFILE)
    await alice.post(f"/bundles/{made['id']}/publish")
    await rounds(ports)
    row = await conn.fetchrow("SELECT submitted_at - now() AS ahead FROM profiles")
    assert row is not None
    assert abs(row["ahead"] - timedelta(days=40)) < timedelta(hours=1)


async def test_the_loop_makes_the_changes_that_customers_ask_for(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    asked = {"requested_username": "acme.weekly", "requested_visible_name": "Acme Weekly"}
    request = await alice.post(f"/accounts/{account_id}/edit-request", asked)
    assert request.status == 201

    assert await rounds(ports) == [1, 1, 0]

    account = (await alice.get(f"/accounts/{account_id}")).data
    assert (account["username"], account["visible_name"]) == ("acme.weekly", "Acme Weekly")
    assert is_profile_url("tiktok", account["profile_url"])
