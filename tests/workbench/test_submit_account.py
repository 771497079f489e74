from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, published
from tests.workbench.desk import CREDENTIALS, Desk
from tokportal_server.accounts.sealing import credentials_context
from tokportal_server.accounts.wire import Credentials
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.errors import AccountStatusError
from tokportal_server.workbench.errors import ClaimNotYoursError

ASK = {"comment": "Another picture.", "fields": {"profile_picture": "With the logo."}}
PLANTED = Credentials(
    password="planted-secret-1",
    email="planted-secret-2@mail.example",
    email_password="planted-secret-3",
    recovery_codes=["planted-secret-4"],
)


async def test_the_profile_goes_to_review_for_72_hours_and_the_account_is_there(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    account_id = await mona.set_up(bundle_id)
    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert (profile["status"], profile["deviations"]) == ("in_review", [])
    assert profile["saved_account_id"] == str(account_id)
    assert profile["profile_url"] == "https://www.tiktok.com/@acme.daily"
    row = await conn.fetchrow("SELECT submitted_at, review_deadline_at FROM profiles")
    assert row is not None
    assert row["review_deadline_at"] - row["submitted_at"] == timedelta(hours=72)
    account = (await alice.get(f"/accounts/{account_id}")).data
    assert (account["username"], account["delivered_at"]) == ("acme.daily", None)
    assert account["manager"] == {"id": str(world.mona), "display_name": "Mona"}
    [event] = await events_of(conn, world, "account.in_review")
    assert event["data"]["saved_account_id"] == str(account_id)
    assert event["data"]["previous_status"] == "published"
    # Now it is with the customer: the manager has nothing to be late with.
    assert await conn.fetchval("SELECT due_at FROM claims") is None


async def test_another_name_than_the_wanted_one_is_told_as_a_deviation(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    account_id = await mona.set_up(
        bundle_id,
        username="acme.daily2",
        visible_name="Acme 2",
        profile_url="https://www.tiktok.com/@acme.daily2",
    )
    wanted = [
        {"field": "username", "wanted": "acme.daily", "actual": "acme.daily2"},
        {"field": "visible_name", "wanted": "Acme", "actual": "Acme 2"},
    ]
    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert (profile["username"], profile["deviations"]) == ("acme.daily", wanted)
    assert (await alice.get(f"/accounts/{account_id}")).data["username"] == "acme.daily2"
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    reviewed, finalized = await events_of(conn, world, "account.in_review", "account.finalized")
    assert reviewed["data"]["deviations"] == wanted
    assert reviewed["data"]["username"] == finalized["data"]["username"] == "acme.daily2"


async def test_a_resubmission_settles_the_corrections_and_starts_the_review_anew(
    alice: Client, mona: Desk, conn: Connection, ports_vault: Any
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    account_id = await mona.set_up(bundle_id)
    asked = await alice.post(f"/bundles/{bundle_id}/account/corrections", ASK)
    assert asked.data["status"] == "pending_corrections"
    claim = await conn.fetchrow("SELECT due_at, claimed_at FROM claims")
    assert claim is not None
    requested = await conn.fetchval("SELECT requested_at FROM corrections")
    assert claim["due_at"] - requested == timedelta(hours=72)

    mona.hours = 10
    again = await mona.set_up(bundle_id, username="acme.daily2", credentials=None)
    assert again == account_id
    profile = (await alice.get(f"/bundles/{bundle_id}/account")).data
    assert profile["status"] == "in_review"
    [round_one] = profile["corrections"]
    assert (round_one["comment"], round_one["fields"]) == (ASK["comment"], ASK["fields"])
    assert round_one["resolved_at"] == profile["submitted_at"]
    row = await conn.fetchrow("SELECT submitted_at, review_deadline_at FROM profiles")
    assert row is not None
    assert row["review_deadline_at"] - row["submitted_at"] == timedelta(hours=72)
    assert (await alice.get(f"/accounts/{account_id}")).data["username"] == "acme.daily2"
    # The credentials that were not handed in again are still those of the first time.
    item = await conn.fetchrow("SELECT * FROM vault_items")
    assert item is not None
    opened = ports_vault.open(
        item["sealed"], context=credentials_context(item["workspace_id"], account_id)
    )
    assert msgspec.json.decode(opened, type=Credentials) == CREDENTIALS


@pytest.fixture
def ports_vault(mona: Desk) -> Any:
    """The vault that the account was sealed with."""
    return mona.ports.vault


def files_with(text: bytes, folder: Path) -> list[Path]:
    """Give the files below a folder that hold a text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text in path.read_bytes()]


async def test_credentials_are_nowhere_but_sealed(
    alice: Client, mona: Desk, conn: Connection, settings: Settings
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    account_id = await mona.set_up(bundle_id, credentials=PLANTED)
    tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) > 20
    for table in tables:
        for row in await conn.fetch(f'SELECT t::text AS text FROM "{table["tablename"]}" t'):
            for form in (b"planted-secret", b"planted-secret".hex().encode()):
                assert form not in row["text"].encode(), table["tablename"]
    shown = await alice.get(f"/accounts/{account_id}")
    assert b"planted" not in shown.body
    assert b"planted" not in (await alice.get(f"/bundles/{bundle_id}/account")).body
    assert files_with(b"planted-secret", settings.home) == []


async def test_only_the_holder_of_the_claim_may_hand_in(
    alice: Client, mona: Desk, nora: Desk, conn: Connection
) -> None:
    bundle_id = await published(alice, videos=0)
    with pytest.raises(ClaimNotYoursError):
        await nora.set_up(bundle_id)
    await mona.claim(bundle_id)
    with pytest.raises(ClaimNotYoursError):
        await nora.set_up(bundle_id)
    assert await conn.fetchval("SELECT count(*) FROM saved_accounts") == 0


async def test_nothing_is_handed_in_twice(alice: Client, mona: Desk) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    await mona.set_up(bundle_id)
    with pytest.raises(AccountStatusError):
        await mona.set_up(bundle_id)


async def test_what_cannot_be_an_account_is_refused_with_every_field_named(
    alice: Client, mona: Desk, conn: Connection
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    with pytest.raises(ValidationError) as refused:
        await mona.set_up(
            bundle_id,
            username="not a name",
            visible_name="x" * 101,
            profile_url="javascript:alert(1)",
            credentials=None,
        )
    assert refused.value.details is not None
    assert [problem["field"] for problem in refused.value.details["errors"]] == [
        "username",
        "visible_name",
        "profile_url",
        "credentials",
    ]
    for url in (
        "https://www.instagram.com/acme.daily/",
        "http://www.tiktok.com/@acme.daily",
        "https://www.tiktok.com.evil.example/@acme.daily",
        "https://www.tiktok.com/@acme.daily/video/7300000000000000000",
    ):
        with pytest.raises(ValidationError, match="profile_url"):
            await mona.set_up(bundle_id, profile_url=url)
    assert await conn.fetchval("SELECT count(*) FROM saved_accounts") == 0
