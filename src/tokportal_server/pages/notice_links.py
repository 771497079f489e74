"""Where a notice leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg


def link_of(notice: Mapping[str, Any] | asyncpg.Record) -> str:
    """Give the page that a notice leads to: one's own work, or the console."""
    about, workspace_id = notice["about"], notice["workspace_id"]
    place = f"#slot-{about['position']}" if "position" in about else ""
    if "work" in about:
        if "bundle_id" in about:
            return f"/desk/{workspace_id}/{about['bundle_id']}{place}"
        if "edit_request_id" in about:
            return "/desk/edits"
        return "/desk/comments" if "comment_task_id" in about else "/desk/mine"
    console = f"/console/{workspace_id}"
    match about:
        case {"endpoint_id": endpoint}:
            return f"{console}/webhooks/{endpoint}"
        case {"saved_account_id": account} if notice["topic"] in ("ban", "edits"):
            return f"{console}/accounts/{account}"
        case {"bundle_id": bundle}:
            return f"{console}/bundles/{bundle}{place}"
    # The invited do not belong to the workspace yet; the link that lets them in is elsewhere.
    outside = "/notices" if notice["topic"] == "invitation" else console
    return f"{console}/credits" if notice["topic"] == "credits" else outside
