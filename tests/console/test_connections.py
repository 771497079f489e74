"""Connecting accounts in the console: the list, the way to a platform and back, who may."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.analytics.collecting import an_account
from tests.analytics.providers.connecting import connected
from tests.analytics.providers.platforms import FakeTikTok, tiktok_error, times
from tests.cast import World
from tests.pages.guest import Guest, Seen
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings

FOUND = "SELECT count(*) FROM analytics_connections WHERE saved_account_id = $1"
NASTY = "<img src=x onerror=alert(1)>"
BREAK = "UPDATE analytics_connections SET broken_reason = $1"
REHEARSE = "UPDATE workspaces SET rehearsal = true WHERE id = $1"


@pytest.fixture
def settings(settings: Settings, tiktok: FakeTikTok) -> Settings:
    """The settings of a server whose operator has an app with TikTok and none with Instagram."""
    return msgspec.structs.replace(
        settings,
        tiktok_api_url=tiktok.url,
        tiktok_client_key="key",
        tiktok_client_secret="secret",
    )


def root(world: World) -> str:
    return f"/console/{world.acme}/analytics/connections"


def link_of(page: Seen) -> str:
    """Give the way to the platform on the page that offers it."""
    found = re.search(r'class="button main wide" href="([^"]+)"', page.html)
    assert found is not None, page.text
    return unescape(found[1])


async def offered(customer: Guest, world: World, account: UUID) -> dict[str, list[str]]:
    """Begin to connect an account; give what the platform is asked."""
    await customer.get(root(world))
    page = await customer.post(f"{root(world)}/{account}/connect")
    assert page.status == 200, page.text
    return parse_qs(urlsplit(link_of(page)).query)


async def test_a_customer_connects_an_account_and_sees_its_first_numbers(
    customer: Guest, conn: Connection, world: World, tiktok: FakeTikTok
) -> None:
    account = await an_account(conn, world.acme)
    shown = await customer.get(root(world))
    assert "@acme.daily Not connected" in shown.text
    asked = await offered(customer, world, account)
    assert asked["redirect_uri"] == [f"{customer.address}/console/connected/tiktok"]
    back = await customer.get(f"/console/connected/tiktok?code=code.1&state={asked['state'][0]}")
    assert back.to == f"{root(world)}?done=connected"
    shown = await customer.get(back.to)
    assert "Connected. Its first numbers come in a moment." in shown.text
    assert "@acme.daily Connected" in shown.text
    assert "connected by Alice" in shown.text
    done = await customer.post(f"{root(world)}/{account}/refresh")
    assert done.to == f"{root(world)}?done=refreshed"
    assert "1 of 500 refreshes" in (await customer.get(done.to)).text
    assert tiktok.renewals == 1


async def test_a_refusal_of_the_platform_or_of_ours_is_told_beside_the_account(
    customer: Guest, conn: Connection, world: World, ports: Ports, tiktok: FakeTikTok
) -> None:
    account = await connected(conn, world, ports)
    await customer.get(root(world))
    tiktok.faults.append(times(1, lambda: tiktok_error("invalid_params", NASTY, 400)))
    failed = await customer.post(f"{root(world)}/{account}/refresh")
    assert failed.status == 502
    assert "was not refreshed: TikTok answered invalid_params" in failed.text
    assert NASTY not in failed.html
    assert (await customer.post(f"{root(world)}/{account}/refresh")).status == 303
    early = await customer.post(f"{root(world)}/{account}/refresh")
    assert (early.status, "refreshed a short while ago" in early.text) == (429, True)


async def test_says_no_at_the_platform(customer: Guest, conn: Connection, world: World) -> None:
    account = await an_account(conn, world.acme)
    asked = await offered(customer, world, account)
    refused = await customer.get(
        f"/console/connected/tiktok?error=access_denied&state={asked['state'][0]}"
    )
    assert (refused.status, refused.code) == (502, "CONNECTION_REFUSED")
    assert await conn.fetchval(FOUND, account) == 0


async def test_disconnects(customer: Guest, conn: Connection, world: World, ports: Ports) -> None:
    account = await connected(conn, world, ports)
    await customer.get(root(world))
    done = await customer.post(f"{root(world)}/{account}/disconnect")
    assert done.to == f"{root(world)}?done=disconnected"
    assert await conn.fetchval(FOUND, account) == 0


async def test_says_what_is_broken_and_what_the_operator_has_not_set_up(
    customer: Guest, conn: Connection, world: World, ports: Ports
) -> None:
    await connected(conn, world, ports)
    await conn.execute(BREAK, f"the platform has ended the consent {NASTY}")
    instagram = await an_account(conn, world.acme, platform="instagram", username="acme.two")
    shown = await customer.get(root(world))
    assert "Connect again" in shown.text
    assert "the platform has ended the consent" in shown.text
    assert NASTY not in shown.html
    assert "Nobody can connect Instagram accounts until the operator sets it up." in shown.text
    refused = await customer.post(f"{root(world)}/{instagram}/connect")
    assert (refused.status, "registered no app with instagram" in refused.text) == (409, True)


async def test_a_rehearsal_needs_no_connecting(
    customer: Guest, conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme)
    await conn.execute(REHEARSE, world.acme)
    shown = await customer.get(root(world))
    assert "@acme.daily Simulated" in shown.text
    done = await customer.post(f"{root(world)}/{account}/refresh")
    assert done.to == f"{root(world)}?done=refreshed"


async def test_a_viewer_looks_and_changes_nothing(
    viewer: Guest, conn: Connection, world: World, ports: Ports
) -> None:
    account = await connected(conn, world, ports)
    shown = await viewer.get(root(world))
    assert "@acme.daily Connected" in shown.text
    for act in ("connect", "refresh", "disconnect"):
        assert f"{account}/{act}" not in shown.html
        assert (await viewer.post(f"{root(world)}/{account}/{act}")).status == 403
    assert await conn.fetchval(FOUND, account) == 1


async def test_another_persons_sign_in_cannot_be_finished(
    customer: Guest, viewer: Guest, stranger: Guest, conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme)
    state = (await offered(customer, world, account))["state"][0]
    for guest in (viewer, stranger):
        assert (
            await guest.get(f"/console/connected/tiktok?code=code.1&state={state}")
        ).status == 404
    for address in (f"instagrams?state={state}", "tiktok?state=x", "tiktok"):
        assert (await customer.get(f"/console/connected/{address}")).status == 404
    lost = await customer.get(f"/console/connected/tiktok?code=c&state={world.acme.hex}.other")
    assert (lost.status, lost.code) == (400, "CONNECTION_SIGN_IN_LOST")
    assert await conn.fetchval(FOUND, account) == 0


async def test_a_strangers_account_is_not_there(
    customer: Guest, conn: Connection, world: World
) -> None:
    theirs = await an_account(conn, world.other)
    await customer.get(root(world))
    for account in (theirs, uuid4()):
        for act in ("connect", "refresh"):
            assert (await customer.post(f"{root(world)}/{account}/{act}")).status == 404
    assert (await customer.post(f"{root(world)}/{theirs}/disconnect")).status == 404
