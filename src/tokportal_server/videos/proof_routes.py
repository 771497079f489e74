"""The proof of a slot: an addition of this server to the reference's operations."""

from __future__ import annotations

import msgspec

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.errors import BundleNotFoundError, VideoNotFoundError
from tokportal_server.videos import queries
from tokportal_server.videos.proofs.reading import find_proof
from tokportal_server.videos.proofs.wire import SlotProof
from tokportal_server.videos.wire import HIGHEST_POSITION

router = Router("Videos")


class ProofNotReadyError(ApiError):
    """The slot is not finalized, or was this very moment; ``details {status}``."""

    code = "PROOF_NOT_READY"
    status = 409
    remedy = (
        "You: a proof is written within seconds after the slot is finalized. Approve the post, or"
        " ask again in a moment."
    )


@router.operation(
    "GET",
    "/bundles/{id}/videos/{position}/proof",
    "getBundleVideoProof",
    summary="Get the proof of a finalized slot",
    returns=SlotProof,
    errors=(ProofNotReadyError,),
    path_errors=(BundleNotFoundError, VideoNotFoundError),
    addition=True,
)
async def get_proof(call: Call) -> Answer:
    """What was ordered, the media's checksums, what was posted, who approved: chained and signed.

    `tokportal-server proof verify FILE` checks it without a network.
    """
    bundle_id = call.id("id", BundleNotFoundError)
    position = call.number("position", VideoNotFoundError, most=HIGHEST_POSITION)
    slot = await queries.get_slot(
        call.conn, call.who.workspace_id, bundle_id, position, base_url=call.base_url
    )
    document = await find_proof(call.conn, call.who.workspace_id, slot.id)
    if document is None:
        raise ProofNotReadyError(
            f"Slot {position} is {slot.status}; its proof is written once it is finalized.",
            details={"status": slot.status},
        )
    return Answer(msgspec.json.decode(document, type=SlotProof))
