"""Every operation of the API: those that are built, and those of the reference still to come."""

from __future__ import annotations

import msgspec

from tokportal_server.accounts import routes as accounts
from tokportal_server.bundles import account_routes as bundles_of_accounts
from tokportal_server.bundles import profile_routes as profiles
from tokportal_server.bundles import routes as bundles
from tokportal_server.comments import routes as comments
from tokportal_server.credits import routes as money
from tokportal_server.http.registry import Operation, not_built
from tokportal_server.lib.resources import contract_file
from tokportal_server.rehearsal import routes as rehearsal
from tokportal_server.uploads import routes as uploads
from tokportal_server.uploads import url_routes as uploads_by_url
from tokportal_server.videos import batch_routes as many_videos
from tokportal_server.videos import routes as videos
from tokportal_server.webhooks import routes as webhooks
from tokportal_server.workspaces import routes as workspaces

_ROUTERS = (
    money.profile,
    workspaces.router,
    money.router,
    bundles.router,
    profiles.router,
    videos.router,
    many_videos.router,
    accounts.router,
    bundles_of_accounts.router,
    comments.router,
    uploads.router,
    uploads_by_url.router,
    webhooks.router,
    rehearsal.router,
)
# What the reference has and this release does not: each answers 501 and is marked so in the
# OpenAPI document. A test fails if a name here is built, or one is missing from both.
NOT_BUILT = frozenset(
    {
        "canRefreshAccountAnalytics",
        "refreshAccountAnalytics",
        "getAnalyticsDashboard",
        "getAnalyticsContract",
        "exportAnalyticsVideos",
        "createAnalyticsReport",
        "exportAnalyticsReportHtml",
        "getAnalyticsSeries",
        "getAnalyticsAccount",
        "refreshAnalyticsAccount",
        "listAnalyticsAccountRawSnapshots",
        "getAccountAnalytics",
        "listAccountVideoAnalytics",
        "getVideoAnalytics",
        "getCommentPulse",
        "listAnalyticsAccountComments",
        "listAnalyticsPostRawSnapshots",
    }
)


class _Listed(msgspec.Struct):
    operation_id: str
    group: str
    summary: str
    method: str
    path: str
    auth: bool


def reference_operations() -> list[_Listed]:
    """Read the 78 operations of the reference from ``contract/operations.json``."""
    return msgspec.json.decode(contract_file("operations.json").read_bytes(), type=list[_Listed])


def all_operations() -> list[Operation]:
    """Give every operation: the reference's in its order, then our own additions."""
    built = {op.operation_id: op for router in _ROUTERS for op in router.operations}
    listed = reference_operations()
    ordered = [
        not_built(
            item.operation_id,
            item.method,
            item.path,
            tag=item.group,
            summary=item.summary,
            public=not item.auth,
        )
        if item.operation_id in NOT_BUILT
        else built[item.operation_id]
        for item in listed
    ]
    known = {item.operation_id for item in listed}
    return ordered + [op for op in built.values() if op.operation_id not in known]
