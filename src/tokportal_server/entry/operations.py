"""Every operation of the API: the reference's, and our own additions."""

from __future__ import annotations

import msgspec

from tokportal_server.accounts import routes as accounts
from tokportal_server.analytics import pulse_routes as pulse
from tokportal_server.analytics import refresh_routes as refreshes
from tokportal_server.analytics import report_routes as reports
from tokportal_server.analytics import routes as analytics
from tokportal_server.bundles import account_routes as bundles_of_accounts
from tokportal_server.bundles import profile_routes as profiles
from tokportal_server.bundles import routes as bundles
from tokportal_server.comments import routes as comments
from tokportal_server.credits import routes as money
from tokportal_server.http.registry import Operation
from tokportal_server.lib.resources import contract_file
from tokportal_server.rehearsal import routes as rehearsal
from tokportal_server.rehearsal import script_routes as rehearsal_scripts
from tokportal_server.uploads import routes as uploads
from tokportal_server.uploads import url_routes as uploads_by_url
from tokportal_server.videos import batch_routes as many_videos
from tokportal_server.videos import proof_routes as proofs
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
    proofs.router,
    accounts.router,
    bundles_of_accounts.router,
    comments.router,
    uploads.router,
    uploads_by_url.router,
    analytics.router,
    refreshes.router,
    pulse.router,
    reports.router,
    webhooks.router,
    rehearsal.router,
    rehearsal_scripts.router,
)


class _Listed(msgspec.Struct):
    operation_id: str
    summary: str
    method: str


def reference_operations() -> list[_Listed]:
    """Read the 78 operations of the reference from ``contract/operations.json``."""
    return msgspec.json.decode(contract_file("operations.json").read_bytes(), type=list[_Listed])


def all_operations() -> list[Operation]:
    """Give every operation: the reference's in its order, then our own additions."""
    built = {op.operation_id: op for router in _ROUTERS for op in router.operations}
    listed = reference_operations()
    ordered = [built[item.operation_id] for item in listed]
    known = {item.operation_id for item in listed}
    return ordered + [op for op in built.values() if op.operation_id not in known]
