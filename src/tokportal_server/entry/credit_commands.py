"""``tokportal-server credits``: grant, refund, adjust, and when to say that they run low."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from cyclopts import App

from tokportal_server.cli.administration import COMMAND_LINE
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.credits import lapses
from tokportal_server.entry.installation import answer, with_connection
from tokportal_server.entry.operator_options import Flag, Why, report
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.acting import act
from tokportal_server.workbench.operations import adjust_credits as adjusting
from tokportal_server.workbench.operations import grant_credits as granting
from tokportal_server.workbench.operations import refund_debit as refunding

credits_ = App(name="credits", help="Grant, refund and correct credits.")


@credits_.command(name="grant")
def grant_credits(
    workspace_id: UUID, amount: int, *, why: Why, expires_in_days: int | None = None
) -> int:
    """Give a workspace credits, and print what it has then.

    Parameters
    ----------
    workspace_id
        Who gets them.
    amount
        Whole credits, at least 1.
    expires_in_days
        When they expire; never if not given.
    """
    operation = partial(
        granting.grant_credits,
        amount=amount,
        reason=why.reason,
        expires_in_days=expires_in_days,
    )
    return _move(operation, workspace_id, amount, why=why, preview=False)


@credits_.command(name="refund")
def refund_credits(
    workspace_id: UUID,
    debit_id: UUID,
    amount: int,
    *,
    why: Why,
    bundle: UUID | None = None,
    preview: Flag = False,
) -> int:
    """Give back a part of one debit, and print what the workspace has then.

    Parameters
    ----------
    workspace_id
        Who paid.
    debit_id
        The debit, as the credit history lists it.
    amount
        Whole credits, at most what was not refunded yet.
    bundle
        Whose part it is, when the debit paid for several orders.
    preview
        Change nothing, and say what there would be.
    """
    operation = partial(
        refunding.refund_debit,
        entry_id=debit_id,
        amount=amount,
        reason=why.reason,
        bundle_id=bundle,
    )
    return _move(operation, workspace_id, amount, why=why, preview=preview)


@credits_.command(name="adjust")
def adjust_credits(workspace_id: UUID, amount: int, *, why: Why, preview: Flag = False) -> int:
    """Correct a balance, and print it.

    Parameters
    ----------
    workspace_id
        Whose balance.
    amount
        Whole credits to add; below zero they are taken away (write -- before a negative number).
    preview
        Change nothing, and say what there would be.
    """
    operation = partial(adjusting.adjust_credits, amount=amount, reason=why.reason)
    return _move(operation, workspace_id, amount, why=why, preview=preview)


@credits_.command(name="warn-below")
def warn_below(workspace_id: UUID, credits_below: int) -> int:
    """Send a workspace credits.low when its credits fall below a mark, and credits.restored.

    Parameters
    ----------
    workspace_id
        Who is told.
    credits_below
        The mark; 0 for never.
    """

    async def mark(conn: Connection) -> int:
        operation = partial(lapses.set_low_mark, credits_below=credits_below, actor=COMMAND_LINE)
        await act(conn, workspace_id, lambda tx: operation(tx=tx))
        answer(
            f"Workspace {workspace_id} gets credits.low below {credits_below} credits."
            if credits_below
            else f"Workspace {workspace_id} gets no credits.low."
        )
        return 0

    return with_connection(mark)


def _move(
    operation: Callable[..., Awaitable[int]],
    workspace_id: UUID,
    amount: int,
    *,
    why: Why,
    preview: bool,
) -> int:
    async def run(conn: Connection) -> int:
        actor = await acting_operator(conn, why.by)
        balance = await act(
            conn, workspace_id, lambda tx: operation(tx=tx, actor=actor), preview=preview
        )
        _tell(workspace_id, amount, balance, as_json=why.json, preview=preview)
        return 0

    return with_connection(run)


def _tell(
    workspace_id: UUID, amount: int, balance: int, *, as_json: bool, preview: bool = False
) -> None:
    if not as_json:
        answer(balance)
        return
    facts = {
        "workspace_id": workspace_id,
        "amount": amount,
        "credits": balance,
        "preview": preview,
    }
    report(facts, "", as_json=True)
