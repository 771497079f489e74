"""Refusals that several operations of analytics share."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.errors import ApiError


class AnalyticsNotFoundError(ApiError):
    """There is nothing to show: no numbers yet, or another workspace's."""

    code = "ANALYTICS_NOT_FOUND"
    status = 404
    remedy = (
        "You: collect the account's numbers with `POST /analytics/accounts/{id}/refresh`; a post"
        " has analytics once its slot is finalized."
    )


class PostNotFoundError(ApiError):
    """The workspace tracks no such post."""

    code = "POST_NOT_FOUND"
    status = 404
    remedy = "You: take a `tracked_post_id` that `GET /accounts/{id}/analytics/videos` lists."


def post_not_found(post_id: object) -> PostNotFoundError:
    """Give the 404 for a tracked post."""
    return PostNotFoundError(
        f"No tracked post {post_id} in this workspace. GET /accounts/{{id}}/analytics/videos lists"
        " those of an account."
    )


def workspace_not_found(workspace_id: UUID) -> AnalyticsNotFoundError:
    """Give the 404 for a ``workspace`` filter that names another workspace than the key's."""
    return AnalyticsNotFoundError(
        f"workspace: {workspace_id} is not the workspace of this key. Leave it out, or give the id"
        " that GET /me shows."
    )
