"""Everything of a workspace as one file: asked for, made by a worker, fetched within a week."""

from __future__ import annotations

from typing import Final

from tokportal_server.console.acts import console_address
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Stream,
    Visit,
    nothing_here,
)
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.exports import KEPT, ask_for_export, list_exports
from tokportal_server.workspaces.holdings import HOLDINGS


async def show_exports(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the archives that there are, and what one holds; only owners ask and fetch."""
    exports = await list_exports(visit.conn, visit.workspace.id)
    facts = {
        "exports": exports,
        "waiting": any(one.state == "waiting" for one in exports),
        "owner": visit.workspace.role == "owner",
        "withheld": [one for one in HOLDINGS if one.withheld],
        "days": KEPT.days,
        "address": f"{console_address(visit)}/exports",
        "refusal": refusal,
    }
    return Shown("exports.html", facts)


async def ask(visit: Visit) -> Answer:
    """Have an archive made."""
    try:
        await ask_for_export(
            visit.conn, visit.workspace.id, actor=visit.customer, person_id=visit.person.id
        )
    except ApiError as error:
        return await show_exports(visit, Refusal.of("ask", error, visit))
    return Redirect(f"{console_address(visit)}/exports?done=export_asked")


async def fetch(visit: Visit) -> Answer:
    """Give an archive to an owner; who took it is noted."""
    workspace_id, wanted = visit.workspace.id, visit.id("export")
    exports = await list_exports(visit.conn, workspace_id)
    found = next((one for one in exports if one.id == wanted and one.state == "made"), None)
    if found is None or not found.size_bytes:
        raise nothing_here()
    try:
        chunks = await visit.ports.storage.get_range(found.storage_key, 0, found.size_bytes)
    except FileNotFoundError:
        raise nothing_here() from None
    if visit.method == "GET":
        await write_audit(
            visit.conn,
            workspace_id=workspace_id,
            action="workspace.export_fetched",
            subject=("workspace", workspace_id),
            actor=visit.customer,
            details={"export_id": str(wanted)},
        )
    name = f"workspace-{workspace_id}-{found.asked_at:%Y-%m-%d}.zip"
    return Stream(chunks, "application/zip", name)


_HERE = "/console/{workspace}/exports"
EXPORT_PAGES: Final = (
    Page("exports", "GET", _HERE, show_exports),
    Page("ask_for_export", "POST", _HERE, ask),
    Page("fetch_export", "GET", f"{_HERE}/{{export}}", fetch),
)
