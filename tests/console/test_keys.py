from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.test_orders import console
from tests.pages.guest import Guest, Seen
from tokportal_server.lib.db import Connection

ACTS = "SELECT action, actor_id FROM audit WHERE action LIKE 'api_key.%' AND actor_kind <> 'system'"
KEY = "SELECT id, scope, environment, expires_at, revoked_at FROM api_keys WHERE name = $1"


def key_of(seen: Seen) -> str:
    """Give the key that a page shows once."""
    found = re.search(r'data-copy="(sk_[0-9a-f]{64})"', seen.html)
    assert found, seen.text
    return found.group(1)


def seen_of(shown: Seen) -> dict[str, str]:
    """Give the version that a form was made from."""
    found = re.search(r'name="seen" value="([^"]+)"', shown.html)
    assert found, shown.text
    return {"seen": found.group(1)}


async def test_a_key_is_made_shown_once_used_changed_and_revoked(
    customer: Guest, alice: Client, conn: Connection, world: World
) -> None:
    there = console(world, "keys")
    form = {"name": "Importer", "scope": "read", "environment": "test", "expires_in_days": "30"}
    made = await customer.post(there, form)
    assert made.status == 201
    raw = key_of(made)
    listed = await customer.get(there)
    assert "Importer" in listed.text
    assert raw not in listed.html
    row = await conn.fetchrow(KEY, "Importer")
    assert row
    assert (row["scope"], row["environment"]) == ("read", "test")
    async with Client(alice.address, raw) as importer:
        assert (await importer.get("/me")).status == 200
        assert (await importer.post("/bundles", {})).status == 403
        one = f"{there}/{row['id']}"
        shown = await customer.get(one)
        assert "Importer" in shown.text
        edit = {"name": "Exporter", "scope": "*", "environment": "production"} | seen_of(shown)
        assert "done=key_edited" in (await customer.post(one, edit)).to
        edited = await conn.fetchrow(KEY, "Exporter")
        assert edited
        # Days left empty keep the expiry that there was.
        assert edited["expires_at"] == row["expires_at"]
        # What it says now is what the form says: sending it again takes nothing back.
        await customer.post(one, {**edit, "never_expires": "true"})
        forever = await conn.fetchrow(KEY, "Exporter")
        assert forever
        assert forever["expires_at"] is None
        assert "done=key_revoked" in (await customer.post(f"{one}/revoke")).to
        assert (await importer.get("/me")).code == "AUTH_REVOKED_KEY"
    assert (await customer.get(one)).status == 404
    assert (await customer.post(f"{one}/revoke")).status == 404
    assert (await customer.post(one, edit)).status == 404
    acts = await conn.fetch(ACTS)
    wanted = ["api_key.create", "api_key.edit", "api_key.edit", "api_key.revoke"]
    assert [row["action"] for row in acts] == wanted
    assert {row["actor_id"] for row in acts} == {world.alice}


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "scope": "all"}, "scope"),
        ({"name": "x", "environment": "home"}, "environment"),
        ({"name": "x", "expires_in_days": "0"}, "expires_in_days"),
        ({"name": "x", "expires_in_days": "soon"}, "expires_in_days"),
    ],
)
async def test_refuses_a_form_beside_its_field(
    customer: Guest, conn: Connection, world: World, form: dict[str, Any], field: str
) -> None:
    before = await conn.fetchval("SELECT count(*) FROM api_keys")
    sent = {"scope": "*", "environment": "test", "expires_in_days": "", **form}
    refused = await customer.post(console(world, "keys"), sent)
    assert refused.status == 400
    assert f'id="create-{field}-wrong"' in refused.html
    assert await conn.fetchval("SELECT count(*) FROM api_keys") == before


async def test_a_viewer_sees_the_keys_without_forms_and_a_stranger_none(
    viewer: Guest, stranger: Guest, world: World
) -> None:
    seen = await viewer.get(console(world, "keys"))
    assert "key" in seen.text
    assert 'method="post" action="/console' not in seen.html
    assert (await viewer.get(console(world, "keys", world.alice_key_id))).code == "PAGE_FORBIDDEN"
    assert (await stranger.get(console(world, "keys"))).status == 404
    revoke = console(world, "keys", world.alice_key_id, "revoke")
    assert (await viewer.post(revoke)).code == "PAGE_FORBIDDEN"
    assert (await stranger.post(revoke)).code == "PAGE_NOT_FOUND"


async def test_another_workspaces_key_is_no_key_here(
    stranger: Guest, conn: Connection, world: World
) -> None:
    for key in (world.alice_key_id, uuid4(), "x"):
        there = f"/console/{world.other}/keys/{key}"
        assert (await stranger.get(there)).status == 404
        assert (await stranger.post(f"{there}/revoke")).status == 404
    revoked = "SELECT revoked_at FROM api_keys WHERE id = $1"
    assert await conn.fetchval(revoked, world.alice_key_id) is None


async def test_two_who_change_one_key_do_not_overwrite_each_other(
    customer: Guest, conn: Connection, world: World
) -> None:
    one = console(world, "keys", world.alice_key_id)
    seen = seen_of(await customer.get(one))
    await conn.execute("UPDATE api_keys SET name = 'Theirs' WHERE id = $1", world.alice_key_id)
    edit = {"name": "Mine", "scope": "*", "environment": "production"}
    refused = await customer.post(one, {**edit, **seen})
    assert refused.status == 409
    assert "Theirs" in refused.text
    assert 'value="Mine"' in refused.html
    # Sent once more, it is a decision.
    assert (await customer.post(one, {**edit, **seen_of(refused)})).status == 303
