"""What a manager or an operator can be refused."""

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


class CommentNotYoursError(ApiError):
    """The comment is not this manager's to write; the message says why."""

    code = "COMMENT_NOT_YOURS"
    status = 403
    remedy = "The manager: take a comment of an account of your own."


class DisputeOpenError(ApiError):
    """An operator decides about the comment."""

    code = "COMMENT_DISPUTE_OPEN"
    status = 409
    remedy = "The operator: settle the dispute."


class NoDisputeError(ApiError):
    """Nobody asked an operator about the comment."""

    code = "COMMENT_NOT_DISPUTED"
    status = 409
    remedy = "Nobody: the manager mends the comment, or its time runs out."


class ChargesReversedError(ApiError):
    """The bundle's charges were reversed before."""

    code = "CHARGES_ALREADY_REVERSED"
    status = 409
    remedy = "Nobody: the credits are back; publishing the bundle charges them again."


class DebitNotFoundError(ApiError):
    """The workspace has no debit with this id."""

    code = "DEBIT_NOT_FOUND"
    status = 404
    remedy = "The operator: take the id of a debit from the workspace's credit history."


class WorkFrozenError(ApiError):
    """The owner of the account took their consent back, or it has run out."""

    code = "WORK_FROZEN"
    status = 409
    remedy = "The operator: note the owner's new consent (`tokportal-server account consent`)."


class ManagerNotFoundError(ApiError):
    """Nobody works as this manager; those of a rehearsal are simulated."""

    code = "MANAGER_NOT_FOUND"
    status = 404
    remedy = "The operator: take the e-mail address of a manager from the list of people."
