"""What a manager can be refused."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class NotClaimableError(ApiError):
    """The bundle is not offered to this manager; the message says why."""

    code = "BUNDLE_NOT_CLAIMABLE"
    status = 409


class ClaimNotYoursError(ApiError):
    """The manager does not hold the live claim of the bundle."""

    code = "CLAIM_NOT_YOURS"
    status = 403


class WindowNotOpenError(ApiError):
    """The slot may not go up yet."""

    code = "WINDOW_NOT_OPEN"
    status = 409
