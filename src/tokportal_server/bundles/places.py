"""Where an order goes: its platform and country, or the delivered account that it posts on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tokportal_server.accounts.availability import refuse_unavailable
from tokportal_server.bundles.errors import AccountIdNotAllowedError, CountryNotEnabledError
from tokportal_server.bundles.wire import BundleType, CreateBundleRequest, PlatformCode
from tokportal_server.credits.prices import CURRENT_PRICES, Prices
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.workspaces.reference import find_country

# What the operator's tables say about an order, in one round trip.
TERMS = f"""
SELECT g.country AS given, c.code, c.enabled_for,
       (SELECT jsonb_object_agg(p.code, p.name) FROM platforms p
         WHERE p.code = ANY ($3::text[]) AND NOT p.enabled) AS closed,
       (SELECT jsonb_object_agg(c.name, c.amount) FROM ({CURRENT_PRICES}) c) AS prices
  FROM workspaces w
 CROSS JOIN LATERAL (SELECT COALESCE($2::text, w.default_country) AS country) g
  LEFT JOIN LATERAL find_country(g.country) c ON true
 WHERE w.id = $1
"""
ACCOUNT = "SELECT * FROM saved_accounts WHERE workspace_id = $1 AND id = $2 FOR SHARE"
# What a country has to be open for (contract section 5, ``enabled_for``).
_NEEDS: dict[BundleType, frozenset[str]] = {
    "account_only": frozenset({"account"}),
    "account_and_videos": frozenset({"account", "videos"}),
    "videos_only": frozenset({"videos"}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Platform and country codes, and the account of videos_only."""

    platform: PlatformCode
    country: str
    account_id: UUID | None = None


async def find_place(tx: UnitOfWork, order: CreateBundleRequest) -> tuple[Place, Prices]:
    """Say where an order goes, and at which prices.

    Raises:
        ValidationError, AccountIdNotAllowedError, CountryNotEnabledError: the order breaks a rule.
        SavedAccountNotFoundError, SavedAccountUnavailableError: the account cannot take it.
    """
    if order.bundle_type == "videos_only":
        return await _place_of_account(tx, order)
    if order.account_id is not None:
        raise AccountIdNotAllowedError(
            f"account_id: {order.bundle_type} sets up a new account; only videos_only names one.",
            details={"field": "account_id"},
        )
    platform = order.platform or "tiktok"
    country, prices = await find_terms(
        tx, "platform", [platform], order.country, [order.bundle_type]
    )
    return Place(platform, country), prices


async def find_terms(
    tx: UnitOfWork,
    field: str,
    platforms: Sequence[str],
    given: str | None,
    bundle_types: Sequence[BundleType],
) -> tuple[str, Prices]:
    """Give the code of the country that an input means, and today's prices.

    ``field`` names the platforms in an error; without an input it is the workspace's own country.

    Raises:
        ValidationError: a platform is closed, or the country is missing, or is none.
        CountryNotEnabledError: it is closed for one of the types.
    """
    given = (given or "").strip() or None
    row = existing(await tx.conn.fetchrow(TERMS, tx.workspace_id, given, platforms))
    refuse(
        [
            Problem(field, f"{name} is closed at the moment", code)
            for code, name in (row["closed"] or {}).items()
        ]
    )
    country = row["code"]
    if row["given"] is None:
        refuse([Problem("country", "is required: where the account is set up, e.g. USA")])
    if country is None:
        refuse([Problem("country", "is not a country of GET /countries", row["given"])])
    if not all(_NEEDS[kind] <= set(row["enabled_for"]) for kind in bundle_types):
        raise CountryNotEnabledError(
            f"country: {row['given']} is closed for {' and '.join(bundle_types)} orders. GET"
            " /countries lists what each is open for.",
            details={"field": "country", "country": row["given"]},
        )
    return country, msgspec.convert(row["prices"], Prices)


async def _place_of_account(tx: UnitOfWork, order: CreateBundleRequest) -> tuple[Place, Prices]:
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
        named = await find_country(tx.conn, order.country)
        if named is None or named.code != account["country"]:
            problems.append(Problem("country", f"must be the account's: {account['country']}"))
    refuse(problems)
    refuse_unavailable(account, tx.now)
    platform = account["platform"]
    country, prices = await find_terms(
        tx, "platform", [platform], account["country"], [order.bundle_type]
    )
    return Place(platform, country, account["id"]), prices
