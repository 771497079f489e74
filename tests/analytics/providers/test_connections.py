"""Connecting accounts: consent, tokens at rest, and their renewal."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from tests.analytics.collecting import an_account
from tests.analytics.providers.conftest import Connect
from tests.analytics.providers.platforms import FakeInstagram, FakeTikTok, times
from tests.cast import World
from tokportal_server.analytics.connections import connection_context, find_connection
from tokportal_server.analytics.observations import ProviderFailedError
from tokportal_server.analytics.operations.connect_account import (
    Connected,
    PlatformRefusedError,
    SignInLostError,
    SignInUnavailableError,
    WrongAccountError,
    begin_sign_in,
    disconnect_account,
    finish_sign_in,
)
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.cli.vault_administration import rotate
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import Vault, VaultError, key_id
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.lib.vault_keys import load_keys
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.orders.locks import Row

BACK = "https://tokportal.example/console/connected/tiktok"
AUDIT = "SELECT action FROM audit WHERE subject_id = $1 ORDER BY ordinal"
SIGN_INS = "SELECT count(*) FROM analytics_sign_ins"
LATE = "UPDATE analytics_sign_ins SET expires_at = now() - interval '1 s'"
DUE = "SELECT due_at FROM analytics_refreshes WHERE saved_account_id = $1"


async def begun(
    conn: Connection, world: World, providers: Providers, account: UUID
) -> tuple[str, dict[str, list[str]]]:
    """Begin a sign-in of Alice's; give the page of consent and what is asked there."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        url = await begin_sign_in(
            tx=tx,
            person_id=world.alice,
            account_id=account,
            providers=providers,
            redirect_uri=BACK,
        )
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", parse_qs(parts.query)


async def finished(
    ports: Ports,
    providers: Providers,
    world: World,
    state: str,
    *,
    code: str | None = "code.1",
    person: UUID | None = None,
) -> Connected:
    return await finish_sign_in(
        ports,
        providers,
        actor=Actor("customer", person or world.alice),
        state=state,
        code=code,
        told="access_denied",
        redirect_uri=BACK,
    )


async def row_of(conn: Connection, world: World, account: UUID) -> Row:
    return existing(await find_connection(conn, world.acme, account))


async def test_connects_a_tiktok_account_that_consents(
    conn: Connection, world: World, ports: Ports, providers: Providers
) -> None:
    account = await an_account(conn, world.acme)
    page, asked = await begun(conn, world, providers, account)
    assert page == "https://www.tiktok.com/v2/auth/authorize/"
    [state] = asked.pop("state")
    assert asked == {
        "client_key": ["key"],
        "response_type": ["code"],
        "scope": ["user.info.basic,user.info.profile,user.info.stats,video.list"],
        "redirect_uri": [BACK],
    }
    done = await finished(ports, providers, world, state)
    assert (done.account_id, done.username) == (account, "acme.daily")
    row = await row_of(conn, world, account)
    assert (row["provider"], row["platform_user_id"]) == ("tiktok_api", "u-1")
    assert row["expires_at"] > real_now() + timedelta(hours=23)
    assert [r["action"] for r in await conn.fetch(AUDIT, account)] == ["analytics.connect"]
    # Its first numbers are due at once.
    assert await conn.fetchval(DUE, account) <= real_now()
    access = await providers.connections.access("tiktok_api", world.acme, account)
    assert (access.token, "video.list" in access.scopes) == ("act.r1", True)


async def test_connects_an_instagram_account_for_sixty_days(
    conn: Connection, world: World, ports: Ports, providers: Providers, instagram: FakeInstagram
) -> None:
    account = await an_account(conn, world.acme, platform="instagram")
    page, asked = await begun(conn, world, providers, account)
    assert page == "https://www.instagram.com/oauth/authorize"
    assert asked["client_id"] == ["app"]
    # Browsers may send along what Instagram appends.
    await finished(ports, providers, world, asked["state"][0], code="code.1#_")
    row = await row_of(conn, world, account)
    assert row["expires_at"] > real_now() + timedelta(days=59)
    assert set(row["scopes"]) == set(instagram.permissions.split(","))
    access = await providers.connections.access("instagram_api", world.acme, account)
    assert access.token == "IGAA.r1"


async def test_no_token_lies_in_the_database_in_the_open(
    conn: Connection, world: World, ports: Ports, connect: Connect
) -> None:
    account = await connect(token="act.very-secret")
    row = await row_of(conn, world, account)
    assert b"very-secret" not in row["sealed"]
    other = await connect(username="acme.other")
    move = "UPDATE analytics_connections SET sealed = $2 WHERE saved_account_id = $1"
    await conn.execute(move, other, row["sealed"])
    with pytest.raises(VaultError):
        await Providers.of(ports).connections.access("tiktok_api", world.acme, other)


async def test_tokens_come_along_when_the_vault_key_changes(
    conn: Connection, world: World, settings: Settings, connect: Connect
) -> None:
    account = await connect(token="act.kept")
    keys = [os.urandom(32), *load_keys(None, None, settings.home)]
    rotated = Vault({key_id(key): key for key in keys}, key_id(keys[0]))
    assert await rotate(conn, rotated) == 1
    sealed = (await row_of(conn, world, account))["sealed"]
    assert Vault.key_id_of(sealed) == key_id(keys[0])
    opened = rotated.open(sealed, context=connection_context(world.acme, account))
    assert b"act.kept" in opened


