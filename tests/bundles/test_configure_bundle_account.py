"""``PUT /bundles/{id}/account``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bundles.stages import delivered
from tests.bundles.traces import events, everything, journal
from tests.cast import World
from tests.client import Client
from tests.orders.walk import PROFILE, ordered, published
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

PICTURES = "SELECT source_url, status FROM media WHERE owner_kind = 'profile' ORDER BY ordinal"
DRY = {"X-TokPortal-Dry-Run": "true"}


async def uploaded(alice: Client, bundle_id: str, purpose: str = "profile_picture") -> Any:
    """Upload a picture for a bundle; give the answer's data."""
    fields = {"bundle_id": bundle_id, "purpose": purpose}
    body, headers = form(media.jpeg(), fields, filename="me.jpg", claimed_type="image/jpeg")
    return (await alice.post("/upload/image/direct", body=body, headers=headers)).data


async def test_a_pending_profile_becomes_configured(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=0, external_ref="crm-7")

    reply = await alice.put(f"/bundles/{bundle_id}/account", PROFILE)

    profile = reply.data
    assert (profile["status"], profile["id"]) == ("configured", bundle_id)
    assert {name: profile[name] for name in PROFILE} == PROFILE
    assert profile["configured_at"] is not None
    assert "credits_charged" not in reply.json
    assert (await alice.get(f"/bundles/{bundle_id}/account")).data == profile
    assert (await events(conn, world.acme))[1:] == [
        (
            "account.configured",
            {
                "account_id": profile["account_id"],
                "saved_account_id": None,
                "bundle_id": bundle_id,
                "external_ref": "crm-7",
                "username": "acme.daily",
                "platform": "tiktok",
                "status": "configured",
                "previous_status": "pending",
            },
        )
    ]
    assert (await journal(conn, world.acme, bundle_id))[2:] == [
        ("profile", "pending", "configured")
    ]


async def test_configuring_again_replaces_and_announces_nothing(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, videos=0)
    first = (await alice.put(f"/bundles/{bundle_id}/account", PROFILE)).data
    before = await events(conn, world.acme)

    second = (
        await alice.put(
            f"/bundles/{bundle_id}/account", {"username": "other", "visible_name": "Other"}
        )
    ).data

    assert (second["username"], second["visible_name"]) == ("other", "Other")
    assert second["biography"] is None
    assert second["configured_at"] > first["configured_at"]
    assert await events(conn, world.acme) == before


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"username": None}, {"username"}),
        ({"username": ""}, {"username"}),
        ({"username": "a" * 25}, {"username"}),
        ({"username": "acme daily"}, {"username"}),
        ({"username": "acme-daily"}, {"username"}),
        ({"username": "acmé"}, {"username"}),
        ({"username": "acme\n"}, {"username"}),
        ({"visible_name": ""}, {"visible_name"}),
        ({"visible_name": "v" * 31}, {"visible_name"}),
        ({"biography": "b" * 81}, {"biography"}),
        ({"niche_warming_instructions": "n" * 2001}, {"niche_warming_instructions"}),
        ({"link_in_bio": "javascript:alert(1)"}, {"link_in_bio"}),
        ({"link_in_bio": "acme.example"}, {"link_in_bio"}),
        ({"link_in_bio": "https://"}, {"link_in_bio"}),
        ({"link_in_bio": "https://acme.example/a b"}, {"link_in_bio"}),
        ({"link_in_bio": "https://acme.example/" + "a" * 2048}, {"link_in_bio"}),
        ({"profile_picture_url": "p" * 2049}, {"profile_picture_url"}),
        ({"profile_picture_url": "file:///etc/passwd"}, {"profile_picture_url"}),
        ({"profile_picture_url": "http://169.254.169.254/me.jpg"}, {"profile_picture_url"}),
        ({"username": "?", "visible_name": 7, "biography": "b" * 81, "colour": "red"}, {
            "username", "visible_name", "biography", "colour",
        }),
    ],
)  # fmt: skip
async def test_names_every_field_that_is_wrong(
    alice: Client, change: dict[str, Any], fields: set[str]
) -> None:
    bundle_id = await ordered(alice, videos=0, platform="instagram")

    reply = await alice.put(f"/bundles/{bundle_id}/account", {**PROFILE, **change})

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields
    assert (await alice.get(f"/bundles/{bundle_id}/account")).data["status"] == "pending"


async def test_bounds_are_inclusive_and_count_characters(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0, platform="instagram")
    body = {
        "username": "A_z.09" * 4,
        "visible_name": "ö" * 30,
        "biography": "🎬" * 80,
        "link_in_bio": "HTTPS://acme.example/shop?x=1#top",
        "niche_warming_instructions": "n" * 2000,
    }

    profile = (await alice.put(f"/bundles/{bundle_id}/account", body)).data

    assert {name: profile[name] for name in body} == body


