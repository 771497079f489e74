"""Simulated managers by their scripts, each through the whole life of an order."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, events_of, order, published_with_videos, uploaded
from tests.rehearsal.test_clock import advance, ask, journal_of
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.rehearsal.scripts import SCRIPTS, draw, script_named_by
from tokportal_server.workbench.doctor import examine


async def rehearsed(alice: Client, conn: Connection, world: World, script: str, **more: Any) -> str:
    """Order and publish with a script; give the bundle."""
    return await published_with_videos(
        alice, conn, world, days=6, external_ref=f"rehearsal:{script}:x", **{"videos": 1, **more}
    )


async def nothing_is_wrong(conn: Connection) -> bool:
    return [finding for finding in await examine(conn) if finding.contradictions] == []


async def test_slow_is_late_with_everything_and_still_in_time(
    alice: Client, conn: Connection, world: World
) -> None:
    began = real_now()
    bundle_id = await rehearsed(alice, conn, world, "slow", auto_finalize_videos=False)
    opens = await conn.fetchval("SELECT target_start FROM slots")
    await advance(alice, 5)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published"
    await advance(alice, 24 * 30)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
    bundle = await journal_of(conn, world, "bundle")
    profile, slot = [await journal_of(conn, world, kind) for kind in ("profile", "slot")]
    assert timedelta(hours=6) <= bundle["accepted"] - began < timedelta(hours=6, minutes=5)
    assert profile["in_review"] - bundle["accepted"] == timedelta(hours=24)
    midnight = datetime.fromisoformat(f"{opens}T00:00:00+00:00")
    assert slot["in_review"] == midnight + timedelta(hours=44)
    assert await events_of(conn, world, "video.overdue", "bundle.released") == []
    assert await nothing_is_wrong(conn)


async def test_careless_is_wrong_at_first_and_right_when_corrected(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await rehearsed(alice, conn, world, "careless", auto_finalize_videos=False)
    await advance(alice, 1)
    account = (await alice.get(f"/bundles/{bundle_id}/account")).data
    [deviation] = account["deviations"]
    assert (deviation["field"], deviation["wanted"]) == ("username", PROFILE["username"])
    await alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "Our name, please."})
    await advance(alice, 1)
    account = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert (account["status"], account["deviations"]) == ("in_review", [])
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await advance(alice, 24 * 7)
    path = f"/bundles/{bundle_id}/videos/1"
    assert "@somebody.else/" in (await alice.get(path)).data["platform_url"]
    await alice.post(f"{path}/corrections", {"comment": "Whose account is that?"})
    await advance(alice, 1)
    assert f"@{PROFILE['username']}/" in (await alice.get(path)).data["platform_url"]
    assert await nothing_is_wrong(conn)


async def test_broken_download_waits_until_it_is_fixed_and_says_so_once_a_slot(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await rehearsed(alice, conn, world, "broken_download", videos=2)
    await advance(alice, 1)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    await advance(alice, 24 * 6.5)
    path = f"/bundles/{bundle_id}/videos"
    slots = (await alice.get(path)).data
    assert [slot["download_issue"] is None for slot in slots] == [False, False]
    assert {slot["status"] for slot in slots} == {"accepted"}
    for position in (1, 2):
        again = {"video_url": await uploaded(conn, world.acme, bundle_id)}
        reply = await alice.post(f"{path}/{position}/fix-download", again)
        assert reply.status == 200, reply.body
    await advance(alice, 24)
    assert {slot["status"] for slot in (await alice.get(path)).data} == {"finalized"}
    assert len(await events_of(conn, world, "video.download_issue")) == 2
    assert await nothing_is_wrong(conn)


async def test_releases_gives_back_once_and_then_does_the_work(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await rehearsed(alice, conn, world, "releases")
    await advance(alice, 11)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"
    assert await events_of(conn, world, "bundle.released") == []
    await advance(alice, 24 * 30)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
    assert len(await events_of(conn, world, "bundle.released")) == 1
    assert await nothing_is_wrong(conn)


async def test_bans_ends_what_is_not_posted_and_gives_back_what_was_not_used(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await rehearsed(alice, conn, world, "bans")
    await advance(alice, 1)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    before = (await alice.get("/credits/balance")).data["credits"]
    await advance(alice, 35)
    assert await events_of(conn, world, "account.banned") == []
    await advance(alice, 2)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "cancelled"
    assert len(await events_of(conn, world, "account.banned")) == 1
    assert (await alice.get("/credits/balance")).data["credits"] > before
    assert (await alice.get("/accounts")).data[0]["status"] == "banned"
    assert await nothing_is_wrong(conn)


async def test_next_goes_to_what_happens_next(
    alice: Client, conn: Connection, world: World
) -> None:
    began = real_now()
    bundle_id = await rehearsed(alice, conn, world, "slow")
    status, moved = await ask(alice, "POST", "/clock/advance", {"to": "next"})
    assert (status, moved["data"]["happened"]) == (200, 1)
    ahead = datetime.fromisoformat(moved["data"]["now"]) - began
    assert timedelta(hours=6) <= ahead < timedelta(hours=6, minutes=5)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"
    for body in ({}, {"hours": 1, "to": "next"}, {"to": "then"}):
        status, refused = await ask(alice, "POST", "/clock/advance", body)
        assert (status, refused["error"]["code"]) == (400, "VALIDATION_ERROR"), body


async def test_weights_and_seed_tell_the_same_story_again(
    alice: Client, second: Client, conn: Connection
) -> None:
    weights = {"slow": 1, "prompt": 2, "releases": 1}
    stories = []
    async with second:
        for client in (alice, second):
            status, _ = await ask(client, "PUT", "/scripts", {"weights": weights, "seed": 11})
            assert status == 200
            for number in range(12):
                made = await client.post("/bundles", order(0, title=f"{number}"))
                await client.put(f"/bundles/{made.data['id']}/account", PROFILE)
                assert (await client.post(f"/bundles/{made.data['id']}/publish")).status == 200
            await advance(client, 1)
            stories.append(await told_of(conn, client))
    assert stories[0] == stories[1]
    assert set(stories[0]) == {"slow", "prompt", "releases"}


TOLD = """
SELECT r.script FROM rehearsal_scripts r
  JOIN bundles b ON b.workspace_id = r.workspace_id AND b.id = r.bundle_id
 WHERE r.workspace_id = $1 ORDER BY b.ordinal
