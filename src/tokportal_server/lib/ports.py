"""What an operation reaches beyond its transaction, wired by ``entry``.

A dry run gets the same operation with null ports: one code path, no effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.maintenance import Maintenance
from tokportal_server.lib.outbound import OutboundPolicy, OutboundPort
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import ObjectStore

# Gives what a workspace can spend at an instant; the wire layer may not import the ledger itself.
BalanceReader = Callable[[Connection, UUID, datetime], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Ports:
    """One per process; ``stopping`` is set when it shall end, and with it what lasts for ever.

    ``maintenance`` says whether anything may be written now.
    """

    settings: Settings
    database: Database
    storage: ObjectStore
    outbound: OutboundPort
    outbound_policy: OutboundPolicy
    vault: Vault
    balance: BalanceReader
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    maintenance: Maintenance = field(default_factory=Maintenance)
