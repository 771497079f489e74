"""The credit objects of contract section 5."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.credits.prices import Prices
from tokportal_server.http.paging import PageQuery
from tokportal_server.lib.clock import Timestamp


class CreditCosts(Prices, frozen=True):
    """Every price under ``costs``, and the same keys flat beside it."""

    costs: Prices


class UpcomingExpiration(msgspec.Struct, frozen=True):
    """Credits of one lot that will expire."""

    amount: int
    expires_at: Timestamp
    source: str


class Balance(msgspec.Struct, frozen=True):
    """What can be spent; ``credits`` and ``total_credits`` are the same number."""

    total_credits: int
    credits: int
    expiring_within_7_days: int
    upcoming_expirations: list[UpcomingExpiration]
    last_updated: Timestamp


class EntryReference(msgspec.Struct, frozen=True):
    """What an entry is about."""

    kind: str
    id: UUID | None


class Transaction(msgspec.Struct, frozen=True):
    """One ledger entry; ``amount`` is signed, ``balance_after`` is what remained."""

    id: UUID
    type: Literal["debit", "credit", "refund", "expiry", "adjustment"]
    amount: int
    description: str
    breakdown: dict[str, int]
    balance_after: int
    reference: EntryReference
    lot_id: UUID | None
    created_at: Timestamp


class HistoryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the credit history; both days are inclusive, in UTC."""

    date_from: Annotated[date, Meta(description="First day, inclusive.")] | None = None
    date_to: Annotated[date, Meta(description="Last day, inclusive.")] | None = None


class KeyFacts(msgspec.Struct, frozen=True):
    """The API key that made the call."""

    id: UUID
    name: str
    environment: Literal["production", "staging", "development", "test"]
    scope: Literal["*", "read", "write"]
    expires_at: Timestamp | None
    last_used_at: Timestamp | None


class WorkspaceFacts(msgspec.Struct, frozen=True):
    """The workspace that the key belongs to."""

    id: UUID
    name: str
    plan: Literal["starter", "creator", "full"]
    timezone: str
    rehearsal: bool


class ClockFacts(msgspec.Struct, frozen=True):
    """What time it is for the workspace, and whether that is a rehearsal's virtual time."""

    now: Timestamp
    virtual: bool


class Me(msgspec.Struct, frozen=True):
    """Who the key stands for."""

    email: str
    name: str
    workspace: WorkspaceFacts
    clock: ClockFacts
    credits: int
    plan: Literal["starter", "creator", "full"]
    api_key: KeyFacts
    created_at: Timestamp
