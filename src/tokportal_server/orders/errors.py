"""What an order can refuse whoever calls: it is not there, or not in the right state."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.states import SLOT


class BundleNotFoundError(ApiError):
    """The workspace has no bundle with this id."""

    code = "BUNDLE_NOT_FOUND"
    status = 404
    remedy = (
        "You: take the id from `GET /bundles`; another workspace's bundles do not exist for"
        " your key."
    )


class ListingNotFoundError(ApiError):
    """The bundle has no profile to set up: it is videos_only."""

    code = "ACCOUNT_NOT_FOUND"
    status = 404
    remedy = (
        "You: call `GET /accounts/{id}` for the account that the bundle posts on; it sets none up."
    )


class VideoNotFoundError(ApiError):
    """The bundle has no slot at this position."""

    code = "VIDEO_NOT_FOUND"
    status = 404
    remedy = "You: take a position that `GET /bundles/{id}/videos` lists."


class SavedAccountNotFoundError(ApiError):
    """The workspace has no delivered account with this id."""

    code = "SAVED_ACCOUNT_NOT_FOUND"
    status = 404
    remedy = "You: take the id from `GET /accounts`; an account is there from its review on."


class SavedAccountUnavailableError(ApiError):
    """The account cannot take new work; ``details.reason`` says why."""

    code = "SAVED_ACCOUNT_UNAVAILABLE"
    status = 409
    remedy = (
        "You: take another account of `GET /accounts`, or wait for its delivery if"
        " `details.reason` is `not_delivered`."
    )


class BundleStatusError(ApiError):
    """The bundle's status does not allow this."""

    code = "BUNDLE_INVALID_STATUS"
    status = 409
    remedy = "You: read `GET /bundles/{id}`, and call this in a status that the message names."


class AccountStatusError(ApiError):
    """The profile's status does not allow this."""

    code = "ACCOUNT_INVALID_STATUS"
    status = 409
    remedy = (
        "You: read `GET /bundles/{id}/account`. While the manager is at work, wait for"
        " `account.in_review`."
    )


class VideoStatusError(ApiError):
    """The slot's status does not allow configuring it."""

    code = "VIDEO_INVALID_STATUS"
    status = 409
    remedy = (
        "You: read the slot. What is published cannot be configured until it is unscheduled or"
        " sent back."
    )


class SlotTransitionError(ApiError):
    """The slot cannot go there from its status; ``details {current_status, allowed_from}``."""

    code = "INVALID_STATUS_TRANSITION"
    status = 409
    remedy = (
        "You: read the slot and call this in a status of `details.allowed_from`; some of them"
        " only its manager brings about."
    )


def bundle_not_found(bundle_id: object) -> BundleNotFoundError:
    """Give the 404 for a bundle."""
    return BundleNotFoundError(
        f"No bundle {bundle_id} in this workspace. GET /bundles lists those there are."
    )


def bundle_status_refused(bundle: asyncpg.Record, wanted: str) -> BundleStatusError:
    """Give the 409 for a bundle in the wrong status; ``wanted`` says what would be right."""
    return BundleStatusError(
        f"Bundle {bundle['id']} is {bundle['status']}; this needs {wanted}.",
        details={"current_status": bundle["status"]},
    )


def profile_status_refused(profile: asyncpg.Record, allowed: list[str]) -> AccountStatusError:
    """Give the 409 for a profile in the wrong status."""
    return AccountStatusError(
        f"The profile of bundle {profile['bundle_id']} is {profile['status']}; this needs"
        f" {' or '.join(allowed)}.",
        details={"current_status": profile["status"], "allowed_from": allowed},
    )


def slot_transition_refused(
    slot: asyncpg.Record, target: str, *, allowed_from: Sequence[str] | None = None
) -> SlotTransitionError:
    """Give the 409 for a slot that cannot become ``target`` now.

    ``allowed_from`` is for calls that take less than the table of transitions has.
    """
    allowed = list(allowed_from or SLOT.allowed_from(target))
    return SlotTransitionError(
        f"Slot {slot['position']} is {slot['status']}; it can become {target} from"
        f" {' or '.join(allowed)}.",
        details={"current_status": slot["status"], "allowed_from": allowed},
    )
