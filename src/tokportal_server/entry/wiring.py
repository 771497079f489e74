"""Open what a process needs, and close it again in the other order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tokportal_server.credits.ledger import spendable
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Database
from tokportal_server.lib.outbound import Outbound, OutboundPolicy
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import open_store
from tokportal_server.lib.vault_check import prove_vault


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """Give the rules for outgoing HTTP that the settings ask for."""
    return OutboundPolicy(
        allow_loopback=settings.webhooks_allow_loopback,
        allow_http_hosts=frozenset(settings.webhooks_allow_http_hosts),
        allowed_ports=frozenset(settings.webhooks_allowed_ports),
    )


@asynccontextmanager
async def open_ports(settings: Settings, *, direct: bool = False) -> AsyncIterator[Ports]:
    """Connect to database, storage and the outside world.

    ``direct`` goes past a pooler, for workers: they hold sessions.

    Raises:
        VaultError: a vault key that secrets are sealed with is missing.
        ValueError: no database URL; whoever starts a process fills it in (embedded or given).
    """
    dsn = (settings.database_direct_url if direct else None) or settings.database_url
    if dsn is None:
        raise ValueError("no database URL: start the embedded PostgreSQL first")
    pooler = "none" if direct and settings.database_direct_url else settings.database_pooler
    database = await Database.open(dsn, size=settings.pool_size, pooler=pooler)
    try:
        vault = Vault.from_settings(settings.vault_key, settings.vault_key_file, settings.home)
        async with database.connection() as conn:
            await prove_vault(conn, vault)
        policy = outbound_policy(settings)
        async with Outbound(policy) as outbound:
            yield Ports(
                settings=settings,
                database=database,
                storage=open_store(settings.storage_url, home=settings.home),
                outbound=outbound,
                outbound_policy=policy,
                vault=vault,
                balance=spendable,
            )
    finally:
        await database.close()
