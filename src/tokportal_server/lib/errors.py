"""Errors that a caller can act on: a stable code, an HTTP status, and a sentence that helps.

An error class stands beside the operation that raises it. Declaring one without its own
``code`` and ``status`` is a programming mistake that shows at import, not in production; two
classes may share a code only if they share its status (contract section 1: one code, one status).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

_STATUS_OF_CODE: dict[str, int] = {}
_CLASSES: list[type[ApiError]] = []


class OperatorError(Exception):
    """What an operator can mend; its text says what is wrong and the way out.

    The command line prints that text and no traceback.
    """


class ApiError(Exception):
    """A refusal: nothing was changed, and ``message`` says what to do about it.

    ``message`` names the field, the value and the way out; ``details`` is a JSON object.
    ``retry_after`` (whole seconds, at least 1) becomes both the ``Retry-After`` header and
    ``details.retry_after_seconds``.

    ``remedy`` is for the reference: who can put it right (you, the manager, the operator, nobody),
    a colon, and what they do or call. Markdown on one line.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    remedy: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__ or "status" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} must declare its own code and status")
        if _STATUS_OF_CODE.setdefault(cls.code, cls.status) != cls.status:
            raise TypeError(f"{cls.code} already has status {_STATUS_OF_CODE[cls.code]}")
        _CLASSES.append(cls)

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after
        if retry_after is not None:
            self.details["retry_after_seconds"] = retry_after

    def body(self, request_id: str) -> dict[str, Any]:
        """Give the ``{"error": ...}`` object of contract section 1."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        error["request_id"] = request_id
        return {"error": error}


def error_classes() -> tuple[type[ApiError], ...]:
    """Give every error class declared so far, for the generated table of the docs."""
    return tuple(_CLASSES)
