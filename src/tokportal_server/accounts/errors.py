"""What delivered accounts can refuse."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class AccountNotDeliveredError(ApiError):
    """The account is still in review: its customer has not taken it over yet."""

    code = "ACCOUNT_NOT_DELIVERED"
    status = 404
    remedy = (
        "You: approve the profile first (`POST /bundles/{id}/account/finalize`); `bundle_id` of"
        " `GET /accounts/{id}` names the bundle."
    )


class OwningFeeRequiredError(ApiError):
    """The owning fee of this account is not paid; ``details {required, available, ...}``."""

    code = "OWNING_FEE_REQUIRED"
    status = 402
    remedy = (
        "You: send `acknowledge_support_forfeit: true` and `policy_version` from the details; the"
        " fee is then charged, once for the account."
    )


class RevealConfirmationRequiredError(ApiError):
    """Revealing ends the management of the account, and was not acknowledged."""

    code = "CREDENTIAL_REVEAL_CONFIRMATION_REQUIRED"
    status = 428
    remedy = (
        "You: read `details.consequences`; to go on, send `acknowledge_support_forfeit: true` and"
        " `policy_version` from the details."
    )


class RevealQuoteChangedError(ApiError):
    """What was acknowledged is not what holds now: the policy or the fee changed."""

    code = "CREDENTIAL_REVEAL_QUOTE_CHANGED"
    status = 409
    remedy = "You: read the new terms in the details, and send their `policy_version`."


class VerificationCodeNotFoundError(ApiError):
    """No code for the account has come within the last 30 minutes."""

    code = "VERIFICATION_CODE_NOT_FOUND"
    status = 404
    remedy = "You: have the platform send a new code, and ask again when it has come."


class EditRequestActiveError(ApiError):
    """The account has an edit request that is not over; ``details.edit_request_id``."""

    code = "EDIT_REQUEST_ALREADY_ACTIVE"
    status = 409
    remedy = "You: wait for `edit_request.completed` or `edit_request.rejected`, then ask again."


class EditRequestNoManagerError(ApiError):
    """No manager looks after the account, so nobody could make the change."""

    code = "EDIT_REQUEST_NO_CM"
    status = 400
    remedy = (
        "You: order videos for the account (`POST /bundles`, `videos_only`); whoever takes that"
        " order becomes its manager."
    )


class EditRequestNotFoundError(ApiError):
    """The workspace has no edit request with this id."""

    code = "EDIT_REQUEST_NOT_FOUND"
    status = 404
    remedy = "The manager: take a request of the list, which shows those of your accounts."


class EditRequestStatusError(ApiError):
    """The edit request is not in a status for this."""

    code = "EDIT_REQUEST_INVALID_STATUS"
    status = 409
    remedy = "The manager: read the list again; the request has moved on, or is over."


class NotAccountsManagerError(ApiError):
    """Only the manager who looks after an account works on it."""

    code = "ACCOUNT_NOT_YOURS"
    status = 403
    remedy = "The manager: work on your own accounts; this one has another manager now."
