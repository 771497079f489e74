"""``tokportal-server manager``: take managers out of work, and back in."""

from __future__ import annotations

from cyclopts import App

from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import settings, with_connection
from tokportal_server.entry.operator_options import Why, report
from tokportal_server.lib.db import Connection
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.operations import deactivate_manager as managing
from tokportal_server.workspaces.lookups import find_person

manager = App(name="manager", help="Take managers out of work, and back in.")


@manager.command(name="deactivate")
def deactivate(email: str, *, why: Why) -> int:
    """Stop a manager from working; what they have in hand is offered to others at once.

    The reason is for the audit log alone; customers see their orders released.

    Parameters
    ----------
    email
        Address that they sign in with.
    """
    rules = OrderRules.of(settings())

    async def run(conn: Connection) -> int:
        person_id = await find_person(conn, email)
        actor = await acting_operator(conn, why.by)
        done = await managing.deactivate_manager(
            conn=conn, actor=actor, person_id=person_id, reason=why.reason, rules=rules
        )
        facts = {
            "person_id": person_id,
            "orders_released": list(done.bundles),
            "accounts": done.accounts,
            "edit_requests": done.edit_requests,
        }
        sentence = (
            f"{email} does not work any more: {len(done.bundles)} orders are back in the queue,"
            f" {done.accounts} accounts and {done.edit_requests} edit requests wait for another"
            " manager."
        )
        report(facts, sentence, as_json=why.json)
        return 0

    return with_connection(run)


@manager.command(name="activate")
def activate(email: str, *, why: Why) -> int:
    """Let a manager work again; what was offered to others does not come back.

    Parameters
    ----------
    email
        Address that they sign in with.
    """

    async def run(conn: Connection) -> int:
        person_id = await find_person(conn, email)
        actor = await acting_operator(conn, why.by)
        await managing.activate_manager(
            conn=conn, actor=actor, person_id=person_id, reason=why.reason
        )
        report({"person_id": person_id}, f"{email} works again.", as_json=why.json)
        return 0

    return with_connection(run)
