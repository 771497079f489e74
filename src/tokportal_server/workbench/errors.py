"""What a manager can be refused."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class NotClaimableError(ApiError):
    """The bundle is not offered to this manager; the message says why."""

    code = "BUNDLE_NOT_CLAIMABLE"
    status = 409
    remedy = "The manager: claim another order of the list, which shows only those open to them."


class ClaimNotYoursError(ApiError):
    """The manager does not hold the live claim of the bundle."""

    code = "CLAIM_NOT_YOURS"
    status = 403
    remedy = "The manager: work on an order of your own; this one was released, or went to another."


class WindowNotOpenError(ApiError):
    """The slot may not go up yet."""

    code = "WINDOW_NOT_OPEN"
    status = 409
    remedy = "Nobody: the manager posts it when its window opens, as the message says."
