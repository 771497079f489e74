"""The operation of the reference's group Analytics that looks through comments."""

from __future__ import annotations

from tokportal_server.analytics.definitions import VERSION, VERSION_SIBLING
from tokportal_server.analytics.errors import PostNotFoundError
from tokportal_server.analytics.levels import AnalyticsLevelRequiredError
from tokportal_server.analytics.pulse.counting import CommentPulse
from tokportal_server.analytics.pulse.reading import CommentPulseQuery, comment_pulse
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import SavedAccountNotFoundError

router = Router("Analytics")


@router.operation(
    "GET",
    "/analytics/comments",
    "getCommentPulse",
    summary="Get comment pulse analytics",
    returns=CommentPulse,
    siblings=VERSION_SIBLING,
    errors=(AnalyticsLevelRequiredError, SavedAccountNotFoundError, PostNotFoundError),
)
async def get_comment_pulse(call: Call, query: CommentPulseQuery) -> Answer:
    """What stored comments are about: volume by day, words, moods, questions, some of them.

    Nothing is collected for it: refreshes with `includeComments` do that. Moods come from word
    lists in German, English, Spanish, French, Italian, Dutch and Portuguese and from emoji; what
    they cannot tell is unknown. Platforms whose terms forbid it are left out and named in `off`.
    """
    pulse = await comment_pulse(call.conn, call.who.workspace_id, query, now=call.who.now)
    return Answer(pulse, siblings=VERSION)
