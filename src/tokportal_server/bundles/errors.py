"""What ordering can refuse."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class AccountIdNotAllowedError(ApiError):
    """``account_id`` belongs to videos_only alone."""

    code = "ACCOUNT_ID_NOT_ALLOWED"
    status = 400


class CountryNotEnabledError(ApiError):
    """The country is known, but closed for this kind of order."""

    code = "COUNTRY_NOT_ENABLED"
    status = 400


class DuplicateAccountBundleError(ApiError):
    """Another live account bundle has this external_ref; ``details.existing_bundle_id``."""

    code = "DUPLICATE_ACCOUNT_BUNDLE"
    status = 409


class CreateRateLimitError(ApiError):
    """The workspace creates bundles too fast."""

    code = "CREATE_RATE_LIMIT_EXCEEDED"
    status = 429
