"""An operator erases a person: who they were goes, what they worked stays with a pseudonym.

Decision 0021 says what stays and why. A manager is taken out of work first, by the door that offers
what they hold to others; all the rest is one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.jobs import forget_jobs
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.operations.deactivate_manager import deactivate_manager
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.errors import PersonNotFoundError
from tokportal_server.workspaces.operations.members import remove_member

FIND = """
SELECT p.id, p.name, p.email, p.operator, m.person_id IS NOT NULL AS manager
  FROM people p LEFT JOIN managers m ON m.person_id = p.id
 WHERE p.id = $1 AND p.erased_at IS NULL AND m.rehearsal_workspace_id IS NULL
"""
UNPAID = """
SELECT DISTINCT to_char(e.month, 'YYYY-MM') AS month
  FROM (SELECT manager_id, month, currency FROM earnings WHERE manager_id = $1
         GROUP BY manager_id, month, currency HAVING sum(amount) <> 0) e
  LEFT JOIN earning_statements s ON s.manager_id = e.manager_id AND s.month = e.month
 WHERE s.status IS DISTINCT FROM 'settled' ORDER BY month
"""
BEGIN = """
INSERT INTO erasures (kind, subject_id, state) VALUES ('person', $1, 'deleting')
ON CONFLICT DO NOTHING RETURNING 1
"""
DONE = """
UPDATE erasures SET state = 'done', done_at = now() WHERE kind = 'person' AND subject_id = $1
"""
WORKSPACES = """
SELECT workspace_id FROM workspace_members WHERE person_id = $1 ORDER BY workspace_id
"""
END_INVITATIONS = "DELETE FROM workspace_invitations WHERE invited_by = $1 OR lower(email) = $2"
END_SESSIONS = "DELETE FROM person_sessions WHERE person_id = $1"
END_LINKS = "DELETE FROM person_links WHERE person_id = $1"
END_STEPS = "DELETE FROM sign_in_steps WHERE person_id = $1"
END_FACTOR = "DELETE FROM second_factors WHERE person_id = $1"
END_NOTICES = "DELETE FROM notices WHERE person_id = $1"
END_CHOICES = "DELETE FROM notice_choices WHERE person_id = $1"
HIDE_MANAGER = """
UPDATE managers SET display_name = $2, active = false, countries = '{}', platforms = '{}',
       capacity = NULL
 WHERE person_id = $1
"""
HIDE_WORDS = """
UPDATE earning_statements SET note = NULL, answer = NULL
 WHERE manager_id = $1 AND (note IS NOT NULL OR answer IS NOT NULL)
"""
HIDE_REASONS = """
UPDATE earnings SET reason = 'erased' WHERE manager_id = $1 AND reason IS NOT NULL
"""
HIDE_REQUESTS = """
UPDATE api_requests r SET address = NULL, user_agent = NULL
  FROM api_keys k
 WHERE k.person_id = $1 AND r.workspace_id = k.workspace_id AND r.api_key_id = k.id
"""
# Acts of theirs lose the address, acts about them the words.
HIDE_AUDIT = """
UPDATE audit
   SET address = CASE WHEN actor_id = $1 THEN NULL ELSE address END,
       reason = CASE WHEN subject_id = $1 THEN NULL ELSE reason END,
       details = CASE WHEN subject_id = $1 OR lower(details ->> 'email') = $2 THEN '{}'
                      ELSE details END
 WHERE actor_id = $1 OR subject_id = $1 OR lower(details ->> 'email') = $2
