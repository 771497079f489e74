"""``tokportal-server bundle``: find, cancel, archive, reverse charges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from cyclopts import App
from rich.markup import escape

from tokportal_server.bundles.search import find_bundles
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import answer, settings, with_connection
from tokportal_server.entry.operator_options import Flag, Why, report, show
from tokportal_server.lib.db import Connection
from tokportal_server.orders.cancellation import Cancelled
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.acting import act, workspace_of_bundle
from tokportal_server.workbench.operations import archive_bundle as archiving
from tokportal_server.workbench.operations import cancel_bundle as cancelling
from tokportal_server.workbench.operations import cancel_slot as cancelling_slot
from tokportal_server.workbench.operations import reverse_charges as reversing

bundle = App(name="bundle", help="Find, cancel and archive orders, and give back what they cost.")


@bundle.command(name="cancel")
def cancel_bundle(
    bundle_id: UUID, *, why: Why, amount: int | None = None, preview: Flag = False
) -> int:
    """Cancel an order with everything in it that is not finished.

    Parameters
    ----------
    bundle_id
        The order.
    amount
        Credits to give back; if not given, what was paid and not used.
    preview
        Change nothing, and say what would go back.
    """
    operation = partial(
        cancelling.cancel_bundle, bundle_id=bundle_id, reason=why.reason, amount=amount
    )
    return _refunding(operation, bundle_id, "cancelled", why=why, preview=preview)


@bundle.command(name="cancel-slot")
def cancel_slot(
    bundle_id: UUID, position: int, *, why: Why, amount: int | None = None, preview: Flag = False
) -> int:
    """Take one slot out of an order; if that was the last open one, the order is completed.

    Parameters
    ----------
    bundle_id
        The order.
    position
        The slot's position, from 1.
    amount
        Credits to give back; if not given, the slot's price and options unless it was in review.
    preview
        Change nothing, and say what would go back.
    """
    operation = partial(
        cancelling_slot.cancel_slot,
        bundle_id=bundle_id,
        position=position,
        reason=why.reason,
        rules=OrderRules.of(settings()),
        amount=amount,
    )
    return _refunding(operation, bundle_id, f"slot {position} cancelled", why=why, preview=preview)


@bundle.command(name="reverse-charges")
def reverse_charges(bundle_id: UUID, *, why: Why, preview: Flag = False) -> int:
    """Give an order's whole price back while it is being set up; publishing charges it again.

    Parameters
    ----------
    bundle_id
        The order.
    preview
        Change nothing, and say what would go back.
    """
    operation = partial(reversing.reverse_charges, bundle_id=bundle_id, reason=why.reason)
    return _refunding(operation, bundle_id, "charges reversed", why=why, preview=preview)


@bundle.command(name="find")
def find_bundle(
    text: str, *, workspace: UUID | None = None, limit: int = 20, json: Flag = False
) -> int:
    """Find orders by how their title, reference or username begins, in any case.

    Parameters
    ----------
    text
        The beginning.
    workspace
        Look in this workspace; in all of them if not given.
    limit
        How many to give at most.
    json
        Answer with one JSON array, for scripts.
    """

    async def find(conn: Connection) -> int:
        found = await find_bundles(conn, text, workspace_id=workspace, limit=max(limit, 1))
        if json:
            answer(msgspec.json.encode(found).decode())
            return 0
        columns = ("bundle", "workspace", "status", "title", "reference", "username")
        facts = [
            (b.id, b.workspace_id, b.status, b.title, b.external_ref, b.username) for b in found
        ]
        show(columns, [[escape(str(fact or "")) for fact in row] for row in facts])
        return 0

    return with_connection(find)


@bundle.command(name="archive")
def archive_bundle(bundle_id: UUID, *, why: Why) -> int:
    """Put an order away that is completed or cancelled.

    Parameters
    ----------
    bundle_id
        Which order.
    """

    async def archive(conn: Connection) -> int:
        workspace_id = await workspace_of_bundle(conn, bundle_id)
        actor = await acting_operator(conn, why.by)
        operation = partial(archiving.archive_bundle, bundle_id=bundle_id, reason=why.reason)
        await act(conn, workspace_id, lambda tx: operation(tx=tx, actor=actor))
        facts = {"bundle_id": bundle_id, "done": "archived"}
        report(facts, f"Bundle {bundle_id}: archived.", as_json=why.json)
        return 0

    return with_connection(archive)


def _refunding(
    operation: Callable[..., Awaitable[Cancelled]],
    bundle_id: UUID,
    done: str,
    *,
    why: Why,
    preview: bool,
) -> int:
    """Run an operation that gives credits back, and say what went back."""

    async def run(conn: Connection) -> int:
        workspace_id = await workspace_of_bundle(conn, bundle_id)
        actor = await acting_operator(conn, why.by)
        outcome = await act(
            conn, workspace_id, lambda tx: operation(tx=tx, actor=actor), preview=preview
        )
        _tell(bundle_id, done, outcome, as_json=why.json, preview=preview)
        return 0

    return with_connection(run)


def _tell(bundle_id: UUID, done: str, outcome: Cancelled, *, as_json: bool, preview: bool) -> None:
    plan = outcome.refund
    facts: dict[str, Any] = {
        "bundle_id": bundle_id,
        "done": None if preview else done,
        "preview": preview,
        "credits_refunded": plan.amount,
        "most_refundable": plan.most,
        "refund": plan.breakdown,
        "lines": [
            {"entry_id": line.charge.entry_id, "amount": line.amount, "parts": line.parts}
            for line in plan.lines
        ],
        "credits_remaining": outcome.credits_remaining,
    }
    if not as_json:
        rows = [(name, str(amount)) for name, amount in plan.breakdown.items()]
        show(("goes back for" if preview else "went back for", "credits"), rows)
    head = "Only a preview, nothing was changed. " if preview else ""
    sentence = (
        f"{head}Bundle {bundle_id}: {done}; {plan.amount} of {plan.most} credits paid and not"
        f" refunded go back, then the workspace has {outcome.credits_remaining}."
    )
    report(facts, sentence, as_json=as_json)
