"""Who can put a refusal right and how, by the status that its code has."""

from __future__ import annotations

REMEDIES = {
    400: "You: change the request as the message and `details` say.",
    401: "You: send a key that is whole, not revoked and not expired in `X-API-Key`.",
    402: "The workspace: get credits, then send the same request again.",
    403: "You: use a key, plan or workspace that may do this.",
    404: "You: take the id from the list operation; it may belong to another workspace.",
    405: "You: use a method that the `Allow` header names.",
    408: "You: send the body without a pause of thirty seconds.",
    409: "You: read the thing's state, and bring it to one that allows the call.",
    413: "You: send a smaller body.",
    415: "You: send the content type that the operation takes.",
    422: "You: take a new `Idempotency-Key` for a new request.",
    428: "You: confirm as `details` says, with the policy version that it names.",
    429: "Nobody: wait for the seconds in `Retry-After`.",
    500: "The operator: give them the request id.",
    501: "Nobody yet: a later release will have the operation.",
    502: "Nobody: the other side failed; try again later.",
    503: "Nobody: nothing was done; try again after `Retry-After`.",
}
