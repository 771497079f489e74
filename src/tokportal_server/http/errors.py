"""The refusals that any operation can give, before it is itself asked."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class NotFoundError(ApiError):
    """No route has this path."""

    code = "NOT_FOUND"
    status = 404


class MethodNotAllowedError(ApiError):
    """The path exists, but not for this method; ``Allow`` lists those it has."""

    code = "METHOD_NOT_ALLOWED"
    status = 405


class FeatureNotOfferedError(ApiError):
    """An operation that newer clients know and the reference does not have."""

    code = "FEATURE_NOT_OFFERED"
    status = 404


class NotImplementedYetError(ApiError):
    """An operation of the reference that this release does not have yet."""

    code = "NOT_IMPLEMENTED"
    status = 501


class MissingKeyError(ApiError):
    """The request carries no API key."""

    code = "AUTH_MISSING_KEY"
    status = 401


class InvalidKeyError(ApiError):
    """The API key is not one of ours."""

    code = "AUTH_INVALID_KEY"
    status = 401


class RevokedKeyError(ApiError):
    """The API key was revoked."""

    code = "AUTH_REVOKED_KEY"
    status = 401


class ExpiredKeyError(ApiError):
    """The API key's expiry has passed."""

    code = "AUTH_EXPIRED_KEY"
    status = 401


class RateLimitExceededError(ApiError):
    """The key's token bucket is empty."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429


class InsufficientScopeError(ApiError):
    """The key may not use this method."""

    code = "AUTH_INSUFFICIENT_SCOPE"
    status = 403


class UnsupportedContentTypeError(ApiError):
    """The body is of a type that the operation does not take."""

    code = "UNSUPPORTED_CONTENT_TYPE"
    status = 415


class BodyTooLargeError(ApiError):
    """The body is longer than the operation takes."""

    code = "BODY_TOO_LARGE"
    status = 413


class BodyTimeoutError(ApiError):
    """The body stopped coming before its end."""

    code = "BODY_TIMEOUT"
    status = 408


class MalformedJsonError(ApiError):
    """The body is not JSON."""

    code = "MALFORMED_JSON"
    status = 400


class MalformedMultipartError(ApiError):
    """The body is not a readable form."""

    code = "MALFORMED_MULTIPART"
    status = 400


class ValidationError(ApiError):
    """Parameters or body break rules; ``details.errors`` lists every one of them."""

    code = "VALIDATION_ERROR"
    status = 400


class UnknownFieldError(ApiError):
    """The body is right but for fields that do not exist; ``details.fields`` lists them."""

    code = "UNKNOWN_FIELD"
    status = 400


class OptionNotOfferedError(ApiError):
    """The body asks for an option that newer clients know and this server does not offer."""

    code = "OPTION_NOT_OFFERED"
    status = 400


class UnknownParameterError(ApiError):
    """The query has parameters that do not exist; ``details.parameters`` lists them."""

    code = "UNKNOWN_PARAMETER"
    status = 400


class DryRunIdError(ApiError):
    """A live call names a thing that only a dry run imagined."""

    code = "DRY_RUN_ID_IN_LIVE_REQUEST"
    status = 400


class InvalidIdempotencyKeyError(ApiError):
    """``Idempotency-Key`` is not 1-255 printable ASCII characters."""

    code = "IDEMPOTENCY_KEY_INVALID"
    status = 400


class IdempotencyKeyReusedError(ApiError):
    """The key was used for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
    status = 422


class IdempotencyInProgressError(ApiError):
    """The first call with this key is still running."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    status = 409


class InternalError(ApiError):
    """Something broke here. The request id is what to tell the operator."""

    code = "INTERNAL_ERROR"
    status = 500
