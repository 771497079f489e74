"""When an account may be refreshed: cooldown, quota, what is under way, and when it is due again.

Contract section 11. A refresh that somebody asks for has a cooldown of 24 hours (with ``force`` of
one) and takes one of the workspace's refreshes of the month; scheduled ones do neither. Cooldown
and month are of the workspace's clock, the lease of the one under way is of the real one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, Self
from uuid import UUID

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.analytics.refresh_wire import RefreshAvailability, RefreshQuota
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.locks import Row

Reason = Literal["cooldown", "quota", "running", "not_connected", "banned"]

COOLDOWN: Final = timedelta(hours=24)
FORCED_COOLDOWN: Final = timedelta(hours=1)
_FIRST_PAUSE: Final = timedelta(minutes=15)
# A tenth of the target either way, so that accounts connected together don't stay together.
_JITTER: Final = 0.1

ACCOUNT = """
SELECT a.workspace_id, a.id, a.platform, a.username, a.status, w.rehearsal, w.plan,
       c.provider IS NOT NULL AND c.broken_reason IS NULL AS connected
  FROM saved_accounts a
  JOIN workspaces w ON w.id = a.workspace_id
  LEFT JOIN analytics_connections c
    ON c.workspace_id = a.workspace_id AND c.saved_account_id = a.id
 WHERE a.workspace_id = $1 AND a.id = $2
"""
STATE = """
SELECT asked_at, COALESCE(lease_until > now(), false) AS running FROM analytics_refreshes
 WHERE workspace_id = $1 AND saved_account_id = $2
"""
# Those under way are counted too, for they will be used up unless they fail.
QUOTA = """
SELECT COALESCE((SELECT used FROM analytics_quotas WHERE workspace_id = $1 AND month = $2), 0)
       + (SELECT count(*) FROM analytics_refreshes
           WHERE workspace_id = $1 AND lease_counts AND lease_until > now()) AS used
"""


class RefreshCooldownError(ApiError):
    """The account was refreshed too recently, or the workspace has used up its month."""

    code = "REFRESH_COOLDOWN"
    status = 429
    remedy = (
        "You: wait until `details.next_refresh_at`, which"
        " `GET /accounts/{id}/analytics/can-refresh` tells beforehand. The plan full may `force` a"
        " refresh after an hour."
    )


class RefreshProviderFailedError(ApiError):
    """The platform gave no numbers; nothing was stored, and no cooldown and no quota were used."""

    code = "REFRESH_PROVIDER_FAILED"
    status = 502
    remedy = (
        "You: send it again later if `details.retryable` is true; else do what `details.reason`"
        " says, such as connecting the account in the console."
    )


@dataclass(frozen=True, slots=True)
class RefreshRules:
    """What the operator has set: refreshes a month, and the age at which numbers are renewed."""

    quota: int
    target: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read them from the settings."""
        hours = settings.analytics_refresh_hours
        return cls(settings.analytics_refresh_quota, timedelta(hours=hours))

    def due_after(self, moment: datetime, account_id: UUID) -> datetime:
        """Give when an account is due again after a refresh at ``moment``."""
        grain = sha256(account_id.bytes + moment.date().isoformat().encode()).digest()[0] / 255
        return moment + self.target * (1 + _JITTER * (2 * grain - 1))

    def due_after_failure(self, moment: datetime, failures: int, *, retryable: bool) -> datetime:
        """Give when to try again after so many failures in a row: later each time."""
        longest = max(self.target, _FIRST_PAUSE)
        pause = _FIRST_PAUSE * 2 ** min(failures - 1, 20) if retryable else longest
        return moment + min(pause, longest)


async def account_to_refresh(conn: Connection, workspace_id: UUID, account_id: UUID) -> Row:
    """Give what a refresh must know of an account.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
    """
    row = await conn.fetchrow(ACCOUNT, workspace_id, account_id)
    if row is None:
        raise account_not_found(account_id)
    return row


async def quota_of(
    conn: Connection, workspace_id: UUID, rules: RefreshRules, now: datetime
) -> RefreshQuota:
    """Give how much of the month's refreshes is used at ``now``."""
    used = await conn.fetchval(QUOTA, workspace_id, month_of(now))
    return RefreshQuota(used, rules.quota, wire_time(_next_month(now)))


async def availability_of(
    conn: Connection, workspace_id: UUID, account_id: UUID, *, rules: RefreshRules, now: datetime
) -> RefreshAvailability:
    """Say whether an account can be refreshed at ``now`` without force, and if not, why and when.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
    """
    account = await account_to_refresh(conn, workspace_id, account_id)
    quota = await quota_of(conn, workspace_id, rules, now)
    state = await conn.fetchrow(STATE, workspace_id, account_id)
    reason, at = _obstacle(account, state, quota, now=now, cooldown=COOLDOWN)
    return RefreshAvailability(
        can_refresh=reason is None, reason=reason, next_refresh_at=wire_time(at), quota=quota
    )


def refuse_too_early(
    account: Row, state: Row | None, quota: RefreshQuota, *, now: datetime, force: bool
) -> None:
    """Refuse a refresh that somebody asks for before its time.

    Raises:
        RefreshCooldownError: for now; ``details`` say until when, and how much quota is left.
    """
    cooldown = FORCED_COOLDOWN if force else COOLDOWN
    reason, at = _obstacle(account, state, quota, now=now, cooldown=cooldown)
    if reason not in _SENTENCES:
        # Whether the platform can be asked is the provider's to say, with its reason.
        return
    until = at or now
    when = "in a moment" if at is None else f"at {wire_time(at)}"
    raise RefreshCooldownError(
        f"Account {account['username']} cannot be refreshed now: {_SENTENCES[reason]}. Try again"
        f" {when}.",
        details={
            "reason": reason,
            "next_refresh_at": wire_time(at),
            "quota": {"used": quota.used, "limit": quota.limit, "resets_at": quota.resets_at},
        },
        retry_after=max(1, math.ceil((until - now).total_seconds())),
    )


_SENTENCES: Final[dict[Reason | None, str]] = {
    "running": "another refresh of it is under way",
    "cooldown": "it was refreshed a short while ago",
    "quota": "the workspace has used up its refreshes of this month",
}


def _obstacle(
    account: Row, state: Row | None, quota: RefreshQuota, *, now: datetime, cooldown: timedelta
) -> tuple[Reason | None, datetime | None]:
    """Give what is in the way of a refresh and when it will not be, or (None, None)."""
    if account["status"] == "banned":
        return "banned", None
    if not account["connected"] and not account["rehearsal"]:
        return "not_connected", None
    if state is not None and state["running"]:
        return "running", None
    cool = state and state["asked_at"] and state["asked_at"] + cooldown
    if cool and now < cool:
        return "cooldown", cool
    if quota.used >= quota.limit:
        return "quota", _next_month(now)
    return None, None


def month_of(moment: datetime) -> date:
    """Give the month of an instant, by its first day, in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def _next_month(moment: datetime) -> datetime:
    first = datetime.combine(month_of(moment), datetime.min.time(), UTC)
    return (first + timedelta(days=32)).replace(day=1)
