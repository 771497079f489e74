"""Comments under a workspace's own Instagram posts, for the verification of comment tasks.

The Graph API shows the comments under the media of the account whose token asks, no others.
So a task can be verified if its target is a tracked post of a connected account of the workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tokportal_server.analytics.connections import Access
from tokportal_server.analytics.observations import ProviderFailedError
from tokportal_server.analytics.providers.graph import Graph, GraphRefusedError, TokenEndedError
from tokportal_server.analytics.providers.instagram import (
    COMMENTS_SCOPE,
    GraphComment,
    Instagram,
    comments_of,
    find_media,
)
from tokportal_server.comments.verification import (
    CannotLookError,
    CommentSource,
    FoundComment,
    Look,
    LookFailedError,
)
from tokportal_server.lib.db import Database
from tokportal_server.orders.locks import Row

OWNER = """
SELECT t.saved_account_id, t.platform_post_id, t.post_key
  FROM tracked_posts t
  JOIN analytics_connections c
    ON c.workspace_id = t.workspace_id AND c.saved_account_id = t.saved_account_id
 WHERE t.workspace_id = $1 AND t.post_key = $2 AND c.provider = 'instagram_api'
 ORDER BY c.broken_reason IS NOT NULL, t.ordinal DESC LIMIT 1
"""
_MOST: Final = 300


class InstagramComments:
    """Looks under the posts that it may; ``otherwise`` is asked about all others."""

    def __init__(self, database: Database, instagram: Instagram, otherwise: CommentSource) -> None:
        self._database = database
        self._instagram = instagram
        self._otherwise = otherwise

    async def comments(self, look: Look) -> Sequence[FoundComment]:
        """Give the comments under the post of ``look``.

        Raises:
            CannotLookError: it is not a post of a connected account, or that has not consented.
            LookFailedError: the API did not answer this time.
        """
        if look.platform != "instagram":
            return await self._otherwise.comments(look)
        async with self._database.connection() as conn:
            owner = await conn.fetchrow(OWNER, look.workspace_id, look.post)
        if owner is None:
            return await self._otherwise.comments(look)
        try:
            access = await self._access(look, owner)
            return [_found(one) for one in await self._read(look, owner, access)]
        except ProviderFailedError as failure:
            kind = LookFailedError if failure.retryable else CannotLookError
            raise kind(failure.reason) from None
        except GraphRefusedError as error:
            raise LookFailedError(error.failure().reason) from None

    async def _access(self, look: Look, owner: Row) -> Access:
        access = await self._instagram.connections.access(
            self._instagram.source, look.workspace_id, owner["saved_account_id"]
        )
        if COMMENTS_SCOPE not in access.scopes:
            raise CannotLookError(
                f"the account of the post has not agreed to {COMMENTS_SCOPE}; connect it again, or"
                " let the comment be confirmed by hand"
            )
        return access

    async def _read(self, look: Look, owner: Row, access: Access) -> list[GraphComment]:
        graph = Graph(self._instagram.api, access.token)
        try:
            media_id = await find_media(graph, owner["platform_post_id"], owner["post_key"])
            if media_id is None:
                raise CannotLookError("the post is not among the account's media any more")
            found = []
            async for comment in comments_of(graph, media_id, most=_MOST):
                found.append(comment)
                if comment.id == look.comment_id:
                    break
        except TokenEndedError as error:
            raise await self._instagram.connections.ended(
                self._instagram.source, access, str(error)
            ) from None
        return found


def _found(comment: GraphComment) -> FoundComment:
    return FoundComment(comment.id, comment.username, comment.text)
