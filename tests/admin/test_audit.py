"""The audit log: found, exported, never changed; and every act that it must have."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import asyncpg
import pytest

from tests.cast import World
from tests.cli.command import Command
from tests.client import Client
from tests.comments.steps import delivered
from tests.orders.walk import ordered, published
from tests.pages.guest import Guest
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.pages.texts import TEXTS
from tokportal_server.workspaces.audit import write_audit

ENTRIES = """
SELECT action, actor_kind, actor_id, address, reason FROM audit
 WHERE action NOT IN ('audit.export') ORDER BY ordinal
"""


async def note(conn: Connection, world: World, action: str, reason: str = "X") -> None:
    """Write an entry of Olga's about Alice."""
    await write_audit(
        conn,
        workspace_id=world.acme,
        action=action,
        subject=("person", world.alice),
        actor=Actor("operator", world.olga, "10.0.0.7"),
        reason=reason,
        details={"amount": 5},
    )


async def test_is_filtered_by_what_who_which_and_when(
    conn: Connection, world: World, olga: Guest
) -> None:
    await note(conn, world, "credits.grant")
    await note(conn, world, "bundle.cancel", "<img src=x>")
    every = await olga.get("/admin/audit")
    assert every.html.count('scope="row"') == 2
    assert "&lt;img src=x&gt;" in every.html
    assert "10.0.0.7" in every.text
    for query, count in (
        ("action=credits.grant", 1),
        ("who=OLGA@example.com", 2),
        ("who=Olga", 2),
        ("who=Mona", 0),
        (f"which={world.alice}", 2),
        (f"which={world.acme}", 2),
        (f"which={world.other}", 0),
        ("which=nonsense", 0),
        ("from=2000-01-01&to=2100-01-01", 2),
        ("to=2000-01-01", 0),
        ("from=nonsense", 2),
        ("before=1", 0),
        ("to=9999-12-31", 2),
    ):
        page = await olga.get(f"/admin/audit?{query}")
        assert page.status == 200, query
        assert page.html.count('scope="row"') == count, query


async def test_one_entry_is_shown_whole(conn: Connection, world: World, olga: Guest) -> None:
    await note(conn, world, "credits.grant", "Invoice")
    ordinal = await conn.fetchval("SELECT ordinal FROM audit")
    page = (await olga.get(f"/admin/audit/{ordinal}")).text
    for told in ("Olga (olga@example.com) operator", "10.0.0.7", "Invoice", "amount 5", "Acme"):
        assert told in page
    for odd in ("0", "x", "9" * 40, "-1"):
        assert (await olga.get(f"/admin/audit/{odd}")).code == "PAGE_NOT_FOUND"


async def test_a_long_log_is_read_page_by_page_and_exported_whole(
    conn: Connection, world: World, olga: Guest
) -> None:
    async with conn.transaction():
        for number in range(1203):
            await note(conn, world, "credits.grant", f"=cmd{number}")
    first = await olga.get("/admin/audit?action=credits.grant")
    older = first.html.split("before=")[1].split('"')[0]
    second = await olga.get(f"/admin/audit?action=credits.grant&before={older}")
    assert "=cmd1202" in first.text
    assert "=cmd1152" in second.text
    sent = await olga.get("/admin/audit/export?action=credits.grant&who=Olga")
    assert sent.headers["content-type"].startswith("text/csv")
    assert "attachment" in sent.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(sent.html)))
    assert len(rows) == 1203
    # A spreadsheet shows it, and does not run it.
    assert rows[0]["reason"] == "'=cmd1202"
    assert rows[0]["actor_email"] == "olga@example.com"
    assert rows[0]["details"] == '{"amount":5}'
    noted = await conn.fetchrow("SELECT action, details FROM audit ORDER BY ordinal DESC LIMIT 1")
    assert noted is not None
    assert noted["action"] == "audit.export"
    assert noted["details"] == {"action": "credits.grant", "who": "Olga"}


