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
