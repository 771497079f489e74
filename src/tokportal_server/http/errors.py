"""The refusals that any operation can give, before it is itself asked."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class NotFoundError(ApiError):
    """No route has this path."""

    code = "NOT_FOUND"
    status = 404
    remedy = "You: correct the path; `GET /api/ext/openapi.json` lists those there are."


class MethodNotAllowedError(ApiError):
    """The path exists, but not for this method; ``Allow`` lists those it has."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    remedy = "You: use a method that the `Allow` header names."


class FeatureNotOfferedError(ApiError):
    """An operation that newer clients know and the reference does not have."""

    code = "FEATURE_NOT_OFFERED"
    status = 404
    remedy = "Nobody: this server follows the reference, which does not have it."


class MissingKeyError(ApiError):
    """The request carries no API key."""

    code = "AUTH_MISSING_KEY"
    status = 401
    remedy = "You: send your key in the header `X-API-Key`."


class InvalidKeyError(ApiError):
    """The API key is not one of ours."""

    code = "AUTH_INVALID_KEY"
    status = 401
    remedy = "You: send the whole key, `sk_` and 64 hexadecimal digits, to the server that made it."


class RevokedKeyError(ApiError):
    """The API key was revoked."""

    code = "AUTH_REVOKED_KEY"
    status = 401
    remedy = (
        "The operator: make a new key (`tokportal-server key create`); a revoked one never"
        " comes back."
    )


class ExpiredKeyError(ApiError):
    """The API key's expiry has passed."""

    code = "AUTH_EXPIRED_KEY"
    status = 401
    remedy = (
        "The operator: give the key a later expiry (`tokportal-server key edit`), or make a new"
        " one."
    )


class RateLimitExceededError(ApiError):
    """The key's token bucket is empty."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429
    remedy = (
        "Nobody: wait for the seconds in `Retry-After`; the operator can widen the key's bucket."
    )


class InsufficientScopeError(ApiError):
    """The key may not use this method."""

    code = "AUTH_INSUFFICIENT_SCOPE"
    status = 403
    remedy = (
        "You: use a key whose scope has the method; the operator can widen this one's"
        " (`tokportal-server key edit`)."
    )


class UnsupportedContentTypeError(ApiError):
    """The body is of a type that the operation does not take."""

    code = "UNSUPPORTED_CONTENT_TYPE"
    status = 415
    remedy = "You: send the content type that the operation takes, as the message says."


class BodyTooLargeError(ApiError):
    """The body is longer than the operation takes."""

    code = "BODY_TOO_LARGE"
    status = 413
    remedy = "You: send a smaller body; files go to the upload operations."


class BodyTimeoutError(ApiError):
    """The body stopped coming before its end."""

    code = "BODY_TIMEOUT"
    status = 408
    remedy = "You: send the body again without a pause."


class MalformedJsonError(ApiError):
    """The body is not JSON."""

    code = "MALFORMED_JSON"
    status = 400
    remedy = "You: send valid JSON in UTF-8; the message says where reading stopped."


class MalformedMultipartError(ApiError):
    """The body is not a readable form."""

    code = "MALFORMED_MULTIPART"
    status = 400
    remedy = (
        "You: send `multipart/form-data` as a client library builds it, with one part named `file`."
    )


class ValidationError(ApiError):
    """Parameters or body break rules; ``details.errors`` lists every one of them."""

    code = "VALIDATION_ERROR"
    status = 400
    remedy = "You: correct every field that `details.errors` lists."


class UnknownFieldError(ApiError):
    """The body is right but for fields that do not exist; ``details.fields`` lists them."""

    code = "UNKNOWN_FIELD"
    status = 400
    remedy = "You: leave out or rename the fields that `details.fields` lists."


class OptionNotOfferedError(ApiError):
    """The body asks for an option that newer clients know and this server does not offer."""

    code = "OPTION_NOT_OFFERED"
    status = 400
    remedy = "You: leave the option out; nobody can turn it on here."


class UnknownParameterError(ApiError):
    """The query has parameters that do not exist; ``details.parameters`` lists them."""

    code = "UNKNOWN_PARAMETER"
    status = 400
    remedy = "You: leave out or rename the parameters that `details.parameters` lists."


class DryRunIdError(ApiError):
    """A live call names a thing that only a dry run imagined."""

    code = "DRY_RUN_ID_IN_LIVE_REQUEST"
    status = 400
    remedy = "You: make the live call first, and use the id that it answers."


class InvalidIdempotencyKeyError(ApiError):
    """``Idempotency-Key`` is not 1-255 printable ASCII characters."""

    code = "IDEMPOTENCY_KEY_INVALID"
    status = 400
    remedy = "You: send 1 to 255 printable ASCII characters, such as a UUID."


class IdempotencyKeyReusedError(ApiError):
    """The key was used for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
    status = 422
    remedy = (
        "You: take a new `Idempotency-Key` for a new request, or repeat the first request exactly."
    )


class IdempotencyInProgressError(ApiError):
    """The first call with this key is still running."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    status = 409
    remedy = "Nobody: wait for the seconds in `Retry-After`, and send the same request again."


class InternalError(ApiError):
    """Something broke here. The request id is what to tell the operator."""

    code = "INTERNAL_ERROR"
    status = 500
    remedy = (
        "The operator: find the request id in the log. Nothing was changed, so you may try again."
    )
