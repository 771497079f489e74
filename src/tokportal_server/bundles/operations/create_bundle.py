"""``createBundle``: check, price, debit, and make the bundle with its profile and slots."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from tokportal_server.bundles.create_limit import take_create_token
from tokportal_server.bundles.errors import (
    AccountIdNotAllowedError,
    CountryNotEnabledError,
    DuplicateAccountBundleError,
)
from tokportal_server.bundles.pricing import cost_of
from tokportal_server.bundles.wire import BundleType, CostBreakdown, CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import Prices, current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle
from tokportal_server.orders.door import begin
from tokportal_server.orders.errors import SavedAccountNotFoundError, SavedAccountUnavailableError
from tokportal_server.orders.locks import Row
from tokportal_server.orders.states import BUNDLE, PROFILE, SLOT
from tokportal_server.workspaces.reference import find_country, get_platform

DEFAULT_COUNTRY = "SELECT default_country FROM workspaces WHERE id = $1"
ACCOUNT = "SELECT * FROM saved_accounts WHERE workspace_id = $1 AND id = $2 FOR SHARE"
# Two orders with the same reference queue up here, so that the second one finds the first.
LOCK_REFERENCE = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || ':' || $2, 0))"
DUPLICATE = """
SELECT id FROM bundles
 WHERE workspace_id = $1 AND external_ref = $2 AND bundle_type <> 'videos_only'
   AND cancelled_at IS NULL
"""
INSERT = """
WITH profile AS (
    INSERT INTO profiles (workspace_id, bundle_id, id, status, niche_warming_instructions)
    SELECT $1, $2, $21::uuid, 'pending', $15 WHERE $21::uuid IS NOT NULL
), slots AS (
    INSERT INTO slots (workspace_id, id, bundle_id, position, status, created_at, updated_at)
    SELECT $1, s.id, $2, s.position, 'pending', $20, $20
      FROM unnest($22::uuid[]) WITH ORDINALITY AS s(id, position)
)
INSERT INTO bundles (workspace_id, id, bundle_type, platform, country, status, title,
    external_ref, videos_quantity, edits_quantity, auto_finalize_videos, wants_niche_warming,
    wants_deep_warming, wants_moderation, niche_warming_instructions, moderation_notice,
    saved_account_id, cost_breakdown, sold_prices, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20, $20)
RETURNING *
"""


# What a country has to be open for (contract section 5, ``enabled_for``).
_NEEDS: dict[BundleType, frozenset[str]] = {
    "account_only": frozenset({"account"}),
    "account_and_videos": frozenset({"account", "videos"}),
    "videos_only": frozenset({"videos"}),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an order goes: platform and country codes, and the account of videos_only."""

    platform: str
    country: str
    account_id: UUID | None


async def create_bundle(
    *, tx: UnitOfWork, actor: Actor, order: CreateBundleRequest, per_minute: int
) -> tuple[UUID, CreditsMoved]:
    """Order a bundle; give its id and what was charged. ``per_minute`` is the create limit.

    Raises:
        ValidationError, AccountIdNotAllowedError, CountryNotEnabledError: the order breaks a rule.
        SavedAccountNotFoundError, SavedAccountUnavailableError: the account cannot take it.
        DuplicateAccountBundleError: its external_ref is taken.
        CreateRateLimitError, InsufficientCreditsError: nothing was written.
    """
    place = await _place(tx, order)
    await _refuse_duplicate(tx, order)
    await take_create_token(tx, per_minute=per_minute)
    prices = await current_prices(tx.conn, tx.workspace_id)
    cost = cost_of(order, prices)
    bundle_id = tx.new_id()
    moved, _ = await ledger.debit(
        tx,
        amount=cost.total,
        description=f"Bundle {order.bundle_type} on {place.platform} in {place.country}",
        breakdown=msgspec.structs.asdict(cost),
        reference=Reference("bundle", bundle_id, f"bundle:{bundle_id}:charge:1"),
        actor=actor,
    )
    await _insert(tx, actor, order, place, bundle_id, cost, prices)
    return bundle_id, moved


async def _place(tx: UnitOfWork, order: CreateBundleRequest) -> _Place:
    if order.bundle_type == "videos_only":
        return await _place_of_account(tx, order)
    if order.account_id is not None:
        raise AccountIdNotAllowedError(
            f"account_id: {order.bundle_type} sets up a new account; only videos_only names one.",
            details={"field": "account_id"},
        )
    platform = order.platform or "tiktok"
    await _require_open_platform(tx.conn, platform)
    given = order.country or await tx.conn.fetchval(DEFAULT_COUNTRY, tx.workspace_id)
    return _Place(platform, await _open_country(tx.conn, given, order.bundle_type), None)


