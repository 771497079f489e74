"""The workbench: a manager's queue, their orders, and one order with everything to do on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tokportal_server.accounts.wire import Credentials
from tokportal_server.bundles.queries import get_bundle
from tokportal_server.console import desk_lists, queue
from tokportal_server.console.earnings import pay_of_order
from tokportal_server.console.work_page import held_claim, show_work, work_address
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import bundle_not_found
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Shown, Visit
from tokportal_server.workbench.earnings.rates import rates_at
from tokportal_server.workbench.errors import ClaimNotYoursError
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.open_credentials import open_credentials
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.report_download_issue import report_download_issue
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account
from tokportal_server.workbench.operations.submit_slot import submit_slot

# What a form does, in the transaction that it is given.
Act = Callable[[UnitOfWork, OrderRules], Awaitable[object]]
_SECRETS = ("password", "email", "email_password")


async def show_queue(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show what can be claimed, or why there is nothing."""
    person = visit.person.id
    offers = await queue.claimable(visit.conn, person)
    rates = await rates_at(visit.conn, real_now())
    facts = {
        "offers": offers,
        "pays": {offer["id"]: pay_of_order(rates, offer) for offer in offers},
        "places": await queue.places_of(visit.conn, person),
        "paused": await queue.paused_because(visit.conn),
        "hours": OrderRules.of(visit.ports.settings).profile_claim.total_seconds() / 3600,
        "now": real_now(),
        "refusal": refusal,
    }
    return Shown("queue.html", facts)


async def show_mine(visit: Visit) -> Answer:
    """Show the orders that the manager holds, and what else is for them to do."""
    person = visit.person.id
    accounts = await desk_lists.accounts_of(visit.conn, person)
    facts = {
        "orders": await queue.held(visit.conn, person),
        "comments": await desk_lists.comments_to_write(visit.conn, person),
        "edits": await desk_lists.edits_to_make(visit.conn, person),
        "waiting": [one for one in accounts if desk_lists.waits_for_code(one)],
        "now": real_now(),
    }
    return Shown("mine.html", facts)


async def claim(visit: Visit) -> Answer:
    """Take an order; of two who try, one is told that somebody was faster."""
    workspace_id, bundle_id = visit.id("workspace"), visit.id("bundle")
    ahead = await queue.clock_of(visit.conn, workspace_id)
    if ahead is None:
        raise bundle_not_found(bundle_id)
    try:
        async with visit.writing(workspace_id, real_now() + ahead) as tx:
            rules = OrderRules.of(visit.ports.settings)
            await claim_bundle(tx=tx, actor=visit.manager, bundle_id=bundle_id, rules=rules)
    except ApiError as error:
        return await show_queue(visit, Refusal.of("claim", error, visit))
    return Redirect(f"{work_address(visit)}?done=claimed")


async def release(visit: Visit) -> Answer:
    """Give an order back, with a reason."""

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        await release_claim(
            tx=tx,
            actor=visit.manager,
            bundle_id=visit.id("bundle"),
            reason=visit.field("reason"),
            rules=rules,
        )

    return await _act(visit, "release", act, done="released")


async def post_account(visit: Visit) -> Answer:
    """Hand in the account that was set up, or corrected."""

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        submitted = SubmittedAccount(
            username=visit.field("username").removeprefix("@"),
            profile_url=visit.field("profile_url"),
            visible_name=visit.field("visible_name") or None,
            credentials=_credentials(visit),
        )
        await submit_account(
            tx=tx,
            actor=visit.manager,
            vault=visit.ports.vault,
            bundle_id=visit.id("bundle"),
            submitted=submitted,
            rules=rules,
        )

    return await _act(visit, "account", act, done="account")


def _credentials(visit: Visit) -> Credentials | None:
    """Read the credentials; none of them at all when correcting keeps those that are stored."""
    given = {name: visit.form.get(name, "") for name in _SECRETS}
    codes = [line.strip() for line in visit.form.get("recovery_codes", "").splitlines()]
    if not any(given.values()) and not any(codes):
        return None
    refuse([Problem(name, "is required") for name, value in given.items() if not value])
    return Credentials(**given, recovery_codes=[code for code in codes if code])


async def post_slot(visit: Visit) -> Answer:
    """Hand in the live post of a slot."""
    position = visit.number("position")

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        await submit_slot(
            tx=tx,
            actor=visit.manager,
            bundle_id=visit.id("bundle"),
            position=position,
            platform_url=visit.field("platform_url") or None,
            evidence_url=visit.field("evidence_url") or None,
            rules=rules,
        )

    return await _act(visit, f"slot-{position}", act, done="slot")


async def post_report(visit: Visit) -> Answer:
    """Say that a slot's media cannot be used."""
    position = visit.number("position")

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:  # noqa: ARG001 - as the others
        await report_download_issue(
            tx=tx,
            actor=visit.manager,
            bundle_id=visit.id("bundle"),
            position=position,
            reason=visit.field("reason"),
        )

    return await _act(visit, f"report-{position}", act, done="reported")


async def show_credentials(visit: Visit) -> Answer:
    """Open what opens the account, for whoever holds the order; the audit log has it."""
    workspace_id, bundle_id = visit.id("workspace"), visit.id("bundle")
    row = await held_claim(visit)
    bundle = await get_bundle(visit.conn, workspace_id, bundle_id)
    if bundle.saved_account_id is None:
        raise bundle_not_found(bundle_id)
    async with visit.writing(workspace_id, real_now() + row["clock_offset"]) as tx:
        opened = await open_credentials(
            tx=tx,
            actor=visit.manager,
            vault=visit.ports.vault,
            account_id=bundle.saved_account_id,
        )
    facts = {**msgspec.structs.asdict(opened), "username": bundle.username}
    return Shown("credentials.html", {"credentials": facts, "address": work_address(visit)})


async def _act(
    visit: Visit,
    form: str,
    act: Act,
    *,
    done: str,
) -> Answer:
    """Do something on an order and go on, or show its page again with what was refused."""
    workspace_id, bundle_id = visit.id("workspace"), visit.id("bundle")
    claim_row = await held_claim(visit)
    try:
        async with visit.writing(workspace_id, real_now() + claim_row["clock_offset"]) as tx:
            await act(tx, OrderRules.of(visit.ports.settings))
    except ClaimNotYoursError:
        raise
    except ApiError as error:
        return await show_work(visit, Refusal.of(form, error, visit))
    # Given back, or completed by what was handed in: there is no page of it any more.
    still = await queue.held_one(visit.conn, workspace_id, bundle_id, visit.person.id)
    return Redirect(f"{work_address(visit) if still else '/desk/mine'}?done={done}")


_ONE = "/desk/{workspace}/{bundle}"
WORK_PAGES: Final = (
    Page("queue", "GET", "/desk", show_queue),
    Page("my_work", "GET", "/desk/mine", show_mine),
    Page("work", "GET", _ONE, show_work),
    Page("claim", "POST", f"{_ONE}/claim", claim),
    Page("release", "POST", f"{_ONE}/release", release),
    Page("submit_account", "POST", f"{_ONE}/account", post_account),
    Page("submit_slot", "POST", f"{_ONE}/slots/{{position}}", post_slot),
    Page("report_download", "POST", f"{_ONE}/slots/{{position}}/report", post_report),
    Page("credentials", "POST", f"{_ONE}/credentials", show_credentials),
)
