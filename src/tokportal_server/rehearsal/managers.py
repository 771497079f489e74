"""Simulated managers of script ``prompt``: they do at once whatever there is to do.

They call the workbench's operations as people do, in transactions of their own; when somebody (or
another worker) was faster, the refusal ends that step and nothing else.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

import structlog

from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.commenting import comment_once
from tokportal_server.rehearsal.editing import edit_once, profile_url
from tokportal_server.workbench.deadlines import REHEARSALS
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account
from tokportal_server.workbench.operations.submit_slot import submit_slot

log = structlog.get_logger(__name__)

# What the managers of one rehearsal ($1) can do at its now ($2), oldest order first.
TASKS = """
SELECT t.* FROM (
    SELECT 'claim' AS what, b.id AS bundle_id, b.ordinal, 0 AS position, m.person_id
      FROM bundles b
      JOIN LATERAL (
          SELECT person_id FROM managers
           WHERE rehearsal_workspace_id = b.workspace_id AND active
             AND b.country = ANY (countries) AND b.platform = ANY (platforms)
           ORDER BY person_id LIMIT 1
      ) m ON true
     WHERE b.workspace_id = $1 AND b.status IN ('published', 'published_priority')
    UNION ALL
    SELECT 'set_up', b.id, b.ordinal, 0, c.manager_id
      FROM bundles b
      JOIN claims c ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id AND c.status = 'live'
      JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
     WHERE b.workspace_id = $1 AND p.status IN ('published', 'pending_corrections')
    UNION ALL
    SELECT 'post', b.id, b.ordinal, s.position, c.manager_id
      FROM bundles b
      JOIN claims c ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id AND c.status = 'live'
      JOIN slots s ON s.workspace_id = b.workspace_id AND s.bundle_id = b.id
     WHERE b.workspace_id = $1
       AND (s.status = 'pending_corrections'
            OR s.status = 'accepted' AND s.workable_at IS NOT NULL AND s.download_issue IS NULL
               AND s.target_start <= ($2::timestamptz AT TIME ZONE 'UTC')::date)
) t
  JOIN managers m ON m.person_id = t.person_id AND m.rehearsal_workspace_id = $1
 ORDER BY t.ordinal, t.position LIMIT 200
"""
BRIEF = """
SELECT b.platform, COALESCE(a.username, p.username) AS username, s.id AS slot_id, s.video_type
  FROM bundles b
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  LEFT JOIN slots s ON s.workspace_id = b.workspace_id AND s.bundle_id = b.id AND s.position = $3
 WHERE b.workspace_id = $1 AND b.id = $2
"""


class SimulatedManagers:
    """The worker's loop over every rehearsal."""

    name = "simulated_managers"

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def run_once(self) -> int:
        """Let every simulated manager do what there is to do now."""
        async with self._ports.database.connection() as conn:
            done = 0
            for row in await conn.fetch(REHEARSALS):
                there = real_now() + row["clock_offset"]
                done += await work_once(conn, self._ports, row["id"], there)
            return done


async def work_once(conn: Connection, ports: Ports, workspace_id: UUID, now: datetime) -> int:
    """Do what the managers of one rehearsal can do at ``now``; give how many steps were taken."""
    done = 0
    for task in await conn.fetch(TASKS, workspace_id, now):
        try:
            async with unit_of_work(conn, workspace_id, now=now) as tx:
                await _do(tx, ports, task)
            done += 1
        except ApiError as error:
            log.info("simulated_step_refused", what=task["what"], code=error.code)
    done += await edit_once(conn, workspace_id, now)
    return done + await comment_once(conn, workspace_id, now)


async def _do(tx: UnitOfWork, ports: Ports, task: Row) -> None:
    actor = Actor("manager", task["person_id"])
    rules = OrderRules.of(ports.settings)
    bundle_id, position = task["bundle_id"], task["position"]
    if task["what"] == "claim":
        await claim_bundle(tx=tx, actor=actor, bundle_id=bundle_id, rules=rules)
        return
    brief = existing(await tx.conn.fetchrow(BRIEF, tx.workspace_id, bundle_id, position))
    if task["what"] == "set_up":
        await submit_account(
            tx=tx,
            actor=actor,
            vault=ports.vault,
            bundle_id=bundle_id,
            submitted=_account(brief),
            rules=rules,
        )
    else:
        await submit_slot(
            tx=tx,
            actor=actor,
            bundle_id=bundle_id,
            position=position,
            platform_url=_post_url(brief),
            evidence_url=_evidence_url(brief),
            rules=rules,
        )


def _account(brief: Row) -> SubmittedAccount:
    name: str = brief["username"]
    return SubmittedAccount(
        username=name,
        profile_url=profile_url(brief["platform"], name),
        credentials=Credentials(
            password=secrets.token_urlsafe(12),
            email=f"{name}@mail.example",
            email_password=secrets.token_urlsafe(12),
            recovery_codes=[secrets.token_hex(4) for _ in range(4)],
        ),
    )


def _evidence_url(brief: Row) -> str | None:
    """Give an address for the picture that a story needs; by its very name nothing is there."""
    story = brief["video_type"] == "story"
    return f"https://rehearsal.invalid/{brief['slot_id']}.jpg" if story else None


def _post_url(brief: Row) -> str:
    """Give an address of the right form; nothing is ever posted there."""
    number = brief["slot_id"].int % 10**19
    if brief["platform"] == "tiktok":
        return f"https://www.tiktok.com/@{brief['username']}/video/{number:019d}"
    if brief["video_type"] == "story":
        return f"https://www.instagram.com/stories/{brief['username']}/{number:019d}/"
    return f"https://www.instagram.com/reel/{brief['slot_id'].hex[:11]}/"
