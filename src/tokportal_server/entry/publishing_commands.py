"""``tokportal-server pause`` and ``resume``: the switch that stops publishing and claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from cyclopts import Parameter

from tokportal_server.cli.administration import AdministrationError
from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import with_connection
from tokportal_server.entry.operator_options import Why, report
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.operations import kill_switch
from tokportal_server.workbench.operations.kill_switch import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """What to stop, or let go on: exactly one of these.

    Parameters
    ----------
    everything
        All workspaces.
    workspace
        One workspace.
    account
        One delivered account.
    """

    everything: Annotated[bool, Parameter(name="--all", negative="")] = False
    workspace: UUID | None = None
    account: UUID | None = None

    def switch(self) -> Switch:
        """Give the one switch that is meant."""
        chosen = [
            *([Switch("all")] if self.everything else []),
            *([Switch("workspace", self.workspace)] if self.workspace else []),
            *([Switch("account", self.account)] if self.account else []),
        ]
        if len(chosen) != 1:
            raise AdministrationError("Give exactly one of --all, --workspace and --account.")
        return chosen[0]


Switches = Annotated[What | None, Parameter(name="*")]


def pause(*, why: Why, what: Switches = None) -> int:
    """Stop publishing and claims; what is claimed goes on, and customers read the reason."""
    switch = (what or What()).switch()

    async def stop(conn: Connection) -> int:
        actor = await acting_operator(conn, why.by)
        await kill_switch.pause(conn=conn, actor=actor, switch=switch, reason=why.reason)
        _tell(switch, paused=True, sentence="Publishing and claims are stopped", as_json=why.json)
        return 0

    return with_connection(stop)


def resume(*, why: Why, what: Switches = None) -> int:
    """Let publishing and claims go on."""
    switch = (what or What()).switch()

    async def go_on(conn: Connection) -> int:
        actor = await acting_operator(conn, why.by)
        if not await kill_switch.resume(conn=conn, actor=actor, switch=switch, reason=why.reason):
            raise AdministrationError(f"Nothing was stopped for {_named(switch)}.")
        _tell(switch, paused=False, sentence="Publishing and claims go on", as_json=why.json)
        return 0

    return with_connection(go_on)


def _named(switch: Switch) -> str:
    return "all" if switch.subject_id is None else f"{switch.scope} {switch.subject_id}"


def _tell(switch: Switch, *, paused: bool, sentence: str, as_json: bool) -> None:
    facts = {"scope": switch.scope, "subject_id": switch.subject_id, "paused": paused}
    report(facts, f"{sentence}: {_named(switch)}.", as_json=as_json)