async def test_no_entry_is_changed_or_deleted_by_anybody(conn: Connection, world: World) -> None:
    await note(conn, world, "credits.grant")
    for statement in ("UPDATE audit SET reason = 'Y'", "DELETE FROM audit"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute(statement)


# Acts of operators at the pages: address, form, what the log says of it.
async def _bundle(alice: Client, conn: Connection, world: World) -> str:  # noqa: ARG001 - as others
    return await ordered(alice, videos=2)


async def _account(alice: Client, conn: Connection, world: World) -> str:  # noqa: ARG001 - as others
    return await delivered(conn, world)


async def _workspace(alice: Client, conn: Connection, world: World) -> str:  # noqa: ARG001
    return str(world.acme)


async def _mona(alice: Client, conn: Connection, world: World) -> str:  # noqa: ARG001
    return str(world.mona)


async def _key(alice: Client, conn: Connection, world: World) -> str:  # noqa: ARG001
    return f"{world.acme}/keys/{world.alice_key_id}"


async def _nothing(alice: Client, conn: Connection, world: World) -> str:  # noqa: ARG001
    return ""


Subject = Callable[[Client, Connection, World], Awaitable[str]]
WHY = {"reason": "Because", "step": "do"}
ACTS: list[tuple[Subject, str, Mapping[str, str], str]] = [
    (_bundle, "/admin/orders/{}/cancel", WHY, "bundle.cancel"),
    (_bundle, "/admin/orders/{}/slot", {**WHY, "position": "1"}, "slot.cancel"),
    (_bundle, "/admin/orders/{}/reverse", WHY, "bundle.reverse_charges"),
    (_account, "/admin/accounts/{}/ban", WHY, "account.ban"),
    (
        _account,
        "/admin/accounts/{}/consent",
        {"owner_name": "A", "scope": "B"},
        "account.record_consent",
    ),
    (_account, "/admin/accounts/{}/consent/revoke", WHY, "account.revoke_consent"),
    (_workspace, "/admin/workspaces/{}/plan", {**WHY, "plan": "full"}, "workspace.plan"),
    (_workspace, "/admin/workspaces/{}/credits/grant", {**WHY, "amount": "1"}, "credits.grant"),
    (_workspace, "/admin/workspaces/{}/credits/adjust", {**WHY, "amount": "1"}, "credits.adjust"),
    (
        _workspace,
        "/admin/workspaces/{}/credits/low-mark",
        {"credits_below": "1"},
        "credits.low_mark",
    ),
    (_key, "/admin/workspaces/{}", {"bucket_capacity": "5"}, "api_key.edit"),
    (
        _nothing,
        "/admin/workspaces",
        {"name": "N", "owner": "alice@example.com", "plan": "full"},
        "workspace.create",
    ),
    (
        _nothing,
        "/admin/people",
        {"kind": "customer", "email": "n@example.com", "name": "N"},
        "person.create person.invitation",
    ),
    (_mona, "/admin/people/{}/manager", {"countries.FR": "true"}, "manager.set"),
    (_mona, "/admin/people/{}/deactivate", WHY, "manager.deactivate"),
    (_mona, "/admin/people/{}/operator", {**WHY, "operator": "true"}, "person.operator"),
    (_mona, "/admin/people/{}/reset", {}, "person.invitation"),
    (_mona, "/admin/people/{}/sessions/end", {}, "person.end_sessions"),
    (_nothing, "/admin/prices", {**WHY, "name": "video_slot", "amount": "3"}, "price.set"),
    (_nothing, "/admin/places/countries/FR", WHY, "country.set"),
    (_nothing, "/admin/places/platforms/tiktok", WHY, "platform.set"),
    (_nothing, "/admin/switches/pause", {**WHY, "scope": "all"}, "publishing.pause"),
]


async def test_every_act_at_the_pages_is_in_the_log_with_who_and_from_where(
    alice: Client, conn: Connection, world: World, olga: Guest
) -> None:
    seen = 0
    for subject, where, form, action in ACTS:
        told = where.format(await subject(alice, conn, world))
        # What the last act stopped goes on, so that orders can be made again.
        answer = await olga.post(told, form)
        assert answer.status in {200, 303}, (told, answer.text)
        rows = (await conn.fetch(ENTRIES))[seen:]
        assert " ".join(row["action"] for row in rows) == action
        for row in rows:
            assert (row["actor_kind"], row["actor_id"]) == ("operator", world.olga)
            assert row["address"] == "127.0.0.1"
            if row["action"] != "person.invitation" and "reason" in form:
                assert row["reason"] == "Because", action
        seen += len(rows)
    assert seen > len(ACTS)


COMMANDS: list[tuple[tuple[str, ...], str]] = [
    (("person", "create", "x@example.com", "X"), "person.create"),
    (("person", "invite", "y@example.com", "Y"), "person.create person.invitation"),
    (("person", "reset-password", "alice@example.com"), "person.password_reset"),
    (("workspace", "create", "W", "--owner", "alice@example.com"), "workspace.create"),
    (("credits", "grant", "{acme}", "5", "--reason", "R"), "credits.grant"),
    (("credits", "adjust", "{acme}", "5", "--reason", "R"), "credits.adjust"),
    (("credits", "warn-below", "{acme}", "5"), "credits.low_mark"),
    (("key", "create", "{acme}", "--owner", "alice@example.com"), "api_key.create"),
    (("key", "edit", "{acme}", "{key}", "--name", "N"), "api_key.edit"),
    (("key", "revoke", "{acme}", "{key}"), "api_key.revoke"),
    (("bundle", "cancel", "{bundle}", "--reason", "R"), "bundle.cancel"),
    (("bundle", "archive", "{bundle}", "--reason", "R"), "bundle.archive"),
    (
        ("account", "consent", "{account}", "--owner", "A", "--scope", "S", "--reason", "R"),
        "account.record_consent",
    ),
    (("account", "revoke-consent", "{account}", "--reason", "R"), "account.revoke_consent"),
    (("account", "ban", "{account}", "--reason", "R"), "account.ban"),
    (("price", "set", "video_slot", "3", "--reason", "R"), "price.set"),
    (("pause", "--all", "--reason", "R"), "publishing.pause"),
    (("resume", "--all", "--reason", "R"), "publishing.resume"),
    (("manager", "deactivate", "mona@example.com", "--reason", "R"), "manager.deactivate"),
    (("vault", "rotate"), "vault.rotate"),
]


@pytest.mark.proof
async def test_every_act_of_the_command_line_is_in_the_log(
    alice: Client, conn: Connection, world: World, dsn: str, home: object
) -> None:
    command = Command(dsn, home)  # type: ignore[arg-type]
    known = {
        "acme": str(world.acme),
        "key": str(world.alice_key_id),
        "bundle": await ordered(alice, videos=0),
        "account": await delivered(conn, world),
    }
    seen = 0
    for words, action in COMMANDS:
        done = await command(*(word.format(**known) for word in words))
        assert done.code == 0, (words, done.err)
        rows = (await conn.fetch(ENTRIES))[seen:]
        assert " ".join(row["action"] for row in rows) == action, words
        assert {(row["actor_kind"], row["address"]) for row in rows} == {
            ("operator", "command line")
        }
        seen += len(rows)


async def test_secrets_shown_to_programs_are_in_the_log_with_their_address(
    alice: Client, conn: Connection, world: World
) -> None:
    assert (
        await alice.post(
            "/webhooks", {"url": "https://hooks.example.com/in", "events": ["bundle.published"]}
        )
    ).status == 201
    await published(alice, videos=0)
    rows = await conn.fetch(ENTRIES)
    assert [row["actor_id"] for row in rows] == [world.alice_key_id]
    assert rows[0]["action"].startswith("webhook")
    assert rows[0]["address"] == "127.0.0.1"


def test_everything_that_the_log_is_about_has_a_name() -> None:
    package = Path(write_audit.__code__.co_filename).parents[1]
    named = re.compile(r'subject=\("(\w+)"')
    kinds = {kind for path in package.rglob("*.py") for kind in named.findall(path.read_text())}
    assert len(kinds) > 10
    assert {f"subject.{kind}" for kind in kinds} - TEXTS.keys() == set()
