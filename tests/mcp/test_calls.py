"""What happens when the tools are called, over streamable HTTP."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import msgspec

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.lib.outbound_rig import receiver
from tests.mcp.conftest import text_of, tools_of
from tests.orders.walk import PROFILE, in_days
from tests.uploads import media
from tokportal_server.lib.settings import Settings

ORDER = {"bundle_type": "account_and_videos", "country": "FR", "videos_quantity": 1}
Conn: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def test_runs_an_order_from_its_price_to_its_publication(server: str, world: World) -> None:
    async with tools_of(server, {"Authorization": f"Bearer {world.alice_key}"}) as tools:
        dry = await tools.call("tokportal_create_bundle", dry_run=True, **ORDER)
        assert dry.structured_content is not None
        assert dry.structured_content["credits_would_charge"] == 27
        bundle = (await tools.data("tokportal_create_bundle", **ORDER))["id"]
        await tools.data("tokportal_configure_bundle_account", id=bundle, **PROFILE)
        uploaded = await tools.data(
            "tokportal_upload_video_direct",
            bundle_id=bundle,
            file_base64=base64.b64encode(media.video()).decode(),
            file_name="clip.mp4",
        )
        assert uploaded["filename"] == "clip.mp4"
        await tools.data(
            "tokportal_configure_bundle_video",
            id=bundle,
            position=1,
            video_type="video",
            description="Look at this.",
            target_publish_date=in_days(5),
            video_url=uploaded["public_url"],
        )
        readiness = await tools.data("tokportal_get_bundle_publish_readiness", id=bundle)
        assert readiness["ready"] is True
        published = await tools.data("tokportal_publish_bundle", id=bundle)
        assert published["status"] == "published"


async def test_a_dry_run_changes_nothing(server: str, world: World, conn: Conn) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        result = await tools.call("tokportal_create_bundle", dry_run=True, **ORDER)
    assert not result.is_error
    assert result.meta is not None
    assert result.meta["dry_run"] == "true"
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 0


async def test_a_misspelt_dry_run_is_never_a_live_call(
    server: str, world: World, conn: Conn
) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        for misspelt in ("dryrun", "dry-run", "X-TokPortal-Dry-Run"):
            error = await tools.error("tokportal_create_bundle", **{misspelt: True}, **ORDER)
            assert (error["code"], error["details"]) == ("UNKNOWN_FIELD", {"fields": [misspelt]})
        webhook = str(uuid4())
        error = await tools.error("tokportal_delete_webhook_endpoint", id=webhook, dryrun=True)
        assert error["code"] == "UNKNOWN_FIELD"
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 0


async def test_an_unclear_dry_run_is_refused(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        error = await tools.error("tokportal_create_bundle", dry_run="yes", **ORDER)
    assert error["details"]["errors"][0]["field"] == "X-TokPortal-Dry-Run"


async def test_the_same_idempotency_key_orders_once(server: str, world: World, conn: Conn) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        key = "order-of-today"
        first = await tools.call("tokportal_create_bundle", idempotency_key=key, **ORDER)
        again = await tools.call("tokportal_create_bundle", idempotency_key=key, **ORDER)
        error = await tools.error(
            "tokportal_create_bundle", idempotency_key=key, **{**ORDER, "country": "USA"}
        )
    assert text_of(first) == text_of(again)
    assert first.meta is not None
    assert again.meta is not None
    assert "idempotent_replayed" not in first.meta
    assert again.meta["idempotent_replayed"] == "true"
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 1


async def test_a_refusal_arrives_with_code_message_details_and_request_id(
    server: str, world: World
) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        result = await tools.call("tokportal_get_bundle", id=str(uuid4()))
        assert result.is_error
        assert result.structured_content is not None
        assert result.meta is not None
        error = result.structured_content["error"]
        assert error["code"] == "BUNDLE_NOT_FOUND"
        assert error["code"] in text_of(result)
        assert error["request_id"] == result.meta["request_id"]
        assert result.meta["status"] == 404
        invalid = await tools.error("tokportal_create_bundle", bundle_type="account", title=7)
        assert invalid["code"] == "VALIDATION_ERROR"
        assert {"bundle_type", "title"} <= {p["field"] for p in invalid["details"]["errors"]}


async def test_null_clears_a_field_and_is_nothing_in_a_query(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        made = await tools.data(
            "tokportal_create_webhook_endpoint",
            url="https://hooks.example.com/a",
            events=["bundle.created"],
            description="Ours",
        )
        changed = await tools.data(
            "tokportal_update_webhook_endpoint", id=made["id"], description=None
        )
        assert changed["description"] is None
        listed = await tools.data("tokportal_list_webhook_endpoints", enabled=None, per_page=5)
        assert [endpoint["id"] for endpoint in listed] == [made["id"]]
        assert await tools.data("tokportal_list_webhook_endpoints", enabled=False) == []


async def test_an_answer_without_a_body_says_that_it_is_done(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        made = await tools.data(
            "tokportal_create_webhook_endpoint",
            url="https://hooks.example.com/a",
            events=["bundle.created"],
        )
        result = await tools.call("tokportal_delete_webhook_endpoint", id=made["id"])
    assert not result.is_error
    assert text_of(result) == "Done: 204, without a body."


async def test_a_path_argument_cannot_lead_to_another_operation(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        for id_ in ("../credits", "..", "", "x/videos/1", "%2e%2e", "a?b", None, ["a"]):
            error = await tools.error("tokportal_publish_bundle", id=id_)
            assert error["code"] == "VALIDATION_ERROR", id_
            assert error["details"]["errors"][0]["field"] == "id"
        error = await tools.error("tokportal_get_bundle_video", id=str(uuid4()))
        assert [p["field"] for p in error["details"]["errors"]] == ["position"]


async def test_what_cannot_be_a_header_is_refused(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        for key in ("schlüssel", "a\r\nX-API-Key: b"):
            error = await tools.error("tokportal_create_bundle", idempotency_key=key, **ORDER)
            assert error["details"]["errors"][0]["field"] == "idempotency_key"


UNUSABLE_FILES: list[tuple[dict[str, Any], str]] = [
    ({}, "file_url"),
    ({"file_text": "a", "file_base64": "YQ=="}, "file_base64"),
    ({"file_base64": "not base64"}, "file_base64"),
    ({"file_text": 7}, "file_text"),
    ({"file_url": "http://127.0.0.1:1/a.png"}, "file_url"),
    ({"file_url": "https://media.example.com/a.png", "dry_run": True}, "file_url"),
]


async def test_a_file_that_cannot_be_had_is_refused_by_name(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        bundle = (await tools.data("tokportal_create_bundle", **ORDER))["id"]
        for given, field in UNUSABLE_FILES:
            error = await tools.error("tokportal_upload_video_direct", bundle_id=bundle, **given)
            assert error["code"] == "VALIDATION_ERROR"
            assert [problem["field"] for problem in error["details"]["errors"]] == [field]


async def test_a_path_of_the_servers_machine_is_no_file(server: str, world: World) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        error = await tools.error(
            "tokportal_upload_image_direct",
            bundle_id=str(uuid4()),
            file_path="/etc/passwd",
            file_text="x",
        )
    assert error["code"] in {"VALIDATION_ERROR", "UNKNOWN_FIELD"}
    assert "file_path" in str(error)


async def test_a_read_only_key_reads_and_has_nothing_fetched_for_it(
    server: str, world: World
) -> None:
    async with tools_of(server, {"X-API-Key": world.bob_key}) as tools:
        assert await tools.data("tokportal_list_bundles") == []
        error = await tools.error("tokportal_create_bundle", **ORDER)
        assert error["code"] == "AUTH_INSUFFICIENT_SCOPE"
        error = await tools.error(
            "tokportal_upload_image_direct",
            bundle_id=str(uuid4()),
            purpose="profile_picture",
            file_url="https://media.example.com/a.png",
        )
        assert error["code"] == "AUTH_INSUFFICIENT_SCOPE"


async def test_each_caller_sees_only_their_own_workspace(
    server: str, world: World, charlie: Client
) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as alices:
        bundle = (await alices.data("tokportal_create_bundle", **ORDER))["id"]
        async with tools_of(server, {"X-API-Key": world.charlie_key}) as charlies:
            error = await charlies.error("tokportal_get_bundle", id=bundle)
            assert error["code"] == "BUNDLE_NOT_FOUND"
            assert (await alices.data("tokportal_get_bundle", id=bundle))["id"] == bundle
    assert (await charlie.get("/bundles")).data == []


async def test_a_file_at_an_address_is_fetched_for_one_token_more(
    server: str, world: World
) -> None:
    async def site(_head: bytes, writer: asyncio.StreamWriter) -> None:
        picture = media.png()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(picture) + picture)
        await writer.drain()

    async with (
        receiver(site) as port,
        tools_of(server, {"X-API-Key": world.alice_key}) as tools,
    ):
        bundle = await tools.call("tokportal_create_bundle", **ORDER)
        assert bundle.structured_content is not None
        uploaded = await tools.call(
            "tokportal_upload_image_direct",
            bundle_id=bundle.structured_content["data"]["id"],
            purpose="profile_picture",
            file_url=f"http://127.0.0.1:{port}/faces/one%20face.png",
        )
    assert uploaded.structured_content is not None
    assert uploaded.structured_content["data"]["filename"] == "one face.png"
    assert uploaded.meta is not None
    assert int(uploaded.meta["rate_limit_remaining"]) <= 100_000 - 3


async def test_a_file_at_an_address_is_no_larger_than_an_upload(
    settings: Settings, world: World
) -> None:
    async def site(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001))
        await writer.drain()

    strict = msgspec.structs.replace(settings, image_max_bytes=1000)
    async with (
        receiver(site) as port,
        serving(strict) as server,
        tools_of(server, {"X-API-Key": world.alice_key}) as tools,
    ):
        error = await tools.error(
            "tokportal_upload_image_direct",
            bundle_id=str(uuid4()),
            file_url=f"http://127.0.0.1:{port}/a.png",
        )
    assert error["code"] == "FILE_TOO_LARGE"
