"""The kinds of traffic, and how often each comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, Final
from uuid import UUID

from traffic.cast import Customer
from traffic.orders import (
    configure,
    fill,
    move_clock,
    order,
    publish,
    reuse_a_key,
    review,
    try_out,
    upload,
    work,
)
from traffic.turns import Turn

Act = Callable[[Turn, Customer, Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that arrives; ``weight`` is its share among all."""

    name: str
    weight: float
    act: Act
    rehearsals_only: bool = False


# Reads.


async def _read(turn: Turn, who: Customer, rng: Random, *, path: str) -> None:
    full = path
    if "{bundle}" in path:
        if not who.bundles:
            return await order(turn, who, rng)
        full = full.replace("{bundle}", rng.choice(who.bundles))
    if "{account}" in path:
        if not who.accounts:
            return await look_at_accounts(turn, who, rng)
        full = full.replace("{account}", rng.choice(who.accounts))
    if "{collected}" in path:
        if not who.collected:
            return await look_at_accounts(turn, who, rng)
        full = full.replace("{collected}", rng.choice(who.collected))
    month = f"from={who.today - timedelta(days=30)}&to={who.today}"
    full = full.replace("{endpoint}", who.endpoint).replace("{month}", month)
    await turn.api("read", f"GET {path}", who, "GET", full)
    return None


async def look_at_accounts(turn: Turn, who: Customer, _: Random) -> None:
    """List the delivered accounts, and remember them."""
    document = (await turn.api("read", "GET /accounts", who, "GET", "/accounts"))[1]
    who.accounts = [account["id"] for account in document["data"]]


async def collect(turn: Turn, who: Customer, rng: Random) -> None:
    """Have an account's numbers collected, by the simulated platform, if they were not yet."""
    waiting = [account for account in who.accounts if account not in who.collected]
    if not waiting:
        return await look_at_accounts(turn, who, rng)
    account = rng.choice(waiting)
    status, _ = await turn.api(
        "write",
        "POST /accounts/{account}/analytics/refresh",
        who,
        "POST",
        f"/accounts/{account}/analytics/refresh",
        # 429: another refresh of it runs, or has just run.
        meant=(200, 429),
        json={},
    )
    if status == 200:
        who.collected.append(account)
    return None


# Pages.


async def _page(turn: Turn, who: Customer, rng: Random, *, path: str) -> None:
    if "{bundle}" in path and not who.bundles:
        return await order(turn, who, rng)
    email = {"/desk": "manager", "/admi": "operator"}.get(path[:5], f"customer{who.number}")
    full = path.replace("{console}", who.console)
    full = full.replace("{bundle}", rng.choice(who.bundles) if who.bundles else "")
    await turn.page(f"page {path.replace('{console}', '/console')}", f"{email}@example.com", full)
    return None


# What must be refused.


async def _refusal(
    turn: Turn,
    who: Customer,
    rng: Random,
    *,
    name: str,
    status: int,
    method: str = "GET",
    path: str = "/bundles",
    key: str | None = None,
    body: dict[str, Any] | None = None,
) -> None:
    place = path.replace("{unknown}", str(UUID(int=rng.getrandbits(128), version=4)))
    own_key = who.read_key if key == "read-only" else key
    more = {"json": body} if body is not None else {}
    await turn.api(
        "refusal", f"refused: {name}", who, method, place, meant=(status,), key=own_key, **more
    )


def _reads(weights: dict[str, float]) -> list[Kind]:
    return [Kind(path, weight, partial(_read, path=path)) for path, weight in weights.items()]


def _pages(weights: dict[str, float]) -> list[Kind]:
    return [Kind(path, weight, partial(_page, path=path)) for path, weight in weights.items()]


_SERIES: Final = "/analytics/series?{month}"
_INCOMPLETE: Final = {"bundle_type": "account_only", "country": "Atlantis"}
KINDS: Final = [
    *_reads(
        {
            "/me": 9,
            "/bundles": 8,
            "/bundles?status=published": 3,
            "/bundles/{bundle}": 12,
            "/bundles/{bundle}/publish-readiness": 3,
            "/bundles/{bundle}/videos": 3,
            "/credits/balance": 3,
            "/credits/history": 2,
            "/webhooks/{endpoint}/deliveries": 2,
            "/analytics": 1.5,
            _SERIES: 2,
            "/accounts/{collected}/analytics": 2,
            "/accounts/{account}": 2,
            "/analytics/contract": 0.5,
        }
    ),
    Kind("accounts", 1, look_at_accounts),
    Kind("collect", 0.5, collect, rehearsals_only=True),
    Kind("order", 4, order),
    Kind("dry run", 2, try_out),
    Kind("upload", 1.5, upload),
    Kind("fill", 1.5, fill),
    Kind("configure", 5, configure),
    Kind("publish", 4, publish),
    Kind("review", 3, review, rehearsals_only=True),
    Kind("work", 1, work),
    Kind("clock", 0.4, move_clock, rehearsals_only=True),
    *_pages(
        {
            "{console}": 1.5,
            "{console}/bundles": 1.5,
            "{console}/bundles/{bundle}": 2,
            "{console}/calendar": 0.7,
            "{console}/credits": 0.5,
            "{console}/analytics": 0.5,
            "{console}/webhooks": 0.5,
            "/desk": 0.7,
            "/admin": 0.3,
            "/admin/orders": 0.3,
        }
    ),
    Kind(
        "no such bundle",
        1,
        partial(_refusal, name="no such bundle", status=404, path="/bundles/{unknown}"),
    ),
    Kind("no id", 0.5, partial(_refusal, name="not an id", status=404, path="/bundles/7")),
    Kind("no key", 0.5, partial(_refusal, name="a wrong key", status=401, key="sk_nobody")),
    Kind(
        "read-only",
        0.5,
        partial(
            _refusal, name="a read-only key", status=403, key="read-only", method="POST", body={}
        ),
    ),
    Kind(
        "invalid",
        1,
        partial(
            _refusal, name="an order that cannot be", status=400, method="POST", body=_INCOMPLETE
        ),
    ),
    Kind("reuse", 0.5, reuse_a_key),
]
