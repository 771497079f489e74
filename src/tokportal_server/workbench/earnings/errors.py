"""What can be refused about managers' earnings."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class EarningNotFoundError(ApiError):
    """The manager has no such entry that could be taken back."""

    code = "EARNING_NOT_FOUND"
    status = 404
    remedy = "The operator: take the id of a job's entry from the manager's statement."


class StatementNotFoundError(ApiError):
    """Nothing was earned in this month."""

    code = "STATEMENT_NOT_FOUND"
    status = 404
    remedy = "You: take a month of the list of statements."


class StatementNotOverError(ApiError):
    """The month still runs, so its statement has no end yet."""

    code = "STATEMENT_NOT_OVER"
    status = 409
    remedy = "Nobody: the statement is complete when the month has ended, in UTC."


class StatementSettledError(ApiError):
    """The statement is settled, and closed for good."""

    code = "STATEMENT_SETTLED"
    status = 409
    remedy = "The operator: adjust the present month; what is settled stays as it was."


class StatementChangedError(ApiError):
    """The statement has other entries than the page that was answered."""

    code = "STATEMENT_CHANGED"
    status = 409
    remedy = "You: look at the statement again, and then answer it."
