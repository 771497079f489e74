"""Finding bundles by what their title, account or reference begins with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bundles.stages import delivered
from tests.bundles.test_update_bundle import patch
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, ordered
from tokportal_server.bundles.search import EVERYWHERE, IN_WORKSPACE, FoundBundle, find_bundles
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

FILL = """
WITH made AS (
    INSERT INTO bundles (workspace_id, bundle_type, platform, country, status, videos_quantity,
        edits_quantity, auto_finalize_videos, wants_niche_warming, wants_deep_warming,
        wants_moderation, title, external_ref, cost_breakdown, sold_prices, created_at, updated_at)
    SELECT $1, 'account_only', 'tiktok', 'USA', 'pending_setup', 0, 0, true, false, false, false,
           'Campaign ' || n, 'crm-' || n, '{}', '{}', now(), now() FROM generate_series(1, $2) n
    RETURNING workspace_id, id, external_ref
)
INSERT INTO profiles (workspace_id, bundle_id, status, username)
SELECT workspace_id, id, 'configured', replace(external_ref, 'crm-', 'shop.') FROM made
"""
DELIVER = """
WITH made AS (
    INSERT INTO saved_accounts (workspace_id, platform, country, username, visible_name,
                                profile_url, bundle_id, created_at)
    SELECT workspace_id, platform, country, replace(external_ref, 'crm-', 'live.'), '', '', id,
           now()
      FROM bundles
    RETURNING id, bundle_id
)
UPDATE bundles b SET saved_account_id = made.id FROM made WHERE made.bundle_id = b.id
"""
INDEXES = {"bundles_title", "bundles_ref", "profiles_username", "saved_accounts_username"}


async def find(
    conn: Connection, text: str, world: World | None = None, **more: Any
) -> list[FoundBundle]:
    """Search Alice's workspace, or everywhere."""
    workspace_id = None if world is None else world.acme
    return await find_bundles(conn, text, workspace_id=workspace_id, **more)


async def titles(conn: Connection, text: str, world: World) -> list[str | None]:
    return [found.title for found in await find(conn, text, world)]


async def test_finds_by_the_beginning_of_title_reference_and_username(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, title="Spring launch", external_ref="CRM-77")
    await ordered(alice, title="Other")
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)

    for text, matched in (
        ("spring", "title"),
        ("SPRING LA", "title"),
        ("  crm-7 ", "external_ref"),
        ("Acme.d", "username"),
    ):
        [found] = await find(conn, text, world)
        assert (str(found.id), found.matched) == (bundle_id, matched)
    assert found.workspace_id == world.acme
    assert (found.title, found.external_ref, found.username) == (
        "Spring launch",
        "CRM-77",
        "acme.daily",
    )
    assert (found.status, found.bundle_type, found.platform, found.country) == (
        "pending_setup",
        "account_and_videos",
        "tiktok",
        "USA",
    )
    assert await find(conn, "launch", world) == []


async def test_the_exact_match_is_first_and_each_bundle_is_there_once(
    alice: Client, conn: Connection, world: World
) -> None:
    for title in ("maybe", "May flowers", "may", "Mayday"):
        await ordered(alice, videos=0, title=title, external_ref=f"may-{title}")

    assert await titles(conn, "may", world) == ["may", "May flowers", "maybe", "Mayday"]
    # A title that does not begin so may have a reference that does.
    assert await titles(conn, "may-m", world) == ["may", "May flowers", "maybe", "Mayday"]


async def test_of_equal_texts_the_newest_comes_first_up_to_the_limit(
    alice: Client, conn: Connection, world: World
) -> None:
    made = [await ordered(alice, videos=0, title="Same") for _ in range(4)]

    assert [str(found.id) for found in await find(conn, "same", world)] == made[::-1]
    newest = [str(found.id) for found in await find(conn, "same", world, limit=3)]
    assert newest == made[:0:-1]


@pytest.mark.parametrize("text", ["", "  ", "a\0", "\ud800"])
async def test_nothing_is_found_by_nothing(
    alice: Client, conn: Connection, world: World, text: str
) -> None:
    await ordered(alice, videos=0, title="a")

    assert await find(conn, text, world) == []


@pytest.mark.parametrize("title", ["100% sure", "100_x", r"100\x", "100'; --", "100é Ünï", "100😀"])
async def test_every_character_means_itself(
    alice: Client, conn: Connection, world: World, title: str
) -> None:
    await ordered(alice, videos=0, title=title)
    await ordered(alice, videos=0, title="100 other")

    assert await titles(conn, title[:5], world) == [title]
    assert await titles(conn, title, world) == [title]
    assert await find(conn, "%", world) == []


async def test_posts_are_found_by_their_account_whatever_was_wanted(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    await conn.execute("UPDATE saved_accounts SET username = 'acme.daily2'")
    body = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    posts = (await alice.post("/bundles", body)).data["id"]

    found = await find(conn, "acme.daily2", world)
    wanted = await find(conn, "acme.daily", world)

    assert str(found[0].id) == posts
    assert {item.username for item in found} == {"acme.daily2"}
    assert {item.id for item in wanted} == {item.id for item in found}
    assert len(found) == 2


async def test_customers_search_their_workspace_and_operators_all(
    alice: Client, charlie: Client, conn: Connection, world: World
) -> None:
    mine = await ordered(alice, videos=0, title="Launch")
    theirs = await ordered(charlie, videos=0, title="Launch")

    assert [str(found.id) for found in await find(conn, "launch", world)] == [mine]
    everywhere = await find(conn, "launch")
    assert {(found.workspace_id, str(found.id)) for found in everywhere} == {
        (world.acme, mine),
        (world.other, theirs),
    }


async def test_a_changed_title_is_found_at_once(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=0, title="Old")
    await patch(alice, bundle_id, {"title": "New"})

    assert await titles(conn, "old", world) == []
    assert await titles(conn, "new", world) == ["New"]


def scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Give every node of a plan that reads a table."""
    own = [node] if "Relation Name" in node else []
    return own + [scan for child in node.get("Plans", []) for scan in scans(child)]


@pytest.mark.parametrize("plan_mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("statement", [IN_WORKSPACE, EVERYWHERE], ids=["workspace", "everywhere"])
async def test_a_search_reads_its_indexes_and_no_more_than_it_finds(
    conn: Connection, world: World, plan_mode: str, statement: str
) -> None:
    await conn.execute(FILL, world.acme, 10_000)
    await conn.execute(DELIVER)
    await conn.execute("VACUUM ANALYZE bundles, profiles, saved_accounts")
    await conn.execute(f"SET plan_cache_mode = {plan_mode}")
    await conn.execute(f"PREPARE search (uuid, text, integer) AS {statement}")
    whose = "NULL" if statement is EVERYWHERE else f"'{world.acme}'"

    for text in ("c", "crm-", "Campaign 9", "shop.123", "live.", "nobody"):
        explained = await conn.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE search ({whose}, '{text}', 20)"
        )
        plan = explained if isinstance(explained, list) else json.loads(explained)
        read = scans(plan[0]["Plan"])
        assert {scan["Index Name"] for scan in read if "Index Name" in scan} >= INDEXES
        big = [scan for scan in read if scan["Relation Name"] != "workspaces"]
        assert {scan["Node Type"] for scan in big} <= {"Index Scan", "Index Only Scan"}
        assert max(scan["Actual Rows"] * scan["Actual Loops"] for scan in big) <= 80
