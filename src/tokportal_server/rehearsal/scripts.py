"""Which script the simulated managers follow with a bundle.

1. Its ``external_ref`` names one: ``rehearsal:slow``, or ``rehearsal:slow:`` and anything else.
2. Its owner has chosen one (:func:`choose_script`).
3. It is drawn by the workspace's weights, from the seed and the number that the bundle has in the
   workspace, counted from 1: a second rehearsal with the same seed tells the same story.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Literal, get_args
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import lock_bundle

Script = Literal["prompt", "slow", "careless", "broken_download", "releases", "bans"]
SCRIPTS: Final[tuple[Script, ...]] = get_args(Script)
DESCRIPTIONS: Final[Mapping[Script, str]] = {
    "prompt": "Everything is done at once, and right.",
    "slow": (
        "Claims after 6 hours, sets up and corrects a day later, posts on the last evening of the"
        " window: late, but in time."
    ),
    "careless": "Hands in the wrong username and another account's post first; corrects at once.",
    "broken_download": (
        "Says of each slot's media once that they cannot be downloaded, and posts after you have"
        " fixed that."
    ),
    "releases": "Gives the order back 12 hours after the first claim; the next one is prompt.",
    "bans": "The platform bans the account a day and a half after it was delivered.",
}
EVEN: Final[Mapping[str, int]] = {"prompt": 1}
HIGHEST_WEIGHT: Final = 1000
_PREFIX: Final = "rehearsal:"

# Bundles without a script that managers could come upon, with their numbers.
UNASSIGNED = """
SELECT n.id, n.external_ref, n.number FROM (
    SELECT id, external_ref, status, row_number() OVER (ORDER BY ordinal) AS number
      FROM bundles WHERE workspace_id = $1
) n
 WHERE n.status IN ('published', 'published_priority')
   AND NOT EXISTS (SELECT FROM rehearsal_scripts r
                    WHERE r.workspace_id = $1 AND r.bundle_id = n.id)
 ORDER BY n.number
"""
ANY_UNASSIGNED = """
SELECT EXISTS (
    SELECT FROM bundles b
     WHERE b.workspace_id = $1 AND b.status IN ('published', 'published_priority')
       AND NOT EXISTS (SELECT FROM rehearsal_scripts r
                        WHERE r.workspace_id = $1 AND r.bundle_id = b.id)
)
"""
SETTINGS = "SELECT seed, weights FROM rehearsal_settings WHERE workspace_id = $1"
ASSIGN = """
INSERT INTO rehearsal_scripts (workspace_id, bundle_id, script)
SELECT $1, * FROM unnest($2::uuid[], $3::text[])
ON CONFLICT (workspace_id, bundle_id) DO NOTHING
"""
CHOOSE = """
INSERT INTO rehearsal_scripts (workspace_id, bundle_id, script) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, bundle_id) DO UPDATE SET script = excluded.script
"""
WRITE_SETTINGS = """
INSERT INTO rehearsal_settings (workspace_id, seed, weights) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id) DO UPDATE SET seed = excluded.seed, weights = excluded.weights
"""


async def assign_scripts(conn: Connection, workspace_id: UUID) -> None:
    """Give every bundle that is offered its script, if it has none."""
    if not await conn.fetchval(ANY_UNASSIGNED, workspace_id):
        return
    seed, weights = await read_settings(conn, workspace_id)
    rows = await conn.fetch(UNASSIGNED, workspace_id)
    scripts = [
        script_named_by(row["external_ref"]) or draw(seed, weights, row["number"]) for row in rows
    ]
    await conn.execute(ASSIGN, workspace_id, [row["id"] for row in rows], scripts)


async def choose_script(*, tx: UnitOfWork, bundle_id: UUID, script: Script) -> None:
    """Let the managers follow a script with one bundle from now on, whatever it had before.

    Raises:
        BundleNotFoundError: there is no such bundle.
    """
    await lock_bundle(tx, bundle_id)
    await tx.conn.execute(CHOOSE, tx.workspace_id, bundle_id, script)


async def read_settings(conn: Connection, workspace_id: UUID) -> tuple[int, Mapping[str, int]]:
    """Give a rehearsal's seed and the weights of its scripts; every script is prompt at first."""
    row = await conn.fetchrow(SETTINGS, workspace_id)
    return (row["seed"], row["weights"]) if row else (0, EVEN)


async def write_settings(*, tx: UnitOfWork, seed: int, weights: Mapping[str, int]) -> None:
    """Set what scripts are drawn by; bundles that have one keep it.

    Raises:
        ValidationError: all of them are 0.
    """
    if not any(weights.values()):
        refuse([Problem("weights", "needs one script with a weight above 0")])
    await tx.conn.execute(WRITE_SETTINGS, tx.workspace_id, seed, dict(weights))


def script_named_by(external_ref: str | None) -> Script | None:
    """Give the script that a reference asks for, or None if it names none."""
    if not external_ref or not external_ref.startswith(_PREFIX):
        return None
    wanted = external_ref.removeprefix(_PREFIX).partition(":")[0]
    return next((script for script in SCRIPTS if script == wanted), None)


def draw(seed: int, weights: Mapping[str, int], number: int) -> str:
    """Draw a script for the bundle with this number; the same arguments give the same one."""
    digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    left = int.from_bytes(digest[:8], "big") % sum(weights.values())
    # In the order of their names, whatever order the weights were written down in.
    for script in sorted(weights):
        left -= weights[script]
        if left < 0:
            return script
    raise AssertionError("a remainder is smaller than the sum")
