"""A dry run of any operation answers as the live call would, and leaves no trace."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tests.client import Client
from tests.http.conftest import Bell
from tests.http.examples import EXAMPLES, perform, writes
from tests.http.seed import Seed
from tokportal_server.http.answers import JSON
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import DRY_RUN_PREFIX

IMAGINED = DRY_RUN_PREFIX + "0123456789ab"
DRY = {"X-TokPortal-Dry-Run": "true"}
SECRETS = (
    "password",
    "email_password",
    "recovery_codes",
    "code",
    "signing_secret",
    "upload_url",
    "token",
    "url",
)
# Partitions are seen through their parents. A dry run does take a token of the key's bucket, and is
# a request that its owner finds in the log of requests.
TABLES = """
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
   AND NOT c.relispartition AND c.relname NOT IN ('buckets', 'api_requests')
 ORDER BY 1
"""
DIGEST = """
SELECT count(*) || ':' || coalesce(md5(string_agg(t.row, '|' ORDER BY t.row)), '')
  FROM (SELECT (to_jsonb(x) - 'last_used_at')::text AS row FROM {table} x) t
"""


async def everything(conn: Connection, home: Path) -> dict[str, str]:
    """Digest every table, and list every file that storage holds."""
    tables = [row["relname"] for row in await conn.fetch(TABLES)]
    found = {table: await conn.fetchval(DIGEST.format(table=table)) for table in tables}
    for path in (home / "media", home / "incoming"):
        found |= {str(file): str(file.stat().st_size) for file in path.rglob("*") if file.is_file()}
    return found


async def test_no_dry_run_changes_a_row_or_a_file_or_calls_out(
    alice: Client, seed: Seed, conn: Connection, settings: Settings, bell: Bell
) -> None:
    before = await everything(conn, settings.home)
    assert len(before) > 25
    changed = {}
    for name, op in writes().items():
        for headers in (DRY, DRY | {"Idempotency-Key": "dry"}):
            await perform(alice, op, seed, headers=headers)
        after = await everything(conn, settings.home)
        if different := {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}:
            changed[name] = different
    assert changed == {}
    assert bell.rung == 0


async def test_a_dry_run_has_the_live_answers_shape_with_what_it_would_cost(
    alice: Client, seed: Seed, conn: Connection
) -> None:
    balance = (await alice.get("/credits/balance")).data["credits"]
    would_charge = {}
    for name, op in writes().items():
        if EXAMPLES[name].refused_with is not None:
            continue
        reply = await perform(alice, op, seed, headers={"X-TokPortal-Dry-Run": "TRUE"})
        assert (name, reply.status) == (name, op.status)
        assert reply.headers["X-TokPortal-Dry-Run"] == "true"
        if op.status == 204 or op.media != JSON:
            continue
        assert reply.json["dry_run"] is True
        assert reply.json["dry_run_notice"]
        assert reply.json["credits_charged"] == 0
        assert reply.json["credits_remaining"] == balance
        would_charge[name] = reply.json["credits_would_charge"]
        assert sum(reply.json["cost_breakdown"].values()) in {
            would_charge[name],
            2 * would_charge[name],
        }
        data = reply.data if isinstance(reply.data, dict) else {}
        if op.idempotency == "sealed":
            assert {data[secret] for secret in SECRETS[:-1] if secret in data} <= {None}
    assert would_charge["createBundle"] == 29
    assert would_charge["configureBundleVideo"] == 1
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_what_a_dry_run_imagines_has_an_id_that_says_so(alice: Client) -> None:
    reply = await alice.post(
        "/webhooks", {"url": "https://example.com/x", "events": ["bundle.created"]}, headers=DRY
    )
    assert reply.data["id"].startswith(DRY_RUN_PREFIX)
    assert reply.data["signing_secret"] is None


async def test_what_one_dry_run_imagined_another_answers_with_the_shape_and_nothing_in_it(
    alice: Client, seed: Seed, conn: Connection, settings: Settings
) -> None:
    imagined = Seed(**dict.fromkeys(asdict(seed), IMAGINED))
    balance = (await alice.get("/credits/balance")).data["credits"]
    before = await everything(conn, settings.home)
    would_charge = {}
    for name, op in writes().items():
        if not op.takes_imagined_ids or "{" not in op.path or EXAMPLES[name].refused_with:
            continue
        live = await perform(alice, op, seed, headers=DRY)
        reply = await perform(alice, op, imagined, headers=DRY)
        assert (name, reply.status) == (name, live.status)
        assert reply.headers["X-TokPortal-Dry-Run"] == "true"
        if op.status == 204:
            continue
        assert live.data.keys() <= reply.data.keys(), name
        assert [value for value in reply.data.values() if value not in (None, [])] == [], name
        assert (reply.json["dry_run"], reply.json["credits_charged"]) == (True, 0)
        assert reply.json["credits_remaining"] == balance
        would_charge[name] = reply.json["credits_would_charge"]
    assert len(would_charge) > 7
    # Only what the request itself tells is priced.
    assert {name: cost for name, cost in would_charge.items() if cost} == {
        "addVideoSlots": 4,
        "addEditSlots": 3,
        "configureBundleVideo": 1,
        "createAccountEditRequest": 8,
    }
    assert await everything(conn, settings.home) == before


async def test_an_order_for_an_imagined_account_is_priced(alice: Client) -> None:
    wanted = {
        "bundle_type": "videos_only",
        "account_id": IMAGINED,
        "videos_quantity": 3,
        "edits_quantity": 1,
    }
    reply = await alice.post("/bundles", wanted, headers=DRY)
    assert (reply.status, reply.data["id"]) == (201, None)
    assert reply.json["credits_would_charge"] == 9
    assert reply.json["cost_breakdown"]["video_slots"] == 6
    assert (await alice.post("/bundles", wanted)).code == "DRY_RUN_ID_IN_LIVE_REQUEST"
    misplaced = wanted | {"bundle_type": "account_and_videos", "country": "USA"}
    refused = await alice.post("/bundles", misplaced, headers=DRY)
    assert refused.code == "ACCOUNT_ID_NOT_ALLOWED"


async def test_a_dry_run_about_an_imagined_thing_still_validates(alice: Client) -> None:
    path = f"/bundles/{IMAGINED}/videos/1"
    refused = await alice.put(path, {"video_type": "film"}, headers=DRY)
    assert (refused.status, "video_type" in refused.problems) == (400, True)
    for query in ("?surprise=1", "?dry=1"):
        refused = await alice.post(f"/bundles/{IMAGINED}/publish{query}", headers=DRY)
        assert refused.code == "UNKNOWN_PARAMETER"
    # A read is no dry run, whatever its headers say.
    refused = await alice.get(f"/bundles/{IMAGINED}", headers=DRY)
    assert refused.code == "DRY_RUN_ID_IN_LIVE_REQUEST"


async def test_a_dry_run_meets_the_same_refusals(alice: Client, seed: Seed) -> None:
    refused = await alice.post(f"/bundles/{seed.live}/publish", headers=DRY)
    assert refused.code == "BUNDLE_ALREADY_PUBLISHED"
    refused = await alice.post("/bundles", {"bundle_type": "account_only"}, headers=DRY)
    assert refused.problems.keys() == {"country"}


async def test_a_dry_run_takes_a_token_of_the_keys_bucket(alice: Client) -> None:
    order = {"bundle_type": "account_only", "country": "USA"}
    first = await alice.post("/bundles", order, headers=DRY)
    second = await alice.post("/bundles", order, headers=DRY)
    left = [int(reply.headers["X-RateLimit-Remaining"]) for reply in (first, second)]
    limit = int(first.headers["X-RateLimit-Limit"])
    assert left[0] == limit - 1
    assert left[1] <= limit - 1
