"""Refreshes by the schedule: connected accounts whose numbers have reached the target age.

1. Find what is due, without a lock; a few accounts at a time.
2. For each: claim, collect, finish, as a refresh that somebody asks for does, but without cooldown
   and quota. What fails is tried later, each time after a longer pause.

Rehearsals are refreshed by their own clock, through the simulator (``rehearsal.collecting``).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from tokportal_server.analytics.observations import Collected, ProviderFailedError
from tokportal_server.analytics.operations.refresh_account import (
    Claim,
    claim_scheduled,
    collect_claimed,
    finish_refresh,
    give_back,
    note_failure,
)
from tokportal_server.analytics.providers.choosing import SOURCE_OF, Providers
from tokportal_server.analytics.providers.simulator import Connect
from tokportal_server.analytics.refreshing import RefreshCooldownError, RefreshRules
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import UNAVAILABLE, ServiceUnavailableError
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

DUE = """
SELECT c.workspace_id, c.saved_account_id
  FROM analytics_connections c
  JOIN workspaces w ON w.id = c.workspace_id AND NOT w.rehearsal
  JOIN saved_accounts a ON a.workspace_id = c.workspace_id AND a.id = c.saved_account_id
  LEFT JOIN analytics_refreshes r
    ON r.workspace_id = c.workspace_id AND r.saved_account_id = c.saved_account_id
 WHERE c.broken_reason IS NULL AND a.status <> 'banned'
   AND (r.due_at IS NULL OR r.due_at <= $1) AND (r.lease_until IS NULL OR r.lease_until < now())
 ORDER BY r.due_at NULLS FIRST LIMIT $2
"""
REFRESHES = Counter(
    "tokportal_refreshes",
    "Refreshes of accounts' numbers from a platform's API, and whether they came.",
    ["platform", "outcome"],
)
_AT_ONCE: Final = 4
_EVERY_SECONDS: Final = 5.0
_PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Refresher:
    """Refreshes accounts that are due; ``connect`` opens a connection, or gives a caller's own."""

    connect: Connect
    providers: Providers
    rules: RefreshRules

    async def refresh(self, workspace_id: UUID, account_id: UUID, now: datetime) -> bool:
        """Refresh one account at ``now``, its workspace's clock; give whether anything was stored.

        Whatever fails is noted at the account.
        """
        async with self.connect() as conn, unit_of_work(conn, workspace_id, now=now) as tx:
            claim = await claim_scheduled(tx, account_id)
        if claim is None:
            return False
        try:
            collected = await collect_claimed(claim, self.providers, connect=self.connect)
            await self._store(claim, collected, now)
        except ProviderFailedError as failure:
            await self._note(claim, failure)
        except RefreshCooldownError:
            log.warning("refresh_overtaken", account=str(account_id))
        except (*UNAVAILABLE, ServiceUnavailableError):
            # Nor could it be noted: the lease ends by itself, and the loop tells why it waits.
            raise
        except Exception:
            # Without a later date the same account would be taken up again and again.
            log.exception("refresh_broke", account=str(account_id))
            source = SOURCE_OF[claim.account["platform"]]
            broken = ProviderFailedError(source, "storing it failed on our side", retryable=True)
            await self._note(claim, broken)
        except BaseException:
            async with self.connect() as conn:
                await give_back(conn, claim)
            raise
        else:
            REFRESHES.labels(claim.account["platform"], "done").inc()
            return True
        REFRESHES.labels(claim.account["platform"], "failed").inc()
        return False

    async def _store(self, claim: Claim, collected: Collected, now: datetime) -> None:
        async with self.connect() as conn, unit_of_work(conn, claim.key[0], now=now) as tx:
            await finish_refresh(tx, claim, collected, self.rules)

    async def _note(self, claim: Claim, failure: ProviderFailedError) -> None:
        log.info("refresh_failed", account=str(claim.key[1]), reason=failure.reason)
        async with self.connect() as conn:
            await note_failure(conn, claim, failure, self.rules)


class ScheduledRefreshes:
    """The worker's loop over connected accounts; it does nothing if the target age is 0."""

    name = "analytics_refreshes"

    def __init__(self, ports: Ports) -> None:
        self._database = ports.database
        self._rules = RefreshRules.of(ports.settings)
        # Nobody waits, so a call may wait for its turn behind those that somebody waits for.
        providers = Providers.of(ports, patience=_PATIENCE)
        self._refresher = Refresher(ports.database.connection, providers, self._rules)
        self._pace = Pace(_EVERY_SECONDS)

    async def run_once(self) -> int:
        """Refresh a few of the accounts that are due; give how many were taken up."""
        if not self._rules.target or not self._pace.is_due():
            return 0
        async with self._database.connection() as conn:
            due = await conn.fetch(DUE, real_now(), _AT_ONCE)
        turns = (self._refresher.refresh(r[0], r[1], real_now()) for r in due)
        # All come to their end before the first that broke is told: none runs on by itself.
        for ended in await asyncio.gather(*turns, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
        # A full hand means that there is more.
        if len(due) < _AT_ONCE:
            self._pace.rest()
        return len(due)
