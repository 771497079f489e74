"""Accounts that are connected to a platform's API, as if their owner had signed in there."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tests.analytics.collecting import an_account
from tests.cast import World
from tokportal_server.analytics.observations import Source
from tokportal_server.analytics.operations.connect_account import keep_connection
from tokportal_server.analytics.providers.logins import Grant, InstagramLogin, TikTokLogin
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work


async def connected(
    conn: Connection,
    world: World,
    ports: Ports,
    platform: str = "tiktok",
    *,
    username: str = "acme.daily",
    token: str | None = None,
    scopes: tuple[str, ...] | None = None,
    lives: timedelta = timedelta(days=30),
) -> UUID:
    """Put a connected account into Alice's workspace; its token is good on the fake platform."""
    account_id = await an_account(conn, world.acme, platform=platform, username=username)
    source: Source = "tiktok_api" if platform == "tiktok" else "instagram_api"
    login = TikTokLogin if source == "tiktok_api" else InstagramLogin
    grant = Grant(
        access_token=token or ("act.1" if source == "tiktok_api" else "IGAA.1"),
        refresh_token="rft.1" if source == "tiktok_api" else None,
        platform_user_id="u-1",
        scopes=login.scopes if scopes is None else scopes,
        expires_at=real_now() + lives,
        refresh_expires_at=None,
    )
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await keep_connection(
            tx=tx,
            vault=ports.vault,
            actor=Actor("customer", world.alice),
            account_id=account_id,
            source=source,
            username=username,
            grant=grant,
        )
    return account_id
