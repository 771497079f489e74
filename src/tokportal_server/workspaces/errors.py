"""What the people of a workspace can be refused."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class LastOwnerError(ApiError):
    """The workspace would have no owner any more."""

    code = "LAST_OWNER"
    status = 409
    remedy = "You: make somebody else an owner first."


class OwnRoleError(ApiError):
    """Nobody gives themselves more than they have."""

    code = "OWN_ROLE"
    status = 403
    remedy = "You: ask another owner of the workspace to change it."


class AlreadyMemberError(ApiError):
    """Somebody with this address belongs to the workspace already."""

    code = "ALREADY_MEMBER"
    status = 409
    remedy = "You: change their role instead."


class MemberNotFoundError(ApiError):
    """The person does not belong to the workspace (any more)."""

    code = "MEMBER_NOT_FOUND"
    status = 404
    remedy = "You: read the list again."


class InvitationLimitError(ApiError):
    """The workspace has invited too many people within a short time."""

    code = "INVITATION_LIMIT"
    status = 429
    remedy = "Nobody: wait for the seconds in `Retry-After`."


class InvitationNotFoundError(ApiError):
    """The invitation was used or taken back, its time is over, or there never was one."""

    code = "INVITATION_NOT_FOUND"
    status = 404
    remedy = "You: ask an owner of the workspace to make another."


class InvitationForAnotherError(ApiError):
    """The invitation is for another address than that of whoever is signed in."""

    code = "INVITATION_FOR_ANOTHER"
    status = 403
    remedy = "You: sign out, and open the link again as the person who was invited."


class WorkspaceNotFoundError(ApiError):
    """No workspace has this id."""

    code = "WORKSPACE_NOT_FOUND"
    status = 404
    remedy = "The operator: take the id from `tokportal-server workspace list`."


class PersonNotFoundError(ApiError):
    """No person has this id or e-mail address."""

    code = "PERSON_NOT_FOUND"
    status = 404
    remedy = "The operator: make the person first (`tokportal-server person create`)."
