"""A rehearsal: what time it is there, what comes next, moving on, how its managers behave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from tokportal_server.console.acts import console_address, is_writer, perform, refusal_of
from tokportal_server.console.bodies import body_of
from tokportal_server.http.validation import Problem, decode_body, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Shown, Visit, nothing_here
from tokportal_server.rehearsal.clock import FARTHEST, advance
from tokportal_server.rehearsal.moments import next_moment
from tokportal_server.rehearsal.routes import AdvanceRequest
from tokportal_server.rehearsal.script_routes import BundleScriptRequest, ScriptsRequest
from tokportal_server.rehearsal.scripts import (
    DESCRIPTIONS,
    choose_script,
    read_settings,
    write_settings,
)

# What the clock will stop at, with what it is about; the clock itself reads the times alone.
UPCOMING = """
SELECT d.kind, d.object_id, d.position, d.due_at FROM (
    SELECT 'priority' AS kind, id AS object_id, NULL::integer AS position, priority_at AS due_at
      FROM bundles WHERE workspace_id = $1 AND priority_at > $2
    UNION ALL
    SELECT 'profile_review', bundle_id, NULL, review_deadline_at
      FROM profiles WHERE workspace_id = $1 AND review_deadline_at > $2
    UNION ALL
    SELECT 'slot_review', bundle_id, position, review_deadline_at
      FROM slots WHERE workspace_id = $1 AND review_deadline_at > $2
    UNION ALL
    SELECT 'claim', bundle_id, NULL, due_at
      FROM claims WHERE workspace_id = $1 AND status = 'live' AND due_at > $2
    UNION ALL
    SELECT 'window', bundle_id, position, target_start::timestamp AT TIME ZONE 'UTC'
      FROM slots WHERE workspace_id = $1 AND status = 'accepted' AND workable_at IS NOT NULL
    UNION ALL
    SELECT 'comment', id, NULL, due_at
      FROM comment_tasks WHERE workspace_id = $1 AND due_at > $2
    UNION ALL
    SELECT 'lots', NULL, NULL, expires_at
      FROM credit_lots WHERE workspace_id = $1 AND remaining > 0 AND expires_at > $2
) d WHERE d.due_at > $2 ORDER BY d.due_at, d.object_id, d.position LIMIT 15
"""
# Bundles that managers still work on, or will; the newest.
BUNDLES = """
SELECT b.id, b.title, b.external_ref, r.script FROM bundles b
  LEFT JOIN rehearsal_scripts r ON r.workspace_id = b.workspace_id AND r.bundle_id = b.id
 WHERE b.workspace_id = $1
   AND b.status IN ('pending_setup', 'published', 'published_priority', 'accepted')
 ORDER BY b.ordinal DESC LIMIT 50
