"""What an order can refuse whoever calls: it is not there, or not in the right state."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class BundleNotFoundError(ApiError):
    """The workspace has no bundle with this id."""

    code = "BUNDLE_NOT_FOUND"
    status = 404


class ListingNotFoundError(ApiError):
    """The bundle has no profile to set up: it is videos_only."""

    code = "ACCOUNT_NOT_FOUND"
    status = 404


class VideoNotFoundError(ApiError):
    """The bundle has no slot at this position."""

    code = "VIDEO_NOT_FOUND"
    status = 404


class SavedAccountNotFoundError(ApiError):
    """The workspace has no delivered account with this id."""

    code = "SAVED_ACCOUNT_NOT_FOUND"
    status = 404


class SavedAccountUnavailableError(ApiError):
    """The account cannot take new work; ``details.reason`` says why."""

    code = "SAVED_ACCOUNT_UNAVAILABLE"
    status = 409


class BundleStatusError(ApiError):
    """The bundle's status does not allow this."""

    code = "BUNDLE_INVALID_STATUS"
    status = 409


class AccountStatusError(ApiError):
    """The profile's status does not allow this."""

    code = "ACCOUNT_INVALID_STATUS"
    status = 409


class VideoStatusError(ApiError):
    """The slot's status does not allow configuring it."""

    code = "VIDEO_INVALID_STATUS"
    status = 409


class SlotTransitionError(ApiError):
    """The slot cannot go there from its status; ``details {current_status, allowed_from}``."""

    code = "INVALID_STATUS_TRANSITION"
    status = 409


def bundle_not_found(bundle_id: object) -> BundleNotFoundError:
    """Give the 404 for a bundle."""
    return BundleNotFoundError(
        f"No bundle {bundle_id} in this workspace. GET /bundles lists those there are."
    )
