"""What a person at a page can be refused."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class PageForbiddenError(ApiError):
    """The person's roles do not have this page."""

    code = "PAGE_FORBIDDEN"
    status = 403
    remedy = "The operator: give you the role that has the page, if you should have it."


class PageNotFoundError(ApiError):
    """No page is at this address, or what it would show is not the person's to see."""

    code = "PAGE_NOT_FOUND"
    status = 404
    remedy = "You: begin at `/console` and follow the links."


class FormForgedError(ApiError):
    """The form does not come from a page of ours, or the page is from before the last sign-in."""

    code = "FORM_NOT_OURS"
    status = 403
    remedy = "You: reload the page and send the form again."


class FormUnreadableError(ApiError):
    """The body is not a form as browsers send it."""

    code = "FORM_UNREADABLE"
    status = 400
    remedy = "You: send the form from its page."


class StaleEditError(ApiError):
    """Somebody else has changed what a form was made from; nothing was written."""

    code = "STALE_EDIT"
    status = 409
    remedy = "You: compare both versions, and send the form again if yours is to stand."


class TooManyStreamsError(ApiError):
    """A person has as many pages that update by themselves as one process keeps for them."""

    code = "TOO_MANY_STREAMS"
    status = 429
    remedy = "You: close pages that you do not look at; those that stay can be reloaded by hand."


class SignInRefusedError(ApiError):
    """E-mail address and password do not belong together; which of them is wrong is not said."""

    code = "SIGN_IN_REFUSED"
    status = 401
    remedy = "You: try again; the operator can make a link to choose a new password."


class SignInLimitedError(ApiError):
    """Too many attempts for this e-mail address, or from this network address."""

    code = "SIGN_IN_LIMITED"
    status = 429
    remedy = "Nobody: wait for the seconds in `Retry-After`."


class LinkSpentError(ApiError):
    """The one-time link was used, has expired, or never existed."""

    code = "LINK_SPENT"
    status = 410
    remedy = "The operator: make another (`tokportal-server person reset-password`)."


class CodeRefusedError(ApiError):
    """The second step's code is not the one that the app shows now, or it was used before."""

    code = "CODE_REFUSED"
    status = 401
    remedy = "You: wait for the app's next code; after a lost phone use a recovery code."


class CodeLimitedError(ApiError):
    """Too many codes were tried for this person."""

    code = "CODE_LIMITED"
    status = 429
    remedy = "Nobody: wait for the seconds in `Retry-After`."
