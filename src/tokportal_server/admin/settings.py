"""What the operator keeps for everybody: prices with their history, countries, platforms."""

from __future__ import annotations

from typing import Final

from tokportal_server.admin.frame import (
    Preview,
    chosen,
    identifier,
    perform,
    show,
    whole,
)
from tokportal_server.credits.prices import current_prices
from tokportal_server.pages.page import Answer, Page, Refusal, Visit, nothing_here
from tokportal_server.workbench.operations.set_place import (
    ORDERABLE,
    set_country,
    set_platform,
)
from tokportal_server.workbench.operations.set_price import (
    NAMES,
    OWN_NAMES,
    price_history,
    set_price,
)
from tokportal_server.workspaces.reference import list_countries, list_platforms

OWN_PRICES = """
SELECT DISTINCT ON (w.name, w.id, p.name) w.id AS workspace_id, w.name AS workspace, p.name,
       p.amount, p.valid_from
  FROM workspace_prices p JOIN workspaces w ON w.id = p.workspace_id
 WHERE p.valid_from <= now()
 ORDER BY w.name, w.id, p.name, p.valid_from DESC LIMIT 200
"""


async def show_prices(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show what things cost, what they used to cost, and who has prices of their own."""
    now = await current_prices(visit.conn, None)
    facts = {
        "prices": {name: getattr(now, name) for name in NAMES},
        "own": await visit.conn.fetch(OWN_PRICES),
        "history": await price_history(conn=visit.conn),
        "own_names": OWN_NAMES,
        "for_workspace": visit.query.get("workspace", ""),
    }
    return await show(visit, "admin_prices.html", facts, refusal, preview)


async def post_price(visit: Visit) -> Answer:
    """Set a price from now on."""

    async def change() -> None:
        await set_price(
            conn=visit.conn,
            actor=visit.operator,
            name=visit.field("name"),
            amount=whole(visit, "amount"),
            reason=visit.field("reason") or None,
            workspace_id=identifier(visit, "workspace_id"),
        )

    return await perform(visit, "price", change, again=show_prices, then="/admin/prices?done=price")


async def show_places(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show countries and platforms, and what can be ordered there."""
    facts = {
        "countries": await list_countries(visit.conn),
        "platforms": await list_platforms(visit.conn),
        "orderable": ORDERABLE,
    }
    return await show(visit, "admin_places.html", facts, refusal, preview)


async def post_country(visit: Visit) -> Answer:
    """Say what can be ordered in a country."""
    code = visit.path["code"]
    if code not in {one.code for one in await list_countries(visit.conn)}:
        raise nothing_here()

    async def change() -> None:
        await set_country(
            conn=visit.conn,
            actor=visit.operator,
            code=code,
            enabled_for=chosen(visit, "enabled_for"),
            reason=visit.field("reason"),
        )

    form = f"country-{code}"
    return await perform(visit, form, change, again=show_places, then="/admin/places?done=place")


async def post_platform(visit: Visit) -> Answer:
    """Open or close a platform."""
    code = visit.path["code"]
    if code not in {one.code for one in await list_platforms(visit.conn)}:
        raise nothing_here()

    async def change() -> None:
        await set_platform(
            conn=visit.conn,
            actor=visit.operator,
            code=code,
            enabled=visit.field("enabled") == "true",
            reason=visit.field("reason"),
        )

    form = f"platform-{code}"
    return await perform(visit, form, change, again=show_places, then="/admin/places?done=place")


SETTING_PAGES: Final = (
    Page("admin_prices", "GET", "/admin/prices", show_prices),
    Page("admin_price", "POST", "/admin/prices", post_price),
    Page("admin_places", "GET", "/admin/places", show_places),
    Page("admin_country", "POST", "/admin/places/countries/{code}", post_country),
    Page("admin_platform", "POST", "/admin/places/platforms/{code}", post_platform),
)