"""
# What a text of a comment asks the simulated platform for.
_WORDS: Final = ("wrong_text", "wrong_account", "scrape_failed", "couldnt_verify")


async def show_rehearsal(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the clock and what it will come to; of a workspace on real time, why there is none."""
    there = await _there(visit) if visit.workspace.rehearsal else {}
    facts = {
        **there,
        "words": _WORDS,
        "scripts": DESCRIPTIONS,
        "writer": is_writer(visit),
        "address": _address(visit),
        "console": console_address(visit),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("rehearsal.html", facts)


async def _there(visit: Visit) -> dict[str, Any]:
    """Give what a rehearsal is about to do, and how."""
    workspace_id = visit.workspace.id
    seed, weights = await read_settings(visit.conn, workspace_id)
    bundles = await visit.conn.fetch(BUNDLES, workspace_id)
    return {
        "due": await visit.conn.fetch(UPCOMING, workspace_id, visit.now),
        "next": await _next(visit),
        "seed": seed,
        "weights": weights,
        "bundles": bundles,
        "bundle_options": [(one["id"], _named(one)) for one in bundles],
        "script_options": [(name, name) for name in DESCRIPTIONS],
    }


def _named(bundle: Row) -> str:
    name = bundle["title"] or bundle["external_ref"] or str(bundle["id"])
    return f"{name} ({bundle['script']})" if bundle["script"] else name


async def set_scripts(visit: Visit) -> Answer:
    """Set what the scripts of bundles are drawn by that managers have not come upon yet.

    Raises:
        PageNotFoundError: the workspace is on real time.
    """
    if not visit.workspace.rehearsal:
        raise nothing_here()

    async def act(tx: UnitOfWork) -> None:
        weights = {name: _number(visit.field(f"weights.{name}") or "0") for name in DESCRIPTIONS}
        body = msgspec.json.encode({"weights": weights, "seed": _number(visit.field("seed"))})
        asked = decode_body(ScriptsRequest, body)
        await write_settings(tx=tx, seed=asked.seed, weights=asked.weights.above_zero())

    then = f"{_address(visit)}?done=scripts_set"
    return await perform(visit, "scripts", act, again=show_rehearsal, then=then)


async def choose_bundle_script(visit: Visit) -> Answer:
    """Choose what the managers do with one bundle from now on.

    Raises:
        PageNotFoundError: the workspace is on real time, or has no such bundle.
    """
    if not visit.workspace.rehearsal:
        raise nothing_here()

    async def act(tx: UnitOfWork) -> None:
        asked = decode_body(BundleScriptRequest, body_of(BundleScriptRequest, visit.form))
        bundle_id = visit.field("bundle")
        known = await tx.conn.fetch(BUNDLES, tx.workspace_id)
        if bundle_id not in {str(one["id"]) for one in known}:
            refuse([Problem("bundle", "must be a bundle of the list", bundle_id)])
        await choose_script(tx=tx, bundle_id=UUID(bundle_id), script=asked.script)

    then = f"{_address(visit)}?done=scripts_set"
    return await perform(visit, "bundle", act, again=show_rehearsal, then=then)


def _number(written: str) -> int | str:
    """Give a number as one; what is none goes on, and validation says so."""
    return (
        int(written) if written.isascii() and written.isdigit() and len(written) < 17 else written
    )


async def move_clock(visit: Visit) -> Answer:
    """Move the clock on, by hours or to what is due next; all on the way happens first.

    Raises:
        PageNotFoundError: the workspace is on real time.
    """
    if not visit.workspace.rehearsal:
        raise nothing_here()
    try:
        by = _distance(visit)
        # Without a connection of ours: it takes its own, and may wait for its turn.
        await advance(visit.ports, visit.workspace.id, by)
    except ApiError as error:
        async with visit.connected() as here:
            return await show_rehearsal(here, refusal_of("clock", error, visit))
    return Redirect(f"{_address(visit)}?done=clock_moved")


def _distance(visit: Visit) -> timedelta | None:
    """Read how far the form wants to go; None is to what happens next.

    Raises:
        ValidationError: it says no number of hours.
    """
    if visit.field("to") == "next":
        return None
    form = {"hours": visit.field("hours").replace(",", ".")}
    return decode_body(AdvanceRequest, body_of(AdvanceRequest, form)).by


async def _next(visit: Visit) -> datetime | None:
    """Give the next moment at which anything is due, within the year that one may go ahead."""
    return await next_moment(
        visit.conn, visit.ports, visit.workspace.id, visit.now, visit.now + FARTHEST
    )


def _address(visit: Visit) -> str:
    return f"{console_address(visit)}/rehearsal"


_HERE = "/console/{workspace}/rehearsal"
REHEARSAL_PAGES: Final = (
    Page("rehearsal", "GET", _HERE, show_rehearsal),
    Page("set_scripts", "POST", f"{_HERE}/scripts", set_scripts),
    Page("choose_script", "POST", f"{_HERE}/bundles", choose_bundle_script),
    Page("move_clock", "POST", _HERE, move_clock, goes_outside=True),
)
