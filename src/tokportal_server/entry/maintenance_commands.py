"""``tokportal-server maintenance``: stop all writing for a while, and let it go on."""

from __future__ import annotations

from datetime import datetime

from cyclopts import App

from tokportal_server.cli.administration import AdministrationError
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import with_connection
from tokportal_server.entry.operator_options import Flag, Why, report
from tokportal_server.lib.clock import in_utc
from tokportal_server.lib.db import Connection
from tokportal_server.lib.maintenance import FRESH_SECONDS, ON
from tokportal_server.workbench.operations import kill_switch
from tokportal_server.workbench.operations.kill_switch import Switch

maintenance = App(name="maintenance", help="Stop all writing for a while; reading goes on.")


@maintenance.command(name="on")
def turn_on(*, why: Why, until: datetime | None = None) -> int:
    """Refuse every write with 503, and have workers take nothing new up.

    Parameters
    ----------
    why
        Who decides, and why: the reason is shown to everybody.
    until
        When it is expected to end (ISO 8601, UTC without an offset); it ends with `off`.
    """
    ends = in_utc(until) if until is not None else None
    switch = Switch("maintenance", until=ends)

    async def stop(conn: Connection) -> int:
        actor = await acting_operator(conn, why.by)
        await kill_switch.pause(conn=conn, actor=actor, switch=switch, reason=why.reason)
        report(
            {"maintenance": True, "reason": why.reason, "until": ends},
            f"Maintenance is on. In {FRESH_SECONDS:.0f} seconds no process begins a write any more;"
            " what is under way is finished.",
            as_json=why.json,
        )
        return 0

    return with_connection(stop)


@maintenance.command(name="off")
def turn_off(*, why: Why) -> int:
    """Let writing go on."""

    async def go_on(conn: Connection) -> int:
        actor = await acting_operator(conn, why.by)
        switch = Switch("maintenance")
        if not await kill_switch.resume(conn=conn, actor=actor, switch=switch, reason=why.reason):
            raise AdministrationError("Maintenance is not on.")
        report({"maintenance": False}, "Maintenance is off.", as_json=why.json)
        return 0

    return with_connection(go_on)


@maintenance.command(name="status")
def status(*, json: Flag = False) -> int:
    """Say whether it is on, why, and until when.

    Parameters
    ----------
    json
        Answer with one JSON object, for scripts.
    """

    async def tell(conn: Connection) -> int:
        row = await conn.fetchrow(ON)
        if row is None:
            report({"maintenance": False}, "Maintenance is off.", as_json=json)
            return 0
        ends = "" if row["until"] is None else f", expected until {row['until']:%Y-%m-%d %H:%M} UTC"
        facts = {"maintenance": True, "reason": row["reason"], "until": row["until"]}
        report(facts, f"Maintenance is on ({row['reason']}){ends}.", as_json=json)
        return 0

    return with_connection(tell)
