"""How to make a call of each built operation that succeeds in the seeded world.

Whoever builds an operation adds its line here; ``test_matrix.py`` fails until it is there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.client import Client, Reply
from tests.http.seed import Seed, clip
from tests.orders.walk import PROFILE, order, video
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.entry.operations import all_operations
from tokportal_server.http.registry import BASE_PATH, Operation

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
    "getBundle": Example("/bundles/{fresh}"),
    "publishBundle": Example("/bundles/{ready}/publish"),
    "getBundlePublishReadiness": Example("/bundles/{fresh}/publish-readiness"),
    "getBundleAccount": Example("/bundles/{fresh}/account"),
    "configureBundleAccount": Example("/bundles/{fresh}/account", PROFILE),
    "requestBundleAccountCorrections": Example(
        "/bundles/{to_correct}/account/corrections", {"comment": "The name is misspelt."}
    ),
    "finalizeBundleAccount": Example("/bundles/{in_review}/account/finalize"),
    "listBundleVideos": Example("/bundles/{fresh}/videos"),
    "getBundleVideo": Example("/bundles/{fresh}/videos/1"),
    "configureBundleVideo": Example("/bundles/{fresh}/videos/2", video(volume_original_sound=50)),
    "publishBundleVideo": Example("/bundles/{live}/videos/1/publish"),
    "finalizeBundleVideo": Example("/bundles/{posted}/videos/1/finalize"),
    "listAccounts": Example("/accounts"),
    "getAccount": Example("/accounts/{account}"),
    "listWebhookEvents": Example("/webhooks/events"),
    "listWebhookEndpoints": Example("/webhooks"),
    "createWebhookEndpoint": Example(
        "/webhooks", {"url": "https://example.com/more", "events": ["bundle.completed"]}
    ),
    "getWebhookEndpoint": Example("/webhooks/{endpoint}"),
    "updateWebhookEndpoint": Example("/webhooks/{endpoint}", {"description": "Ours"}),
    "listWebhookDeliveries": Example("/webhooks/{endpoint}/deliveries"),
    "deleteWebhookEndpoint": Example("/webhooks/{endpoint}"),
    "uploadVideoDirect": Example(
        "/upload/video/direct", fields={"bundle_id": "{fresh}"}, file=clip()
    ),
    "uploadImageDirect": Example(
        "/upload/image/direct", fields={"bundle_id": "{fresh}"}, file=media.jpeg()
    ),
    # The seeded workspace lives in real time, so its clock cannot be read or moved.
    "getRehearsalClock": Example("/clock", refused_with="NOT_A_REHEARSAL"),
    "advanceRehearsalClock": Example(
        "/clock/advance", {"hours": 1}, refused_with="NOT_A_REHEARSAL"
    ),
}


def built() -> dict[str, Operation]:
    """Give every operation that this release has, by its id."""
    return {op.operation_id: op for op in all_operations() if op.built}


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
        base=operation.base_path if operation.beyond_reference else BASE_PATH,
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
    return json.dumps(example.body).encode() + b" " * another_body, JSON
