"""``POST /bundles``: what it refuses, field by field and rule by rule."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.bundles.stages import SET_ACCOUNT, SET_COUNTRY, delivered, in_review
from tests.bundles.traces import everything
from tests.cast import World
from tests.client import Client
from tests.orders.walk import order
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

SET_DEFAULT = "UPDATE workspaces SET default_country = $2 WHERE id = $1"
CLOSE_PLATFORM = "UPDATE platforms SET enabled = false WHERE code = $1"
ACCOUNT = {"bundle_type": "account_only", "country": "USA"}
VIDEOS = {"bundle_type": "account_and_videos", "country": "USA", "videos_quantity": 2}
POSTS = {"bundle_type": "videos_only", "videos_quantity": 2, "account_id": str(uuid4())}
NICHE = {"wants_niche_warming": True, "niche_warming_instructions": "Cats."}
DEEP = {"wants_deep_warming": True, "platform": "instagram"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"bundle_type"}),
        ({"bundle_type": "channel"}, {"bundle_type"}),
        ({"bundle_type": "account_only"}, {"country"}),
        ({"bundle_type": "account_only", "country": ""}, {"country"}),
        ({**ACCOUNT, "country": "Atlantis"}, {"country"}),
        ({**ACCOUNT, "country": "U" * 61}, {"country"}),
        ({**ACCOUNT, "platform": "youtube"}, {"platform"}),
        ({**ACCOUNT, "title": "t" * 201}, {"title"}),
        ({**ACCOUNT, "external_ref": "r" * 201}, {"external_ref"}),
        ({**ACCOUNT, "moderation_notice": "m" * 2001}, {"moderation_notice"}),
        ({**ACCOUNT, "niche_warming_instructions": "n" * 2001}, {"niche_warming_instructions"}),
        ({**ACCOUNT, "videos_quantity": 1}, {"videos_quantity"}),
        ({**ACCOUNT, "edits_quantity": 1}, {"edits_quantity"}),
        ({**ACCOUNT, "auto_finalize_videos": "yes"}, {"auto_finalize_videos"}),
        ({**VIDEOS, "videos_quantity": 0}, {"videos_quantity"}),
        ({**VIDEOS, "videos_quantity": None}, {"videos_quantity"}),
        ({**VIDEOS, "videos_quantity": 501}, {"videos_quantity"}),
        ({**VIDEOS, "videos_quantity": -1}, {"videos_quantity"}),
        ({**VIDEOS, "videos_quantity": 1.5}, {"videos_quantity"}),
        ({**VIDEOS, "videos_quantity": "2"}, {"videos_quantity"}),
        ({**VIDEOS, "videos_quantity": True}, {"videos_quantity"}),
        ({**VIDEOS, "edits_quantity": 3}, {"edits_quantity"}),
        ({**VIDEOS, "edits_quantity": -1}, {"edits_quantity"}),
        ({**ACCOUNT, "wants_niche_warming": True}, {"niche_warming_instructions"}),
        ({**ACCOUNT, **NICHE, "niche_warming_instructions": ""}, {"niche_warming_instructions"}),
        ({**ACCOUNT, **NICHE, **DEEP}, {"wants_deep_warming"}),
        ({**ACCOUNT, "wants_deep_warming": True}, {"wants_deep_warming"}),
        ({**ACCOUNT, **DEEP, "platform": "tiktok"}, {"wants_deep_warming"}),
        ({**POSTS, "account_id": None}, {"account_id"}),
        ({**POSTS, "account_id": "mine"}, {"account_id"}),
        ({**POSTS, "videos_quantity": None}, {"videos_quantity"}),
        ({**POSTS, **NICHE}, {"wants_niche_warming", "niche_warming_instructions"}),
        ({**POSTS, **DEEP}, {"wants_deep_warming"}),
        (
            {**POSTS, "wants_moderation": True, "moderation_notice": "Be kind."},
            {"wants_moderation", "moderation_notice"},
        ),
        (
            {**ACCOUNT, "title": 7, "platform": "vine", "edits_quantity": 9, "colour": "red"},
            {"title", "platform", "edits_quantity", "colour"},
        ),
    ],
)
async def test_names_every_field_that_is_wrong(
    alice: Client, body: dict[str, Any], fields: set[str]
) -> None:
    reply = await alice.post("/bundles", body)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields


async def test_bounds_are_inclusive(alice: Client) -> None:
    body = order(
        videos=2,
        edits_quantity=2,
        title="t" * 200,
        external_ref="r" * 200,
        moderation_notice="m" * 2000,
        niche_warming_instructions="ü" * 2000,
    )

    bundle = (await alice.post("/bundles", body)).data

    assert (bundle["title"], bundle["external_ref"]) == ("t" * 200, "r" * 200)
    assert (bundle["edits_quantity"], bundle["niche_warming_instructions"]) == (2, "ü" * 2000)


async def test_what_nobody_asked_for_may_be_sent_in_its_neutral_form(
    alice: Client, conn: Connection, world: World
) -> None:
    await conn.execute(SET_DEFAULT, world.acme, "FR")
    bundle = (
        await alice.post(
            "/bundles",
            {
                "bundle_type": "account_only",
                "platform": None,
                "country": "",
                "title": "",
                "videos_quantity": 0,
                "edits_quantity": 0,
                "wants_niche_warming": False,
                "niche_warming_instructions": "",
                "wants_deep_warming": False,
                "wants_moderation": False,
                "moderation_notice": "",
                "auto_finalize_videos": None,
                "account_id": None,
                "external_ref": "",
                "wants_advanced_warming": False,
                "advanced_warming_terms": [],
                "advanced_warming_terms_count": 0,
            },
        )
    ).data

    assert (bundle["platform"], bundle["country"]) == ("tiktok", "FR")
    assert bundle["auto_finalize_videos"] is True
    for name in ("title", "external_ref", "niche_warming_instructions", "moderation_notice"):
        assert bundle[name] is None


@pytest.mark.parametrize(
    "asked",
    [
        {"wants_advanced_warming": True},
        {"advanced_warming_terms": ["cats"]},
        {"advanced_warming_terms_count": 3},
    ],
)
async def test_options_of_newer_clients_are_not_offered(
    alice: Client, asked: dict[str, Any]
) -> None:
    reply = await alice.post("/bundles", {**ACCOUNT, **asked})

    assert (reply.status, reply.code) == (400, "OPTION_NOT_OFFERED")
    assert reply.details["fields"] == list(asked)


async def test_only_unknown_fields_are_named_as_such(alice: Client) -> None:
    reply = await alice.post("/bundles", {**ACCOUNT, "colour": "red", "size": 7})

    assert (reply.status, reply.code) == (400, "UNKNOWN_FIELD")
    assert set(reply.details["fields"]) == {"colour", "size"}


async def test_auto_finalize_is_shown_as_the_review_mode(alice: Client) -> None:
    for wanted, mode in ((True, "auto"), (False, "manual")):
        bundle = (await alice.post("/bundles", order(videos=2, auto_finalize_videos=wanted))).data
        assert (bundle["auto_finalize_videos"], bundle["review_mode"]) == (wanted, mode)


# Countries and platforms.


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("USA", "USA"),
        ("us", "USA"),
        ("United States", "USA"),
        ("GB", "UK"),
        ("gbr", "UK"),
        ("united kingdom", "UK"),
        ("Deu", "DE"),
        ("Germany", "DE"),
        ("CA", "CA"),
        ("PHL", "PH"),
        (" fr ", "FR"),
    ],
)
async def test_countries_are_known_by_code_iso_and_english_name(
    alice: Client, given: str, code: str
) -> None:
    bundle = (await alice.post("/bundles", {**ACCOUNT, "country": given})).data

    assert bundle["country"] == code


@pytest.mark.parametrize("body", [ACCOUNT, VIDEOS], ids=["account_only", "account_and_videos"])
async def test_a_closed_country_is_refused(
    alice: Client, conn: Connection, body: dict[str, Any]
) -> None:
    await conn.execute(SET_COUNTRY, "USA", [])
    reply = await alice.post("/bundles", {**body, "country": "US"})

    assert (reply.status, reply.code) == (400, "COUNTRY_NOT_ENABLED")
    assert reply.details["field"] == "country"


@pytest.mark.parametrize(
    ("open_for", "statuses"),
    [(["account"], (201, 400)), (["videos"], (400, 400))],
)
async def test_a_country_has_to_be_open_for_all_that_is_ordered(
    alice: Client, conn: Connection, open_for: list[str], statuses: tuple[int, int]
) -> None:
    await conn.execute(SET_COUNTRY, "USA", open_for)

    replies = [await alice.post("/bundles", body) for body in (ACCOUNT, VIDEOS)]

    assert tuple(reply.status for reply in replies) == statuses


async def test_the_default_country_of_the_workspace_fills_in(
    alice: Client, charlie: Client, conn: Connection, world: World
) -> None:
    await conn.execute(SET_DEFAULT, world.acme, "UK")

    bare = await alice.post("/bundles", {"bundle_type": "account_only"})
    named = await alice.post("/bundles", ACCOUNT)
    theirs = await charlie.post("/bundles", {"bundle_type": "account_only"})

    assert (bare.data["country"], named.data["country"]) == ("UK", "USA")
    assert set(theirs.problems) == {"country"}


async def test_a_closed_platform_is_refused(alice: Client, conn: Connection) -> None:
    await conn.execute(CLOSE_PLATFORM, "instagram")

    reply = await alice.post("/bundles", {**ACCOUNT, "platform": "instagram"})

    assert set(reply.problems) == {"platform"}
    assert (await alice.post("/bundles", ACCOUNT)).status == 201


# videos_only.


@pytest.mark.parametrize("body", [ACCOUNT, VIDEOS], ids=["account_only", "account_and_videos"])
async def test_an_account_is_named_by_videos_only_alone(
    alice: Client, body: dict[str, Any]
) -> None:
    reply = await alice.post("/bundles", {**body, "account_id": str(uuid4())})

    assert (reply.status, reply.code) == (400, "ACCOUNT_ID_NOT_ALLOWED")


async def test_posts_on_a_delivered_account_need_no_profile(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)

    reply = await alice.post("/bundles", {**POSTS, "account_id": str(account_id)})

    assert (reply.status, reply.json["credits_charged"]) == (201, 4)
    bundle = reply.data
    assert bundle["saved_account_id"] == str(account_id)
    assert (bundle["account_id"], bundle["account_status"]) == (None, None)
    assert (bundle["username"], bundle["account_configured"]) == ("acme.daily", False)
    assert (bundle["platform"], bundle["country"]) == ("tiktok", "USA")
    assert bundle["cost"]["breakdown"]["account_creation"] == 0


async def test_a_platform_or_country_that_is_sent_must_be_the_accounts(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {**POSTS, "account_id": str(account_id)}

    same = await alice.post("/bundles", {**posts, "platform": "tiktok", "country": "us"})
    other = await alice.post("/bundles", {**posts, "platform": "instagram", "country": "France"})

    assert same.status == 201
    assert set(other.problems) == {"platform", "country"}


async def test_posts_never_collide_over_a_reference(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports, external_ref="crm-7")

    for _ in range(2):
        posts = {**POSTS, "account_id": str(account_id), "external_ref": "crm-7"}
        assert (await alice.post("/bundles", posts)).status == 201


async def test_unknown_and_foreign_accounts_are_not_found(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)

    unknown = await alice.post("/bundles", POSTS)
    foreign = await charlie.post("/bundles", {**POSTS, "account_id": str(account_id)})

    for reply in (unknown, foreign):
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("status", ["banned", "detached"])
async def test_an_account_that_is_lost_takes_no_new_work(
    alice: Client, conn: Connection, world: World, ports: Ports, status: str
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    await conn.execute(SET_ACCOUNT, account_id, status)
    before = await everything(conn)

    reply = await alice.post("/bundles", {**POSTS, "account_id": str(account_id)})

    assert (reply.status, reply.code) == (409, "SAVED_ACCOUNT_UNAVAILABLE")
    assert reply.details["reason"] == status
    assert await everything(conn) == before


async def test_an_account_in_review_takes_no_posts_yet(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    _, account_id = await in_review(alice, conn, world, ports)

    reply = await alice.post("/bundles", {**POSTS, "account_id": str(account_id)})

    assert (reply.status, reply.code) == (409, "SAVED_ACCOUNT_UNAVAILABLE")
    assert reply.details["reason"] == "not_delivered"


async def test_posts_are_refused_where_country_or_platform_is_closed(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    posts = {**POSTS, "account_id": str(await delivered(alice, conn, world, ports))}
    await conn.execute(SET_COUNTRY, "USA", ["account"])
    assert (await alice.post("/bundles", posts)).code == "COUNTRY_NOT_ENABLED"
    await conn.execute(SET_COUNTRY, "USA", ["videos"])
    assert (await alice.post("/bundles", posts)).status == 201
    await conn.execute(CLOSE_PLATFORM, "tiktok")
    assert set((await alice.post("/bundles", posts)).problems) == {"platform"}


async def test_a_dry_runs_account_is_refused_in_a_live_order(alice: Client) -> None:
    imagined = "00000000-0000-4000-8000-0123456789ab"
    reply = await alice.post("/bundles", {**POSTS, "account_id": imagined})

    assert (reply.status, reply.code) == (400, "DRY_RUN_ID_IN_LIVE_REQUEST")
