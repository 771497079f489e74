"""The part of a refresh that somebody waits for: from the claim to what the platform gave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tokportal_server.analytics.observations import Collected, ProviderFailedError
from tokportal_server.analytics.operations.refresh_account import (
    Claim,
    claim_refresh,
    collect_claimed,
    finish_refresh,
    give_back,
    note_failure,
)
from tokportal_server.analytics.operations.store_observations import Stored
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.refresh_wire import RefreshAnalyticsRequest
from tokportal_server.analytics.refreshing import RefreshProviderFailedError, RefreshRules
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work


@dataclass(frozen=True, slots=True)
class CollectedRefresh:
    """A refresh whose numbers have come; it must be finished, or undone."""

    ports: Ports
    claim: Claim
    collected: Collected

    async def finish(self, tx: UnitOfWork) -> Stored:
        """Store it; errors as ``finish_refresh``."""
        rules = RefreshRules.of(self.ports.settings)
        return await finish_refresh(tx, self.claim, self.collected, rules)

    async def undo(self) -> None:
        """Let go of the account, as if nobody had asked."""
        async with self.ports.database.connection() as conn:
            await give_back(conn, self.claim)


async def collect_refresh(
    ports: Ports,
    workspace_id: UUID,
    account_id: UUID,
    request: RefreshAnalyticsRequest,
    *,
    now: datetime,
) -> CollectedRefresh:
    """Claim a refresh and ask the account's provider; no connection is held while it answers.

    Raises:
        SavedAccountNotFoundError, AnalyticsLevelRequiredError, RefreshCooldownError: as
            ``claim_refresh``.
        RefreshProviderFailedError: the provider gave nothing; nothing has changed.
    """
    rules = RefreshRules.of(ports.settings)
    async with (
        ports.database.connection() as conn,
        unit_of_work(conn, workspace_id, now=now) as tx,
    ):
        claim = await claim_refresh(tx, account_id, request, rules)
    try:
        collected = await collect_claimed(
            claim, Providers.of(ports), connect=ports.database.connection
        )
    except ProviderFailedError as failure:
        async with ports.database.connection() as conn:
            await note_failure(conn, claim, failure, rules)
        raise _failed(claim, failure) from None
    except BaseException:
        async with ports.database.connection() as conn:
            await give_back(conn, claim)
        raise
    return CollectedRefresh(ports, claim, collected)


def _failed(claim: Claim, failure: ProviderFailedError) -> RefreshProviderFailedError:
    return RefreshProviderFailedError(
        f"Account {claim.account['username']} was not refreshed: {failure.reason}. Nothing was"
        " stored, and no cooldown or quota used.",
        details={
            "provider": failure.provider,
            "reason": failure.reason,
            "retryable": failure.retryable,
        },
    )