async def test_a_link_in_the_bio_is_for_instagram(alice: Client) -> None:
    body = {**PROFILE, "link_in_bio": "https://acme.example"}
    reply = await alice.put(f"/bundles/{await ordered(alice, videos=0)}/account", body)

    assert set(reply.problems) == {"link_in_bio"}


async def test_neutral_values_ask_for_nothing(alice: Client) -> None:
    bundle_id = await ordered(
        alice, videos=0, wants_niche_warming=True, niche_warming_instructions="Cats."
    )
    body = {
        **PROFILE,
        "biography": "",
        "link_in_bio": "",
        "profile_picture_url": "",
        "niche_warming_instructions": "",
        "wants_advanced_warming": False,
        "advanced_warming_terms": [],
    }

    profile = (await alice.put(f"/bundles/{bundle_id}/account", body)).data

    assert (profile["biography"], profile["link_in_bio"]) == (None, None)
    assert profile["profile_picture_url"] is None
    assert profile["niche_warming_instructions"] == "Cats."


async def test_options_of_newer_clients_are_not_offered(alice: Client) -> None:
    bundle_id = await ordered(alice, videos=0)
    body = {**PROFILE, "advanced_warming_terms": ["cats"]}

    reply = await alice.put(f"/bundles/{bundle_id}/account", body)

    assert (reply.status, reply.code) == (400, "OPTION_NOT_OFFERED")


# Pictures.


async def test_an_uploaded_picture_is_named_by_path_or_address_and_shown_by_address(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=0)
    upload = await uploaded(alice, bundle_id)

    for name in ("storage_path", "public_url"):
        body = {**PROFILE, "profile_picture_url": upload[name]}
        profile = (await alice.put(f"/bundles/{bundle_id}/account", body)).data
        assert profile["profile_picture_url"] == upload["public_url"]
        rows = [tuple(row) for row in await conn.fetch(PICTURES)]
        assert rows == [(None, "ready")]


async def test_a_picture_elsewhere_is_fetched_later(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=0)
    url = "https://media.example.com/me.jpg"

    profile = (
        await alice.put(f"/bundles/{bundle_id}/account", {**PROFILE, "profile_picture_url": url})
    ).data

    assert profile["profile_picture_url"] == url
    assert [tuple(row) for row in await conn.fetch(PICTURES)] == [(url, "fetching")]


async def test_leaving_the_picture_out_takes_it_away(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=0)
    body = {**PROFILE, "profile_picture_url": "https://media.example.com/me.jpg"}
    await alice.put(f"/bundles/{bundle_id}/account", body)

    profile = (await alice.put(f"/bundles/{bundle_id}/account", PROFILE)).data

    assert profile["profile_picture_url"] is None
    assert await conn.fetch(PICTURES) == []


async def test_a_picture_must_be_an_upload_of_this_workspace_for_this_purpose(
    alice: Client, charlie: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=0)
    wrong_purpose = await uploaded(alice, bundle_id, "carousel")
    foreign = await uploaded(charlie, await ordered(charlie, videos=0))
    before = await everything(conn)

    for path in (wrong_purpose["storage_path"], foreign["storage_path"], foreign["public_url"]):
        body = {**PROFILE, "profile_picture_url": path}
        reply = await alice.put(f"/bundles/{bundle_id}/account", body)
        assert (reply.status, reply.code) == (400, "MEDIA_NOT_FOUND")
        assert reply.details["field"] == "profile_picture_url"
    assert await everything(conn) == before


# States.


async def test_a_published_profile_is_not_configured_any_more(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await published(alice, videos=0)
    before = await everything(conn)

    reply = await alice.put(f"/bundles/{bundle_id}/account", PROFILE)

    assert (reply.status, reply.code) == (409, "ACCOUNT_INVALID_STATUS")
    assert reply.details["current_status"] == "published"
    assert await everything(conn) == before


async def test_posts_on_a_delivered_account_have_no_profile_to_configure(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    account_id = await delivered(alice, conn, world, ports)
    posts = {"bundle_type": "videos_only", "videos_quantity": 1, "account_id": str(account_id)}
    bundle_id = (await alice.post("/bundles", posts)).data["id"]

    reply = await alice.put(f"/bundles/{bundle_id}/account", PROFILE)

    assert (reply.status, reply.code) == (404, "ACCOUNT_NOT_FOUND")


async def test_a_strangers_profile_is_not_found(alice: Client, charlie: Client) -> None:
    reply = await charlie.put(f"/bundles/{await ordered(alice)}/account", PROFILE)

    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")


async def test_a_dry_run_shows_the_profile_and_changes_nothing(
    alice: Client, conn: Connection
) -> None:
    bundle_id = await ordered(alice, videos=0)
    body = {**PROFILE, "profile_picture_url": "https://media.example.com/me.jpg"}
    before = await everything(conn)

    reply = await alice.put(f"/bundles/{bundle_id}/account", body, headers=DRY)

    assert (reply.status, reply.data["status"]) == (200, "configured")
    assert (reply.json["dry_run"], reply.json["credits_would_charge"]) == (True, 0)
    assert await everything(conn) == before