"""
HIDE_PERSON = """
UPDATE people SET name = $2, email = $3, password_hash = NULL, erased_at = now() WHERE id = $1
"""
ForgetMails = Callable[[Connection, str], Awaitable[None]]
# No mail server has this domain (RFC 2606).
_NOWHERE: Final = "erased.invalid"


class ManagerUnpaidError(ApiError):
    """The manager is owed something, or owes it; ``details.months`` says for which months."""

    code = "MANAGER_UNPAID"
    status = 409
    remedy = (
        "The operator: settle the statements of these months first (`tokportal-server earnings"
        " settle`); that of the running month can be settled when it is over."
    )


@dataclass(frozen=True, slots=True)
class Erased:
    """What is left of a person: a name that says nothing; and what they had in hand."""

    name: str
    orders_offered_again: int


async def erase_person(
    conn: Connection,
    rules: OrderRules,
    forget_mails: ForgetMails,
    *,
    actor: Actor,
    person_id: UUID,
    email: str,
    reason: str,
) -> Erased:
    """Erase a person for good. ``email`` must be their address, so that nobody erases another.

    ``forget_mails`` deletes the mails to an address that are not sent yet; they lie sealed.

    Cut short and run again, it goes on: until the last step they can still be found by their name.

    Raises:
        PersonNotFoundError: there is no such person, they are simulated, or were erased before.
        LastOwnerError: a workspace would have no owner.
        ManagerUnpaidError: a month that they have earned in is not settled.
        ValidationError: no reason is given, the address is another one, they are an operator.
    """
    check_reason(reason)
    one = await _find(conn, person_id, email)
    offered = 0
    if one["manager"]:
        await _check_paid(conn, person_id)
        given = "being erased"
        let_go = await deactivate_manager(
            conn=conn, actor=actor, person_id=person_id, reason=given, rules=rules
        )
        offered = len(let_go.bundles)
    name = f"Erased person {person_id.hex[:4]}"
    async with conn.transaction():
        await _erase(conn, forget_mails, one, actor=actor, name=name)
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="person.erase",
            subject=("person", person_id),
            actor=actor,
            reason=reason,
            details={"orders_offered_again": offered},
        )
    return Erased(name, offered)


async def _find(conn: Connection, person_id: UUID, email: str) -> Row:
    one = await conn.fetchrow(FIND, person_id)
    if one is None:
        raise PersonNotFoundError(f"There is no person {person_id}.")
    problems = []
    if email.strip().lower() != one["email"].lower():
        problems.append(Problem("email", f"must be {one['email']}, their address", email))
    if one["operator"]:
        told = "is an operator; take that role away first"
        problems.append(Problem("person", told, str(person_id)))
    refuse(problems)
    return one


async def _check_paid(conn: Connection, person_id: UUID) -> None:
    months = [row["month"] for row in await conn.fetch(UNPAID, person_id)]
    if months:
        raise ManagerUnpaidError(
            f"What they earned in {', '.join(months)} is not settled. Settle it first: afterwards"
            " nobody knows whom to pay.",
            details={"months": months},
        )


async def _erase(
    conn: Connection, forget_mails: ForgetMails, one: Row, *, actor: Actor, name: str
) -> None:
    person_id, email = one["id"], one["email"].lower()
    if await conn.fetchval(BEGIN, person_id) is None:
        raise PersonNotFoundError(f"Person {person_id} was erased before.")
    for row in await conn.fetch(WORKSPACES, person_id):
        await remove_member(
            conn, workspace_id=row["workspace_id"], person_id=person_id, actor=actor
        )
    await conn.execute(END_INVITATIONS, person_id, email)
    await _end_access(conn, person_id)
    await forget_mails(conn, email)
    await conn.execute(HIDE_MANAGER, person_id, name)
    await conn.execute(HIDE_WORDS, person_id)
    await conn.execute(HIDE_REASONS, person_id)
    await conn.execute(HIDE_REQUESTS, person_id)
    await conn.execute(HIDE_AUDIT, person_id, email)
    await conn.execute(HIDE_PERSON, person_id, name, f"{person_id.hex}@{_NOWHERE}")
    await conn.execute(DONE, person_id)


async def _end_access(conn: Connection, person_id: UUID) -> None:
    await conn.execute(END_SESSIONS, person_id)
    await conn.execute(END_LINKS, person_id)
    await conn.execute(END_STEPS, person_id)
    await conn.execute(END_FACTOR, person_id)
    await conn.execute(END_NOTICES, person_id)
    await conn.execute(END_CHOICES, person_id)
    await forget_jobs(conn, "person_id", [person_id])
