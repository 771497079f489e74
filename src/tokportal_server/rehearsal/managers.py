"""Simulated managers: each bundle is worked on as its script says (``scripts.py``, ``steps.py``).

They call the workbench's operations as people do, in transactions of their own; when somebody (or
another worker) was faster, the refusal ends that step and nothing else.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TypedDict
from uuid import UUID

import structlog

from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.collecting import collect_once
from tokportal_server.rehearsal.commenting import comment_once
from tokportal_server.rehearsal.editing import edit_once, profile_url
from tokportal_server.rehearsal.scripts import assign_scripts
from tokportal_server.rehearsal.steps import due_steps
from tokportal_server.workbench.deadlines import REHEARSALS
from tokportal_server.workbench.operations.ban_account import ban_account
from tokportal_server.workbench.operations.claim_bundle import claim_bundle
from tokportal_server.workbench.operations.release_claim import release_claim
from tokportal_server.workbench.operations.report_download_issue import report_download_issue
from tokportal_server.workbench.operations.submit_account import SubmittedAccount, submit_account
from tokportal_server.workbench.operations.submit_slot import submit_slot

log = structlog.get_logger(__name__)

REPORTED = """
UPDATE rehearsal_scripts SET reported = array_append(reported, $3)
 WHERE workspace_id = $1 AND bundle_id = $2
"""
BRIEF = """
SELECT b.platform, p.username AS wanted, COALESCE(a.username, p.username) AS username,
       b.saved_account_id, s.id AS slot_id, s.video_type
  FROM bundles b
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  LEFT JOIN slots s ON s.workspace_id = b.workspace_id AND s.bundle_id = b.id AND s.position = $3
 WHERE b.workspace_id = $1 AND b.id = $2
"""
# Room for what a careless manager appends: TikTok's names have 24 characters at most.
_LONGEST_SHARED_NAME = 22
# How much one round of the worker does for one rehearsal.
_MOST_STEPS = 200


class _Held(TypedDict):
    """What the operations on a bundle have in common."""

    tx: UnitOfWork
    actor: Actor
    bundle_id: UUID
    rules: OrderRules


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
    await assign_scripts(conn, workspace_id)
    done = 0
    for step in await due_steps(conn, workspace_id, now, most=_MOST_STEPS):
        done += await take_step(conn, ports, workspace_id, step, now)
    done += await edit_once(conn, workspace_id, now)
    done += await comment_once(conn, workspace_id, now)
    # Nothing else follows from new numbers, so they are no step of anybody's.
    await collect_once(conn, ports, workspace_id, now)
    return done


async def take_step(
    conn: Connection, ports: Ports, workspace_id: UUID, step: Row, now: datetime
) -> bool:
    """Take one of the steps of ``due_steps``; say whether it was not refused."""
    try:
        async with unit_of_work(conn, workspace_id, now=now) as tx:
            await _Step(tx, ports, step).take()
    except ApiError as error:
        log.info("simulated_step_refused", what=step["what"], code=error.code)
        return False
    return True


class _Step:
    """One step of a simulated manager, in a transaction."""

    def __init__(self, tx: UnitOfWork, ports: Ports, step: Row) -> None:
        self._tx = tx
        self._ports = ports
        self._rules = OrderRules.of(ports.settings)
        self._actor = Actor("manager", step["person_id"])
        self._bundle_id: UUID = step["bundle_id"]
        self._position: int = step["position"]
        self._what: str = step["what"]
        self._careless = step["script"] == "careless"

    async def take(self) -> None:
        """Do it, by the operation that a person would use."""
        brief = existing(
            await self._tx.conn.fetchrow(
                BRIEF, self._tx.workspace_id, self._bundle_id, self._position
            )
        )
        match self._what:
            case "claim":
                await claim_bundle(**self._held())
            case "release":
                await release_claim(**self._held(), reason="I fell ill. Sorry!")
            case "report":
                await self._report(brief)
            case "ban":
                await self._ban(brief)
            case "set_up" | "correct":
                await self._hand_in_account(brief)
            case _:
                await self._hand_in_post(brief)

    def _held(self) -> _Held:
        """Give what every operation on a bundle is told."""
        return {
            "tx": self._tx,
            "actor": self._actor,
            "bundle_id": self._bundle_id,
            "rules": self._rules,
        }

    async def _hand_in_account(self, brief: Row) -> None:
        wrong = self._careless and self._what == "set_up"
        name = f"{brief['wanted'][:_LONGEST_SHARED_NAME]}_1" if wrong else brief["wanted"]
        submitted = _account(brief["platform"], name)
        await submit_account(**self._held(), vault=self._ports.vault, submitted=submitted)

    async def _hand_in_post(self, brief: Row) -> None:
        wrong = self._careless and self._what == "post"
        await submit_slot(
            **self._held(),
            position=self._position,
            platform_url=_post_url(brief, "somebody.else" if wrong else brief["username"]),
            evidence_url=_evidence_url(brief),
        )

    async def _report(self, brief: Row) -> None:
        await self._tx.conn.execute(
            REPORTED, self._tx.workspace_id, self._bundle_id, brief["slot_id"]
        )
        await report_download_issue(
            tx=self._tx,
            actor=self._actor,
            bundle_id=self._bundle_id,
            position=self._position,
            reason="The download stops half way.",
        )

    async def _ban(self, brief: Row) -> None:
        # A platform bans; with people it is an operator who notes it.
        await ban_account(
            tx=self._tx,
            actor=SYSTEM,
            account_id=brief["saved_account_id"],
            reason="The simulated platform found the account suspicious.",
        )


def _account(platform: str, name: str) -> SubmittedAccount:
    return SubmittedAccount(
        username=name,
        profile_url=profile_url(platform, name),
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


def _post_url(brief: Row, author: str) -> str:
    """Give an address of the right form; nothing is ever posted there."""
    number = brief["slot_id"].int % 10**19
    if brief["platform"] == "tiktok":
        return f"https://www.tiktok.com/@{author}/video/{number:019d}"
    if brief["video_type"] == "story":
        return f"https://www.instagram.com/stories/{author}/{number:019d}/"
    return f"https://www.instagram.com/{author}/reel/{brief['slot_id'].hex[:11]}/"