async def _require_open_platform(conn: Connection, code: str) -> None:
    platform = await get_platform(conn, code)
    if not platform.enabled:
        refuse([Problem("platform", f"{platform.name} is closed at the moment", platform.code)])


async def _open_country(conn: Connection, given: str | None, bundle_type: BundleType) -> str:
    if not given:
        refuse([Problem("country", "is required: where the account is set up, e.g. USA")])
    country = await find_country(conn, given or "")
    if country is None:
        refuse([Problem("country", "is not a country of GET /countries", given)])
    elif _NEEDS[bundle_type] <= set(country.enabled_for):
        return country.code
    raise CountryNotEnabledError(
        f"country: {given} is closed for {bundle_type} orders. GET /countries lists what each is"
        " open for.",
        details={"field": "country", "country": given},
    )


async def _place_of_account(tx: UnitOfWork, order: CreateBundleRequest) -> _Place:
    account = await tx.conn.fetchrow(ACCOUNT, tx.workspace_id, order.account_id)
    if account is None:
        raise SavedAccountNotFoundError(
            f"account_id: no delivered account {order.account_id} in this workspace. GET /accounts"
            " lists those there are.",
            details={"field": "account_id"},
        )
    problems = []
    if order.platform is not None and order.platform != account["platform"]:
        problems.append(Problem("platform", f"must be the account's: {account['platform']}"))
    if order.country:
        country = await find_country(tx.conn, order.country)
        if country is None or country.code != account["country"]:
            problems.append(Problem("country", f"must be the account's: {account['country']}"))
    refuse(problems)
    refuse_unavailable(account)
    await _require_open_platform(tx.conn, account["platform"])
    country_code = await _open_country(tx.conn, account["country"], order.bundle_type)
    return _Place(account["platform"], country_code, account["id"])


def unavailable_reason(account: Row) -> str | None:
    """Say why an account cannot take new work, or None."""
    if account["status"] != "active":
        return str(account["status"])
    return None if account["delivered_at"] else "not_delivered"


def refuse_unavailable(account: Row) -> None:
    """Refuse an account that cannot take new work.

    Raises:
        SavedAccountUnavailableError: with ``details.reason``.
    """
    if reason := unavailable_reason(account):
        raise SavedAccountUnavailableError(
            f"account_id: account {account['username']} cannot take new work: {reason}.",
            details={"field": "account_id", "reason": reason},
        )


async def _refuse_duplicate(tx: UnitOfWork, order: CreateBundleRequest) -> None:
    if not order.external_ref or order.bundle_type == "videos_only":
        return
    await tx.conn.execute(LOCK_REFERENCE, tx.workspace_id, order.external_ref)
    other = await tx.conn.fetchval(DUPLICATE, tx.workspace_id, order.external_ref)
    if other is not None:
        raise DuplicateAccountBundleError(
            f"external_ref: bundle {other} already has {order.external_ref!r}. Use that bundle,"
            " or another reference.",
            details={"existing_bundle_id": str(other), "field": "external_ref"},
        )


async def _insert(
    tx: UnitOfWork,
    actor: Actor,
    order: CreateBundleRequest,
    place: _Place,
    bundle_id: UUID,
    cost: CostBreakdown,
    prices: Prices,
) -> None:
    profile_id = None if place.account_id else tx.new_id()
    slot_ids = [tx.new_id() for _ in range(order.videos_quantity or 0)]
    row = await tx.conn.fetchrow(
        INSERT,
        tx.workspace_id,
        bundle_id,
        order.bundle_type,
        place.platform,
        place.country,
        "pending_setup",
        order.title or None,
        order.external_ref or None,
        order.videos_quantity or 0,
        order.edits_quantity or 0,
        order.auto_finalize_videos is not False,
        bool(order.wants_niche_warming),
        bool(order.wants_deep_warming),
        bool(order.wants_moderation),
        order.niche_warming_instructions or None,
        order.moderation_notice or None,
        place.account_id,
        msgspec.structs.asdict(cost),
        msgspec.structs.asdict(prices),
        tx.now,
        profile_id,
        slot_ids,
    )
    data = about_bundle(existing(row))
    begin(tx, BUNDLE, bundle_id, root_id=bundle_id, actor=actor, data=data)
    if profile_id is not None:
        begin(tx, PROFILE, profile_id, root_id=bundle_id, actor=actor, data={})
    for slot_id in slot_ids:
        begin(tx, SLOT, slot_id, root_id=bundle_id, actor=actor, data={})
