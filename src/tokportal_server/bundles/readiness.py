"""Everything that stands between a bundle and its publication, and who can clear it.

Publish answers with the first blocker of this list, readiness with all of them, so that nobody has
to find them one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tokportal_server.accounts.availability import unavailable_reason, unavailable_sentence
from tokportal_server.bundles.pricing import cost_again
from tokportal_server.bundles.wire import Hindrance, Readiness, Resolve
from tokportal_server.credits.ledger import spendable
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import bundle_not_found
from tokportal_server.orders.locks import Row
from tokportal_server.orders.publishing_pause import (
    PublishingPausedError,
    pause_sentence,
    pauses_of,
)
from tokportal_server.videos.publishing import stale_slots
from tokportal_server.videos.schedule import lead_days, today

BUNDLE = "SELECT * FROM bundles WHERE workspace_id = $1 AND id = $2"
PROFILE = "SELECT * FROM profiles WHERE workspace_id = $1 AND bundle_id = $2"
SLOTS = "SELECT * FROM slots WHERE workspace_id = $1 AND bundle_id = $2 ORDER BY position"
ACCOUNT = "SELECT * FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
PICTURE_STATUS = """
SELECT status FROM media WHERE workspace_id = $1 AND owner_id = $2 AND kind = 'profile_picture'
"""
NEEDED_FIELDS = ("username", "visible_name", "biography")


@dataclass(frozen=True, slots=True)
class Facts:
    """What readiness is judged by; ``balance`` only matters while charges are reversed."""

    bundle: Row
    profile: Row | None
    slots: Sequence[Row]
    account: Row | None
    paused: Sequence[Row]
    picture_status: str | None
    balance: int
    now: datetime

    @property
    def configured(self) -> list[Row]:
        """The slots that publishing would publish."""
        return [slot for slot in self.slots if slot["status"] == "configured"]


async def gather(conn: Connection, workspace_id: UUID, bundle_id: UUID, now: datetime) -> Facts:
    """Read the facts; whoever is about to publish has locked the bundle before.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
    """
    bundle = await conn.fetchrow(BUNDLE, workspace_id, bundle_id)
    if bundle is None:
        raise bundle_not_found(bundle_id)
    account_id = bundle["saved_account_id"]
    profile = await conn.fetchrow(PROFILE, workspace_id, bundle_id)
    reversed_ = bundle["charge_state"] == "reversed"
    return Facts(
        bundle=bundle,
        profile=profile,
        slots=await conn.fetch(SLOTS, workspace_id, bundle_id),
        account=account_id and await conn.fetchrow(ACCOUNT, workspace_id, account_id),
        paused=await pauses_of(conn, workspace_id, account_id),
        picture_status=await conn.fetchval(PICTURE_STATUS, workspace_id, profile["id"])
        if profile is not None
        else None,
        balance=await spendable(conn, workspace_id, now) if reversed_ else 0,
        now=now,
    )


def assess(facts: Facts) -> Readiness:
    """List every blocker, in the order in which publish answers with the first, and warnings.

    A bundle that is past its set-up is stopped by its status alone: no call would clear the rest.
    """
    if stopped := list(_status_blockers(facts)):
        return Readiness(ready=False, blockers=stopped, warnings=[])
    blockers = [
        *_outside_blockers(facts),
        *_profile_blockers(facts),
        *_video_blockers(facts),
        *_charge_blockers(facts),
    ]
    return Readiness(not blockers, blockers, list(_warnings(facts)))


def _customer(operation_id: str, method: str, path: str) -> Resolve:
    return Resolve(who="customer", operation_id=operation_id, method=method, path=path)


def _call(facts: Facts, operation_id: str, method: str, tail: str) -> Resolve:
    return _customer(operation_id, method, f"/bundles/{facts.bundle['id']}{tail}")


def _status_blockers(facts: Facts) -> Iterator[Hindrance]:
    status = facts.bundle["status"]
    if status in ("published", "published_priority"):
        yield Hindrance(
            code="BUNDLE_ALREADY_PUBLISHED",
            message="The bundle is published and waits for a manager; nothing more is needed.",
            resolve=_call(facts, "unpublishBundle", "POST", "/unpublish"),
        )
    elif status == "accepted":
        yield Hindrance(
            code="BUNDLE_ALREADY_PUBLISHED",
            message="A manager works on the bundle. Its new slots are published by themselves.",
            resolve=_call(facts, "publishAllBundleVideos", "POST", "/videos/publish-all"),
        )
    elif status != "pending_setup":
        done = status == "completed"
        yield Hindrance(
            code="BUNDLE_ALREADY_PUBLISHED" if done else "BUNDLE_INVALID_STATUS",
            message=f"The bundle is {status} and cannot be published any more; order a new one.",
            resolve=_customer("createBundle", "POST", "/bundles"),
        )


def _outside_blockers(facts: Facts) -> Iterator[Hindrance]:
    if facts.account is not None and facts.bundle["bundle_type"] == "videos_only":
        reason = unavailable_reason(facts.account, facts.now)
        if reason is not None:
            yield Hindrance(
                code="SAVED_ACCOUNT_UNAVAILABLE",
                message=f"Account {facts.account['username']} cannot take new work:"
                f" {unavailable_sentence(facts.account, reason)}.",
                resolve=Resolve(who="operator"),
            )
    for switch in facts.paused:
        yield Hindrance(
            code=PublishingPausedError.code,
            message=pause_sentence(switch),
            resolve=Resolve(who="operator"),
        )


def _profile_blockers(facts: Facts) -> Iterator[Hindrance]:
    profile = facts.profile
    if profile is None:
        return
    configure = _call(facts, "configureBundleAccount", "PUT", "/account")
    if profile["status"] == "pending":
        yield Hindrance(
            code="ACCOUNT_NOT_CONFIGURED",
            message="The profile to set up is not configured yet.",
            resolve=configure,
        )
    elif missing := [name for name in NEEDED_FIELDS if not profile[name]]:
        yield Hindrance(
            code="ACCOUNT_MISSING_FIELDS",
            message=f"The profile lacks {', '.join(missing)}.",
            fields=missing,
            resolve=configure,
        )


def _video_blockers(facts: Facts) -> Iterator[Hindrance]:
    if facts.bundle["bundle_type"] == "videos_only" and not facts.configured:
        yield _nothing_to_post(facts)
    if facts.picture_status == "failed":
        yield Hindrance(
            code="MEDIA_FAILED",
            message="The profile picture could not be fetched; give another address or upload it.",
            field="profile_picture_url",
            resolve=_call(facts, "configureBundleAccount", "PUT", "/account"),
        )
    for slot in facts.configured:
        if slot["media_status"] == "failed":
            yield Hindrance(
                code="MEDIA_FAILED",
                message=f"The media of slot {slot['position']} could not be fetched"
                f"{_why(slot['media_error'])}; configure it with other media.",
                position=slot["position"],
                resolve=_call(facts, "configureBundleVideo", "PUT", f"/videos/{slot['position']}"),
            )


def _nothing_to_post(facts: Facts) -> Hindrance:
    code = "NO_VIDEOS_CONFIGURED"
    empty = next((s["position"] for s in facts.slots if s["status"] == "pending"), None)
    if empty is None:
        return Hindrance(
            code=code,
            message="Every slot was cancelled. Add one, then configure it.",
            resolve=_call(facts, "addVideoSlots", "POST", "/add-video-slots"),
        )
    return Hindrance(
        code=code,
        message="No slot is configured, so there is nothing to post.",
        resolve=_call(facts, "configureBundleVideo", "PUT", f"/videos/{empty}"),
        position=empty,
    )


def _why(error: Any) -> str:
    return f" ({error['message']})" if error else ""


def _charge_blockers(facts: Facts) -> Iterator[Hindrance]:
    if facts.bundle["charge_state"] == "paid":
        return
    due = cost_again(facts.bundle, facts.slots)["total"]
    if facts.balance < due:
        yield Hindrance(
            code="CHARGES_REVERSED",
            message=f"The bundle's charges were reversed; publishing charges {due} credits again,"
            f" and the workspace has {facts.balance}.",
            resolve=Resolve(who="operator"),
        )


def _warnings(facts: Facts) -> Iterator[Hindrance]:
    profile = facts.profile
    if profile is not None and not profile["profile_picture_url"]:
        yield Hindrance(
            code="NO_PROFILE_PICTURE",
            message="The profile has no picture; the manager will set it up without one.",
            field="profile_picture_url",
            resolve=_call(facts, "configureBundleAccount", "PUT", "/account"),
        )
    if facts.picture_status == "fetching":
        yield Hindrance(
            code="MEDIA_FETCHING",
            message="The profile picture is being fetched; the manager gets it once it is there."
            " One that was uploaded need not be fetched.",
            field="profile_picture_url",
            resolve=_call(facts, "configureBundleAccount", "PUT", "/account"),
        )
    for slot in facts.configured:
        if slot["media_status"] == "fetching":
            yield Hindrance(
                code="MEDIA_FETCHING",
                message=f"The media of slot {slot['position']} are being fetched; it is published"
                " by itself once they are there. Media that were uploaded need not be fetched.",
                position=slot["position"],
                resolve=_call(facts, "configureBundleVideo", "PUT", f"/videos/{slot['position']}"),
            )
    earliest = today(facts.now) + timedelta(days=lead_days(profile))
    for slot in stale_slots(facts.configured, earliest=earliest):
        yield Hindrance(
            code="STALE_DATES",
            message=f"The date of slot {slot['position']} ({slot['target_start']}) is too close by"
            f" now; publishing moves it to {earliest} or later.",
            position=slot["position"],
            resolve=_call(facts, "patchBundleVideo", "PATCH", f"/videos/{slot['position']}"),
        )
