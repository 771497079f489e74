"""What ordering can refuse."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class AccountIdNotAllowedError(ApiError):
    """``account_id`` belongs to videos_only alone."""

    code = "ACCOUNT_ID_NOT_ALLOWED"
    status = 400
    remedy = "You: leave `account_id` out, or order `videos_only`."


class CountryNotEnabledError(ApiError):
    """The country is known, but closed for this kind of order."""

    code = "COUNTRY_NOT_ENABLED"
    status = 400
    remedy = "You: take a country that `GET /countries` shows open; the operator can open this one."


class DuplicateAccountBundleError(ApiError):
    """Another live account bundle has this external_ref; ``details.existing_bundle_id``."""

    code = "DUPLICATE_ACCOUNT_BUNDLE"
    status = 409
    remedy = (
        "You: go on with the bundle in `details.existing_bundle_id` (`GET /bundles/{id}`), or"
        " send another `external_ref`."
    )


class CreateRateLimitError(ApiError):
    """The workspace creates bundles too fast."""

    code = "CREATE_RATE_LIMIT_EXCEEDED"
    status = 429
    remedy = "Nobody: wait for the seconds in `Retry-After`; the operator can raise the limit."


class BundleAcceptedError(ApiError):
    """A manager works on the bundle, or has handed something of it in."""

    code = "BUNDLE_ALREADY_ACCEPTED"
    status = 409
    remedy = "The operator: cancel the bundle if it is not to go on. Its work cannot be taken back."
