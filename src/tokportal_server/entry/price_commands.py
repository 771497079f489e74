"""``tokportal-server price``: what things cost from now on, and what they used to cost."""

from __future__ import annotations

from uuid import UUID

import msgspec
from cyclopts import App

from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import answer, with_connection
from tokportal_server.entry.operator_options import Flag, report, show
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations import set_price as pricing
from tokportal_server.workbench.operations.set_price import PriceChange

price = App(name="price", help="Change prices, and list what they were.")


@price.command(name="set")
def set_price(
    name: str,
    amount: int,
    *,
    workspace: UUID | None = None,
    reason: str | None = None,
    by: str | None = None,
    json: Flag = False,
) -> int:
    """Set a price from now on; orders keep the prices that they were sold at.

    Parameters
    ----------
    name
        Which price, such as video_slot.
    amount
        Whole credits.
    workspace
        Only for this workspace: account_creation and video_slot.
    reason
        What the audit log says.
    by
        E-mail address of the operator who decided; without it the audit log names nobody.
    json
        Answer with one JSON object, for scripts.
    """

    async def change(conn: Connection) -> int:
        actor = await acting_operator(conn, by)
        changed = await pricing.set_price(
            conn=conn,
            actor=actor,
            name=name,
            amount=amount,
            reason=reason,
            workspace_id=workspace,
        )
        sentence = f"{name} costs {amount} credits {_for_whom(changed)} from now on."
        report(_facts(changed), sentence, as_json=json)
        return 0

    return with_connection(change)


@price.command(name="history")
def history(name: str | None = None, *, workspace: UUID | None = None, json: Flag = False) -> int:
    """List every price there ever was, newest first.

    Parameters
    ----------
    name
        Only this price.
    workspace
        With this workspace's own prices.
    json
        Answer with a JSON array, for scripts.
    """

    async def tell(conn: Connection) -> int:
        changes = await pricing.price_history(conn=conn, workspace_id=workspace, name=name)
        if json:
            answer(msgspec.json.encode([_facts(change) for change in changes]).decode())
            return 0
        rows = [
            (
                "the first day" if change.valid_from is None else wire_time(change.valid_from),
                change.name,
                str(change.amount),
                _for_whom(change),
                change.set_by or "",
            )
            for change in changes
        ]
        show(("from", "price", "credits", "for", "set by"), rows)
        return 0

    return with_connection(tell)


def _for_whom(change: PriceChange) -> str:
    return "for all" if change.workspace_id is None else f"for workspace {change.workspace_id}"


def _facts(change: PriceChange) -> dict[str, object]:
    return msgspec.structs.asdict(change) | {"valid_from": wire_time(change.valid_from)}
