"""A manager has set up the account, or corrected it, and hands it in for review."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from uuid import UUID

import msgspec

from tokportal_server.accounts.operations.save_account import save_account
from tokportal_server.accounts.wire import Credentials
from tokportal_server.bundles.wire import Deviation
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_profile
from tokportal_server.orders.claims import reckon_deadline
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import profile_status_refused
from tokportal_server.orders.locks import Row, lock_profile
from tokportal_server.orders.post_urls import is_profile_url
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import PROFILE
from tokportal_server.workbench.claim_guard import lock_workable_bundle

SUBMITTABLE = ["published", "pending_corrections"]
ATTACH = """
UPDATE bundles SET saved_account_id = $3, reviewed_once = true, updated_at = $4
 WHERE workspace_id = $1 AND id = $2
"""
RESOLVE = """
UPDATE corrections SET resolved_at = $3
 WHERE workspace_id = $1 AND bundle_id = $2 AND slot_id IS NULL AND resolved_at IS NULL
"""


_USERNAME = re.compile(r"[A-Za-z0-9_.]{1,30}")
_LONGEST_NAME = 100


class SubmittedAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a manager hands in; ``credentials`` may be left out when correcting."""

    username: str
    profile_url: str
    visible_name: str | None = None
    credentials: Credentials | None = None


async def submit_account(
    *,
    tx: UnitOfWork,
    actor: Actor,
    vault: Vault,
    bundle_id: UUID,
    submitted: SubmittedAccount,
    rules: OrderRules,
) -> UUID:
    """Put the profile in review, for 72 hours; give the id of the account.

    A username or name other than the wanted one is a deviation, and the customer is told.

    Raises:
        BundleNotFoundError, ClaimNotYoursError, ListingNotFoundError: not this manager's to set up.
        ValidationError: what was handed in cannot be an account of the platform.
        AccountStatusError: the profile waits for nothing from the manager.
        WorkFrozenError: the consent of the account's owner has ended.
    """
    bundle = await lock_workable_bundle(tx, actor, bundle_id)
    profile = await lock_profile(tx, bundle)
    refuse(list(_problems(bundle, submitted)))
    if profile["status"] not in SUBMITTABLE or actor.id is None:
        raise profile_status_refused(profile, SUBMITTABLE)
    shown = {
        "username": submitted.username,
        "visible_name": submitted.visible_name or profile["visible_name"],
        "profile_url": submitted.profile_url,
    }
    account_id = await save_account(
        tx=tx,
        vault=vault,
        bundle=bundle,
        profile=profile,
        manager_id=actor.id,
        credentials=submitted.credentials,
        **shown,
    )
    await tx.conn.execute(ATTACH, tx.workspace_id, bundle_id, account_id, tx.now)
    await tx.conn.execute(RESOLVE, tx.workspace_id, bundle_id, tx.now)
    deviations = msgspec.to_builtins(_deviations(profile, shown))
    told = {
        "saved_account_id": account_id,
        "username": submitted.username,
        "deviations": deviations,
    }
    await move(
        tx,
        PROFILE,
        profile,
        "in_review",
        actor=actor,
        data=about_profile(bundle, profile, **told),
        submitted=shown,
        deviations=deviations,
        submitted_at=tx.now,
        review_deadline_at=tx.now + rules.review,
    )
    await reckon_deadline(tx, bundle, rules)
    return account_id


def _problems(bundle: Row, submitted: SubmittedAccount) -> Iterator[Problem]:
    if not _USERNAME.fullmatch(submitted.username):
        yield Problem(
            "username", "must be 1 to 30 letters, digits, dots or underscores", submitted.username
        )
    if submitted.visible_name is not None and len(submitted.visible_name) > _LONGEST_NAME:
        yield Problem("visible_name", f"must be at most {_LONGEST_NAME} characters long")
    if not is_profile_url(bundle["platform"], submitted.profile_url):
        yield Problem(
            "profile_url",
            f"is not the address of a profile on {bundle['platform']}",
            submitted.profile_url,
        )
    if submitted.credentials is None and bundle["saved_account_id"] is None:
        yield Problem("credentials", "are required: without them nobody can use the account")


def _deviations(profile: Row, shown: Mapping[str, str]) -> list[Deviation]:
    return [
        Deviation(field, profile[field], shown[field])
        for field in ("username", "visible_name")
        if profile[field] != shown[field]
    ]