"""


async def told_of(conn: Connection, client: Client) -> list[str]:
    workspace = (await client.get("/me")).data["workspace"]["id"]
    return [row["script"] for row in await conn.fetch(TOLD, workspace)]


async def test_one_bundle_can_be_given_another_script(
    alice: Client, bob: Client, charlie: Client, conn: Connection, world: World
) -> None:
    bundle_id = await rehearsed(alice, conn, world, "slow")
    path = f"/bundles/{bundle_id}/script"
    status, chosen = await ask(alice, "PUT", path, {"script": "prompt"})
    assert (status, chosen["data"]) == (200, {"bundle_id": bundle_id, "script": "prompt"})
    await advance(alice, 1)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"
    refused = [
        await ask(bob, "PUT", path, {"script": "slow"}),
        await ask(charlie, "PUT", path, {"script": "slow"}),
        await ask(alice, "PUT", path, {"script": "lazy"}),
    ]
    assert [(status, answer["error"]["code"]) for status, answer in refused] == [
        (403, "AUTH_INSUFFICIENT_SCOPE"),
        (404, "BUNDLE_NOT_FOUND"),
        (400, "VALIDATION_ERROR"),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"weights": {"lazy": 1}}, "weights"),
        ({"weights": {"slow": 0}}, "weights"),
        ({"weights": {}}, "weights"),
        ({"weights": {"slow": -1}}, "weights"),
        ({"weights": {"slow": 1}, "seed": -1}, "seed"),
    ],
)
async def test_weights_are_of_scripts_that_there_are(
    alice: Client, body: dict[str, Any], field: str
) -> None:
    status, refused = await ask(alice, "PUT", "/scripts", body)
    assert (status, refused["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert any(one["field"].startswith(field) for one in refused["error"]["details"]["errors"])
    _, read = await ask(alice, "GET", "/scripts")
    assert (read["data"]["seed"], read["data"]["weights"]) == (0, {"prompt": 1})
    assert [one["name"] for one in read["data"]["scripts"]] == list(SCRIPTS)


def test_draws_are_shared_out_by_weight_and_repeat() -> None:
    weights = {"slow": 1, "prompt": 3}
    drawn = [draw(5, weights, number) for number in range(4000)]
    assert 850 < Counter(drawn)["slow"] < 1150
    assert drawn == [draw(5, {"prompt": 3, "slow": 1}, number) for number in range(4000)]
    assert drawn != [draw(6, weights, number) for number in range(4000)]


@pytest.mark.parametrize(
    ("ref", "script"),
    [
        ("rehearsal:slow", "slow"),
        ("rehearsal:bans:spring-7", "bans"),
        ("rehearsal:lazy", None),
        ("rehearsal", None),
        ("slow", None),
        (None, None),
    ],
)
def test_a_reference_names_a_script(ref: str | None, script: str | None) -> None:
    assert script_named_by(ref) == script
