"""What an operator's command refuses, and that nothing is left of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from tests.cast import World
from tokportal_server.cli import key_administration
from tokportal_server.cli.administration import COMMAND_LINE, AdministrationError
from tokportal_server.cli.key_administration import Edit
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.rehearsal.open_workspace import open_workspace
from tokportal_server.workbench.acting import act as acting
from tokportal_server.workbench.operations.add_person import Newcomer, add_person
from tokportal_server.workbench.operations.grant_credits import grant_credits

NOWHERE = UUID("00000000-0000-0000-0000-00000000dead")
COUNTS = """
SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM workspaces),
       (SELECT string_agg(k::text, ' ' ORDER BY k.id) FROM api_keys k),
       (SELECT count(*) FROM credit_entries)
"""
Act = Callable[[Connection, World], Awaitable[Any]]


def _person(email: str = "x@example.com", **more: Any) -> Act:
    newcomer = Newcomer(email=email, name="X", **more)
    return lambda conn, _: add_person(conn=conn, actor=COMMAND_LINE, newcomer=newcomer)


def _grant(workspace: UUID | None = None, amount: int = 5, days: int | None = None) -> Act:
    return lambda conn, world: acting(
        conn,
        workspace or world.acme,
        lambda tx: grant_credits(
            tx=tx, actor=COMMAND_LINE, amount=amount, reason="X", expires_in_days=days
        ),
    )


def _key(
    workspace: UUID | None = None, owner: str = "alice@example.com", days: int | None = None
) -> Act:
    return lambda conn, world: key_administration.create_key(
        conn,
        workspace_id=workspace or world.acme,
        owner=owner,
        name="X",
        scope="*",
        environment="test",
        expires_in_days=days,
    )


def _edit(**changes: Any) -> Act:
    return lambda conn, world: key_administration.edit_key(
        conn, workspace_id=world.acme, key_id=world.alice_key_id, edit=Edit(**changes)
    )


def _workspace(owner: str, *, rehearsal: bool) -> Act:
    return lambda conn, _: open_workspace(
        conn=conn, actor=COMMAND_LINE, name="X", owner=owner, rehearsal=rehearsal, plan="full"
    )


async def _list_nowhere(conn: Connection, _: World) -> None:
    await key_administration.list_keys(conn, workspace_id=NOWHERE)


async def _edit_anothers(conn: Connection, world: World) -> None:
    await key_administration.edit_key(
        conn, workspace_id=world.other, key_id=world.alice_key_id, edit=Edit(name="Mine")
    )


async def _revoke_anothers(conn: Connection, world: World) -> None:
    await key_administration.revoke_key(conn, workspace_id=world.other, key_id=world.alice_key_id)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (_workspace("nobody@example.com", rehearsal=False), "Nobody has the address nobody@"),
        (_workspace("nobody@example.com", rehearsal=True), "Nobody has the address nobody@"),
        (_person("ALICE@example.com"), "email: belongs to somebody already; got 'ALICE@"),
        (_person("alice@example.com", countries=["FR"]), "email: belongs to somebody already"),
        (_person("nobody"), "email: must be an e-mail address"),
        (
            _person(countries=["FR", "Atlantis"]),
            "is not a country that the server knows; got 'Atlantis'",
        ),
        (
            _person(countries=["FR"], platforms=["orkut"]),
            "there are tiktok, instagram; got 'orkut'",
        ),
        (_key(NOWHERE), f"There is no workspace {NOWHERE}"),
        (_key(owner="nobody@example.com"), "Nobody has the address nobody@"),
        (_key(days=0), "would expire in 0 days"),
        (_revoke_anothers, "has no live key"),
        (_list_nowhere, f"There is no workspace {NOWHERE}"),
        (_edit_anothers, "has no live key"),
        (_edit(), "Nothing to change"),
        (_edit(name=" "), "The name has 0 characters"),
        (_edit(name="x" * 201), "The name has 201 characters"),
        (_edit(expires_in_days=0), "would expire in 0 days"),
        (_edit(expires_in_days=3, never_expires=True), "--expires-in-days or --never-expires"),
        (_edit(bucket_capacity=0), "--bucket-capacity is 0"),
        (_edit(bucket_refill=float("nan")), "--bucket-refill is nan"),
        (_edit(bucket_capacity=5, default_bucket=True), "--bucket-capacity or --default-bucket"),
        (_grant(NOWHERE), f"There is no workspace {NOWHERE}"),
        (_grant(amount=0), "amount: must be 1 to 10000000 credits; got 0"),
        (_grant(amount=99_999_999_999), "credits; got 99999999999"),
        (_grant(days=0), "expires_in_days: must be 1 to 36500 days"),
        (_grant(days=9_999_999), "expires_in_days: must be 1 to 36500"),
    ],
)
async def test_refuses_and_leaves_nothing_behind(
    conn: Connection, world: World, act: Act, said: str
) -> None:
    before = await conn.fetchrow(COUNTS)
    with pytest.raises((AdministrationError, ApiError)) as refusal:
        await act(conn, world)
    assert said in str(refusal.value)
    assert await conn.fetchrow(COUNTS) == before


async def test_a_grant_in_a_rehearsal_expires_by_the_rehearsals_clock(
    conn: Connection, world: World
) -> None:
    workspace = await _workspace("alice@example.com", rehearsal=True)(conn, world)
    await conn.execute(
        "UPDATE workspaces SET clock_offset = interval '100 days' WHERE id = $1", workspace
    )
    assert await _grant(workspace, 5, 10)(conn, world) == 5
    ahead = await conn.fetchval(
        "SELECT expires_at - now() BETWEEN interval '109 days' AND interval '110 days'"
        "  FROM credit_lots WHERE workspace_id = $1",
        workspace,
    )
    assert ahead is True
