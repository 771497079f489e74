"""New bundles: one with everything that can be chosen, or many alike in one order.

The price is that of a dry run of the same operation, so it cannot differ from what is charged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, get_args

from tokportal_server.accounts.availability import unavailable_reason
from tokportal_server.bundles.bulk_wire import CreateBulkBundlesRequest
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.operations.create_bundles_bulk import create_bundles_bulk
from tokportal_server.bundles.wire import BundleType, CreateBundleRequest
from tokportal_server.console.acts import (
    Act,
    console_address,
    is_writer,
    refusal_of,
    rehearse,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.once import new_word, perform_once
from tokportal_server.credits.ledger import spendable
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Refusal, Shown, Visit
from tokportal_server.pages.texts import text
from tokportal_server.workspaces.reference import list_countries, list_platforms

# The accounts that videos can be ordered for; the order itself judges the one that is chosen.
ACCOUNTS = """
SELECT * FROM saved_accounts
 WHERE workspace_id = $1 AND delivered_at IS NOT NULL AND status = 'active'
 ORDER BY ordinal DESC LIMIT 200
"""
DEFAULT_COUNTRY = "SELECT default_country FROM workspaces WHERE id = $1"


async def show_one(
    visit: Visit, refusal: Refusal | None = None, *, price: CreditsMoved | None = None
) -> Answer:
    """Show the form of one bundle; the address may choose for what and on which account."""
    facts = {
        "type_options": [(one, text(f"bundle_type.{one}")) for one in get_args(BundleType)],
        "accounts": await _accounts(visit),
        "chosen": {
            "bundle_type": visit.query.get("bundle_type", "account_and_videos"),
            "account_id": visit.query.get("account_id", ""),
        },
    }
    return await _form(visit, "order.html", facts, refusal, price)


async def show_many(
    visit: Visit, refusal: Refusal | None = None, *, price: CreditsMoved | None = None
) -> Answer:
    """Show the form of many bundles."""
    return await _form(visit, "order_many.html", {}, refusal, price)


async def _form(
    visit: Visit,
    template: str,
    facts: dict[str, Any],
    refusal: Refusal | None,
    price: CreditsMoved | None,
) -> Answer:
    conn, workspace_id = visit.conn, visit.workspace.id
    shared = {
        "country_options": [
            (one.code, one.name) for one in await list_countries(conn) if one.enabled_for
        ],
        "default_country": await conn.fetchval(DEFAULT_COUNTRY, workspace_id) or "",
        "platform_options": [
            (one.code, one.name) for one in await list_platforms(conn) if one.enabled
        ],
        "prices": await current_prices(conn, workspace_id),
        "credits": await spendable(conn, workspace_id, visit.now),
        "price": price,
        "once": new_word(),
        "writer": is_writer(visit),
        "address": f"{console_address(visit)}/new",
        "refusal": refusal,
    }
    return Shown(template, {**shared, **facts})


async def _accounts(visit: Visit) -> list[Row]:
    rows: list[Any] = await visit.conn.fetch(ACCOUNTS, visit.workspace.id)
    return [row for row in rows if unavailable_reason(row, visit.now) is None]


def _one(visit: Visit) -> tuple[Act, list[CreditsMoved], list[str]]:
    """Give the act that orders one bundle; what it charged, and its id, are left in the lists."""
    charged: list[CreditsMoved] = []
    made: list[str] = []

    async def act(tx: UnitOfWork) -> None:
        order = decode_body(CreateBundleRequest, body_of(CreateBundleRequest, visit.form))
        bundle_id, moved = await create_bundle(
            tx=tx,
            actor=visit.customer,
            order=order,
            per_minute=visit.ports.settings.create_bucket_per_minute,
        )
        charged.append(moved)
        made.append(str(bundle_id))

    return act, charged, made


def _many(visit: Visit) -> tuple[Act, list[CreditsMoved]]:
    """Give the act that orders many bundles, and where it leaves what it charged."""
    charged: list[CreditsMoved] = []

    async def act(tx: UnitOfWork) -> None:
        _, moved = await create_bundles_bulk(
            tx=tx,
            actor=visit.customer,
            request=decode_body(CreateBulkBundlesRequest, _bulk_body(visit)),
            per_minute=visit.ports.settings.create_bucket_per_minute,
        )
        charged.append(moved)

    return act, charged


def _bulk_body(visit: Visit) -> bytes:
    """Write the form of many as its body; each platform has a box of its own."""
    chosen = [name for name in visit.form if name.startswith("platforms.")]
    lines = "\n".join(name.removeprefix("platforms.") for name in chosen)
    return body_of(CreateBulkBundlesRequest, {**visit.form, "platforms": lines})


async def order_one(visit: Visit) -> Answer:
    """Order one bundle and show it."""
    act, _, made = _one(visit)

    def then() -> str:
        return f"{console_address(visit)}/bundles/{made[0]}?done=ordered"

    return await perform_once(visit, "order", act, again=show_one, then=then)


async def order_many(visit: Visit) -> Answer:
    """Order many bundles and show the list."""
    act, _ = _many(visit)
    then = f"{console_address(visit)}/bundles?done=ordered_many"
    return await perform_once(visit, "order", act, again=show_many, then=then)


async def price_one(visit: Visit) -> Answer:
    """Say what the form of one bundle would cost."""
    act, charged, _ = _one(visit)
    return await _price(visit, act, charged, show_one)


async def price_many(visit: Visit) -> Answer:
    """Say what the form of many bundles would cost."""
    act, charged = _many(visit)
    return await _price(visit, act, charged, show_many)


async def _price(
    visit: Visit, act: Act, charged: list[CreditsMoved], again: Callable[..., Awaitable[Answer]]
) -> Answer:
    try:
        await rehearse(visit, act)
    except ApiError as error:
        return await again(visit, refusal_of("order", error, visit))
    return await again(visit, Refusal("order", "", 200, {}, visit.form), price=charged[0])


_HERE = "/console/{workspace}/new"
ORDERING_PAGES: Final = (
    Page("order_form", "GET", _HERE, show_one),
    Page("order", "POST", _HERE, order_one),
    Page("price_order", "POST", f"{_HERE}/price", price_one),
    Page("order_many_form", "GET", f"{_HERE}/many", show_many),
    Page("order_many", "POST", f"{_HERE}/many", order_many),
    Page("price_many", "POST", f"{_HERE}/many/price", price_many),
)
