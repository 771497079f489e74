"""``GET /me``."""

from __future__ import annotations

from tests.cast import CREDITS, World
from tests.client import Client


async def test_says_who_calls_for_which_workspace_with_which_key(
    alice: Client, world: World
) -> None:
    me = (await alice.get("/me")).data

    assert me["email"] == "alice@example.com"
    assert me["workspace"]["id"] == str(world.acme)
    assert me["workspace"]["rehearsal"] is False
    assert me["clock"]["virtual"] is False
    assert me["credits"] == CREDITS
    assert me["api_key"]["name"] == "Alice's key"
