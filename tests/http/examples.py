"""How to make a call of each built operation that succeeds in the seeded world.

Whoever builds an operation adds its line here; ``test_matrix.py`` fails until it is there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.client import Client, Reply
from tests.http.seed import Seed, clip
from tests.orders.walk import PROFILE, in_days, order, video
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.entry.operations import all_operations
from tokportal_server.http.registry import Operation

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Example:
    """A path over the names of :class:`Seed`, with what is sent to it.

    ``refused_with`` is the code of an example that is right, but that the seeded world refuses.
    """

    path: str
    body: Any = None
    fields: dict[str, str] = field(default_factory=dict)
    file: bytes | None = None
    refused_with: str | None = None


EXAMPLES: dict[str, Example] = {
    "getCurrentUser": Example("/me"),
    "listCountries": Example("/countries"),
    "listPlatforms": Example("/platforms"),
    "getCreditCosts": Example("/credit-costs"),
    "getCreditBalance": Example("/credits/balance"),
    "listCreditTransactions": Example("/credits/history"),
    "listBundles": Example("/bundles"),
    "createBundle": Example("/bundles", order()),
    "createBundlesBulk": Example(
        "/bundles/bulk",
        {
            "platforms": ["tiktok", "instagram"],
            "country": "USA",
            "accounts_count": 2,
            "upload_accounts_count": 1,
            "videos_per_account": 2,
        },
    ),
    "getBundle": Example("/bundles/{fresh}"),
    "updateBundle": Example("/bundles/{fresh}", {"title": "Autumn", "external_ref": None}),
    "publishBundle": Example("/bundles/{ready}/publish"),
    "unpublishBundle": Example("/bundles/{offered}/unpublish"),
    "addVideoSlots": Example("/bundles/{fresh}/add-video-slots", {"quantity": 2}),
    "addEditSlots": Example("/bundles/{fresh}/add-edit-slots", {"quantity": 1}),
    "getBundlePublishReadiness": Example("/bundles/{fresh}/publish-readiness"),
    "getBundleAccount": Example("/bundles/{fresh}/account"),
    "configureBundleAccount": Example("/bundles/{fresh}/account", PROFILE),
    "requestBundleAccountCorrections": Example(
        "/bundles/{to_correct}/account/corrections", {"comment": "The name is misspelt."}
    ),
    "finalizeBundleAccount": Example("/bundles/{in_review}/account/finalize"),
    "listBundleVideos": Example("/bundles/{fresh}/videos"),
    "getBundleVideo": Example("/bundles/{fresh}/videos/1"),
    "getBundleVideoProof": Example("/bundles/{approved}/videos/1/proof"),
    "configureBundleVideo": Example("/bundles/{fresh}/videos/2", video(volume_original_sound=50)),
    "patchBundleVideo": Example("/bundles/{fresh}/videos/1", {"name": "Tart", "external_ref": "t"}),
    "batchConfigureBundleVideos": Example(
        "/bundles/{fresh}/videos/batch",
        {"videos": [{"position": 1, **video()}, {"position": 2, **video(6)}]},
    ),
    "importBundleVideosCsv": Example(
        "/bundles/{fresh}/videos/import-csv",
        file=f"position,video_type,description,target_publish_date,video_url\n"
        f"1,video,Look,{in_days(5)},https://media.example.com/a.mp4\n".encode(),
    ),
    "publishAllBundleVideos": Example("/bundles/{scheduled}/videos/publish-all"),
    "unscheduleBundleVideo": Example("/bundles/{scheduled}/videos/1/unschedule"),
    "resetBundleVideo": Example("/bundles/{scheduled}/videos/2/reset"),
    "requestBundleVideoCorrections": Example(
        "/bundles/{worked_on}/videos/1/corrections", {"comment": "The sound is missing."}
    ),
    "fixBundleVideoDownload": Example(
        "/bundles/{worked_on}/videos/2/fix-download",
        {"video_url": "https://media.example.com/b.mp4"},
    ),
    "publishBundleVideo": Example("/bundles/{live}/videos/1/publish"),
    "finalizeBundleVideo": Example("/bundles/{posted}/videos/1/finalize"),
    "listAccounts": Example("/accounts"),
    "getAccount": Example("/accounts/{account}"),
    "listAccountBundles": Example("/accounts/{account}/bundles"),
    "revealAccountCredentials": Example("/accounts/{account}/reveal-credentials"),
    "retrieveAccountVerificationCode": Example("/accounts/{account}/verification-code"),
    "getAccountEditRequest": Example("/accounts/{account}/edit-request"),
    "createAccountEditRequest": Example(
        "/accounts/{account}/edit-request",
        {"requested_username": "acme.weekly", "requested_visible_name": "Acme"},
    ),
    "listAccountBans": Example("/account-bans"),
    "listCommentTasks": Example("/comments"),
    "createCommentTasks": Example(
        "/comments",
        {
            "saved_account_id": "{account}",
            "target_video_url": "https://www.tiktok.com/@baker/video/7300000000000000009",
            "comment_text": "Which flour do you use?",
        },
    ),
    "getCommentTask": Example("/comments/{comment}"),
    "deleteCommentTask": Example("/comments/{comment}"),
    "approveCommentTask": Example("/comments/{comment_to_approve}/approve"),
    "disputeCommentTask": Example(
        "/comments/{comment_to_dispute}/dispute", {"reason": "I cannot find it."}
    ),
    "listCommentTaskVerifications": Example("/comments/{comment}/verifications"),
    "listWebhookEvents": Example("/webhooks/events"),
    "listWebhookEndpoints": Example("/webhooks"),
    "createWebhookEndpoint": Example(
        "/webhooks", {"url": "https://example.com/more", "events": ["bundle.completed"]}
    ),
    "getWebhookEndpoint": Example("/webhooks/{endpoint}"),
    "updateWebhookEndpoint": Example("/webhooks/{endpoint}", {"description": "Ours"}),
    "listWebhookDeliveries": Example("/webhooks/{endpoint}/deliveries"),
    "deleteWebhookEndpoint": Example("/webhooks/{endpoint}"),
    "testWebhookEndpoint": Example("/webhooks/{endpoint}/test"),
    "retryWebhookDelivery": Example("/webhooks/{endpoint}/deliveries/{delivery}/retry"),
    "listEvents": Example("/events"),
    "uploadVideo": Example("/upload/video", {"bundle_id": "{fresh}", "filename": "clip.mov"}),
    "uploadImage": Example(
        "/upload/image",
        {"bundle_id": "{fresh}", "filename": "photo.jpg", "content_type": "image/jpeg"},
    ),
    "uploadImageFromUrl": Example(
        "/upload/image/from-url", {"bundle_id": "{fresh}", "url": "{picture}"}
    ),
    "uploadVideoDirect": Example(
        "/upload/video/direct", fields={"bundle_id": "{fresh}"}, file=clip()
    ),
    "uploadImageDirect": Example(
        "/upload/image/direct", fields={"bundle_id": "{fresh}"}, file=media.jpeg()
    ),
    "getAnalyticsDashboard": Example("/analytics"),
    "getAnalyticsContract": Example("/analytics/contract"),
    "getAnalyticsSeries": Example("/analytics/series"),
    "exportAnalyticsVideos": Example("/analytics/export/videos"),
    "getAnalyticsAccount": Example("/analytics/accounts/{measured}"),
    "listAnalyticsAccountRawSnapshots": Example("/analytics/accounts/{measured}/raw"),
    "listAnalyticsAccountComments": Example("/analytics/accounts/{measured}/comments"),
    "listAnalyticsPostRawSnapshots": Example("/analytics/posts/{tracked_post}/raw"),
    "getAccountAnalytics": Example("/accounts/{measured}/analytics"),
    "listAccountVideoAnalytics": Example("/accounts/{measured}/analytics/videos"),
    "getVideoAnalytics": Example("/videos/{video}/analytics"),
    "getCommentPulse": Example("/analytics/comments"),
    "createAnalyticsReport": Example(
        "/analytics/export/reports", {"title": "Launch", "template": "board"}
    ),
    "exportAnalyticsReportHtml": Example(
        "/analytics/export/reports/html", {"title": "Launch", "brandAccent": "#e4572e"}
    ),
    "canRefreshAccountAnalytics": Example("/accounts/{connected}/analytics/can-refresh"),
    "refreshAccountAnalytics": Example(
        "/accounts/{connected}/analytics/refresh", {"includePosts": True, "force": False}
    ),
    "refreshAnalyticsAccount": Example(
        "/analytics/accounts/{connected_too}/refresh", {"bootstrapPosts": True, "postLimit": 50}
    ),
    # The seeded workspace lives in real time, so its clock cannot be read or moved.
    "getRehearsalClock": Example("/clock", refused_with="NOT_A_REHEARSAL"),
    "advanceRehearsalClock": Example(
        "/clock/advance", {"hours": 1}, refused_with="NOT_A_REHEARSAL"
    ),
    "getRehearsalScripts": Example("/scripts", refused_with="NOT_A_REHEARSAL"),
    "setRehearsalScripts": Example(
        "/scripts",
        {"weights": {"prompt": 3, "slow": 1}, "seed": 7},
        refused_with="NOT_A_REHEARSAL",
    ),
    "setRehearsalBundleScript": Example(
        "/bundles/{fresh}/script", {"script": "careless"}, refused_with="NOT_A_REHEARSAL"
    ),
    "setWebhookFault": Example(
        "/webhooks/{endpoint}/fault",
        {"fault": "twice", "deliveries": 1},
        refused_with="NOT_A_REHEARSAL",
    ),
}

# Those whose bodies are texts that hold names of :class:`Seed`.
NAMES_IN_BODY = {"uploadVideo", "uploadImage", "uploadImageFromUrl", "createCommentTasks"}


def built() -> dict[str, Operation]:
    """Give every operation, by its id."""
    return {op.operation_id: op for op in all_operations()}


def writes() -> dict[str, Operation]:
    """Give those that take idempotency keys and dry runs."""
    return {name: op for name, op in built().items() if op.mutating}


def path_of(operation_id: str, seed: Seed) -> str:
    """Give the path of an operation's example."""
    return EXAMPLES[operation_id].path.format(**asdict(seed))


async def perform(
    client: Client,
    operation: Operation,
    seed: Seed,
    *,
    path: str | None = None,
    headers: dict[str, str] | None = None,
    another_body: bool = False,
) -> Reply:
    """Make the example's call, to another path or with a body of other bytes if asked to."""
    example = EXAMPLES[operation.operation_id]
    body, own = _body(operation, example, seed, another_body=another_body)
    return await client.call(
        operation.method,
        path or path_of(operation.operation_id, seed),
        body=body,
        headers=own | (headers or {}),
        base=operation.base_path,
    )


def _body(
    operation: Operation, example: Example, seed: Seed, *, another_body: bool
) -> tuple[bytes | None, dict[str, str]]:
    if operation.form is not None:
        fields = {name: value.format(**asdict(seed)) for name, value in example.fields.items()}
        more = {"another": "body"} if another_body else {}
        return form(example.file, fields | more)
    if example.body is None:
        return (b"{}", JSON) if another_body else (None, {})
    body = example.body
    if operation.operation_id in NAMES_IN_BODY:
        body = {name: value.format(**asdict(seed)) for name, value in body.items()}
    return json.dumps(body).encode() + b" " * another_body, JSON