async def test_tokens_of_another_account_are_not_kept(
    conn: Connection, world: World, ports: Ports, providers: Providers, tiktok: FakeTikTok
) -> None:
    account = await an_account(conn, world.acme)
    _, asked = await begun(conn, world, providers, account)
    tiktok.username = "somebody.else"
    with pytest.raises(WrongAccountError) as caught:
        await finished(ports, providers, world, asked["state"][0])
    assert "You signed in as somebody.else, but this account is acme.daily" in caught.value.message
    assert await find_connection(conn, world.acme, account) is None


async def test_tokens_that_do_not_tell_whose_they_are_are_not_kept(
    conn: Connection, world: World, ports: Ports, providers: Providers, tiktok: FakeTikTok
) -> None:
    account = await an_account(conn, world.acme)
    _, asked = await begun(conn, world, providers, account)
    tiktok.scopes = "user.info.basic,video.list"
    with pytest.raises(PlatformRefusedError):
        await finished(ports, providers, world, asked["state"][0])
    assert await find_connection(conn, world.acme, account) is None


async def test_a_sign_in_works_once_for_the_person_who_began_it_and_in_time(
    conn: Connection, world: World, ports: Ports, providers: Providers, tiktok: FakeTikTok
) -> None:
    account = await an_account(conn, world.acme)
    _, asked = await begun(conn, world, providers, account)
    state = asked["state"][0]
    for wrong in ("", "x.y", f"{world.other.hex}.{state.partition('.')[2]}", f"{state}0"):
        with pytest.raises(SignInLostError):
            await finished(ports, providers, world, wrong)
    with pytest.raises(SignInLostError):
        await finished(ports, providers, world, state, person=world.olga)
    await finished(ports, providers, world, state)
    with pytest.raises(SignInLostError):
        await finished(ports, providers, world, state)
    _, asked = await begun(conn, world, providers, account)
    await conn.execute(LATE)
    with pytest.raises(SignInLostError):
        await finished(ports, providers, world, asked["state"][0])
    assert tiktok.renewals == 1


async def test_a_refusal_at_the_platform_connects_nothing(
    conn: Connection, world: World, ports: Ports, providers: Providers, tiktok: FakeTikTok
) -> None:
    account = await an_account(conn, world.acme)
    _, asked = await begun(conn, world, providers, account)
    with pytest.raises(PlatformRefusedError, match="access_denied"):
        await finished(ports, providers, world, asked["state"][0], code=None)
    _, asked = await begun(conn, world, providers, account)
    with pytest.raises(PlatformRefusedError, match="invalid_grant"):
        await finished(ports, providers, world, asked["state"][0], code="code.wrong")
    assert await find_connection(conn, world.acme, account) is None
    assert await conn.fetchval(SIGN_INS) == 0
    assert tiktok.calls == [("POST", "/v2/oauth/token/")]


async def test_without_an_app_of_the_operators_nothing_can_be_connected(
    conn: Connection, world: World, providers: Providers
) -> None:
    account = await an_account(conn, world.acme)
    providers.logins.clear()
    with pytest.raises(SignInUnavailableError, match="registered no app with tiktok"):
        await begun(conn, world, providers, account)


async def test_concurrent_renewals_run_once(
    world: World, providers: Providers, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect(lives=timedelta(minutes=1))
    accesses = await asyncio.gather(
        *(providers.connections.access("tiktok_api", world.acme, account) for _ in range(4))
    )
    assert {access.token for access in accesses} == {"act.r1"}
    assert tiktok.renewals == 1


async def test_a_renewal_that_fails_for_now_leaves_the_token_while_it_is_good(
    world: World, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect(lives=timedelta(minutes=30))
    tiktok.faults.append(times(9, lambda: web.Response(status=503)))
    nowhere = Providers.of(ports, pauses=(0,))
    access = await nowhere.connections.access("tiktok_api", world.acme, account)
    assert access.token == "act.1"
    ended = await connect(username="acme.ended", lives=timedelta(minutes=-1))
    with pytest.raises(ProviderFailedError) as caught:
        await nowhere.connections.access("tiktok_api", world.acme, ended)
    assert caught.value.retryable


async def test_a_disconnected_account_has_no_tokens_and_keeps_its_numbers(
    conn: Connection, world: World, connect: Connect
) -> None:
    account = await connect()
    for was_there in (True, False):
        async with unit_of_work(conn, world.acme, now=real_now()) as tx:
            actor = Actor("customer", world.alice)
            gone = await disconnect_account(tx=tx, actor=actor, account_id=account)
        assert gone is was_there
    assert await find_connection(conn, world.acme, account) is None
    actions = [row["action"] for row in await conn.fetch(AUDIT, account)]
    assert actions == ["analytics.connect", "analytics.disconnect"]


async def test_nobody_connects_an_unknown_account(
    conn: Connection, world: World, providers: Providers
) -> None:
    with pytest.raises(SavedAccountNotFoundError):
        await begun(conn, world, providers, uuid4())
