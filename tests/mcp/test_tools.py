"""What the tools are, over streamable HTTP."""

from __future__ import annotations

from mcp_types import Tool

from tests.cast import World
from tests.mcp.conftest import tools_of
from tokportal_server.entry.operations import all_operations, reference_operations
from tokportal_server.mcp.tool import DESTRUCTIVE_POSTS


async def listed(server: str, world: World) -> dict[str, Tool]:
    """Give the tools that a client sees."""
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        found = await tools.session.list_tools()
    assert found.next_cursor is None
    return {tool.name: tool for tool in found.tools}


async def test_there_is_one_tool_for_each_operation_of_the_reference(
    server: str, world: World
) -> None:
    tools = await listed(server, world)
    assert len(tools) == 78
    assert {tool.title for tool in tools.values()} == {op.summary for op in reference_operations()}
    # A sample of names, since a test that derives them as the code does would prove nothing.
    assert {
        "tokportal_get_current_user",
        "tokportal_create_bundles_bulk",
        "tokportal_get_bundle_publish_readiness",
        "tokportal_import_bundle_videos_csv",
        "tokportal_upload_image_from_url",
        "tokportal_list_analytics_account_raw_snapshots",
        "tokportal_test_webhook_endpoint",
    } < tools.keys()


async def test_hints_say_what_reads_what_replaces_and_what_may_be_repeated(
    server: str, world: World
) -> None:
    tools = await listed(server, world)
    hints = {}
    for name, tool in tools.items():
        assert tool.annotations is not None
        hints[name.removeprefix("tokportal_")] = (
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
        )
    assert hints["list_bundles"] == (True, False, True)
    assert hints["create_bundle"] == (False, False, False)
    assert hints["configure_bundle_video"] == (False, True, True)
    assert hints["update_webhook_endpoint"] == (False, True, True)
    assert hints["delete_comment_task"] == (False, True, True)
    assert hints["reset_bundle_video"] == (False, True, False)
    assert sum(bool(reads) for reads, _, _ in hints.values()) == sum(
        operation.method == "GET" for operation in reference_operations()
    )


def test_every_post_that_is_called_destructive_is_an_operation() -> None:
    posts = {op.operation_id for op in all_operations() if op.method == "POST"}
    assert posts >= DESTRUCTIVE_POSTS


async def test_every_write_and_no_read_takes_a_dry_run_and_an_idempotency_key(
    server: str, world: World
) -> None:
    for tool in (await listed(server, world)).values():
        assert tool.annotations is not None
        properties = tool.input_schema["properties"]
        writes = not tool.annotations.read_only_hint
        assert ("dry_run" in properties, "idempotency_key" in properties) == (writes, writes)
        if writes:
            assert properties["dry_run"]["type"] == "boolean"
        assert not [name for name in properties if name != name.lower() and "-" in name]
        assert tool.input_schema["additionalProperties"] is False


async def test_a_form_takes_its_file_as_an_address_as_text_or_in_base64(
    server: str, world: World
) -> None:
    properties = (await listed(server, world))["tokportal_upload_image_direct"].input_schema[
        "properties"
    ]
    assert {"file_url", "file_text", "file_base64", "file_name", "bundle_id"} < properties.keys()
    # A path would name a file of the server's machine.
    assert {"file", "file_path"}.isdisjoint(properties)
