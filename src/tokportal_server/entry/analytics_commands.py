"""``tokportal-server analytics``: the daily rollups that series are made from."""

from __future__ import annotations

from uuid import UUID

from cyclopts import App

from tokportal_server.analytics.operations.rebuild_rollups import (
    list_workspaces,
    rebuild_rollups,
)
from tokportal_server.entry.installation import answer, with_connection
from tokportal_server.entry.operator_options import Flag, report
from tokportal_server.lib.db import Connection

analytics = App(name="analytics", help="Look after what was collected.")


@analytics.command
def rebuild(*, workspace: UUID | None = None, json: Flag = False) -> int:
    """Make the daily rollups anew from the snapshots, while the server runs.

    Nothing changes if nothing was wrong. Days of which snapshots have had their time stay as they
    are.

    Parameters
    ----------
    workspace
        Id of the one workspace to look at; without it, all of them.
    json
        Answer with one JSON object, for scripts.
    """

    async def run(conn: Connection) -> int:
        known = await list_workspaces(conn)
        if workspace is not None and workspace not in known:
            answer(f"No workspace {workspace}: `workspace list` shows those there are.")
            return 1
        workspaces = known if workspace is None else [workspace]
        done = [await rebuild_rollups(conn=conn, workspace_id=one) for one in workspaces]
        facts = {
            "workspaces": len(done),
            "accounts": sum(one.accounts for one in done),
            "posts_tracked": sum(one.posts_tracked for one in done),
            "days": sum(one.days for one in done),
        }
        report(
            facts,
            f"{facts['accounts']} accounts of {facts['workspaces']} workspaces were worked out"
            f" anew: {facts['days']} rows of days. {facts['posts_tracked']} posts were not tracked"
            " and are now.",
            as_json=json,
        )
        return 0

    return with_connection(run)
