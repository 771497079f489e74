"""``tokportal-server proof``: check the proof of a slot, and tell the key that signs proofs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tokportal_server.entry.installation import console, with_connection
from tokportal_server.entry.operator_options import Flag, report
from tokportal_server.lib.chain import ChainBrokenError
from tokportal_server.lib.db import Connection
from tokportal_server.videos.proofs.keys import public_key as find_public_key
from tokportal_server.videos.proofs.verifying import find_medium, read_proof, verify_proof
from tokportal_server.videos.proofs.wire import SlotProof

proof = App(name="proof", help="Check proofs of finalized slots.")


@proof.command
def verify(
    file: Path,
    *,
    public_key: str | None = None,
    media: Annotated[list[Path] | None, Parameter(negative="")] = None,
    json: Flag = False,
) -> int:
    """Check a downloaded proof, without database and network; exit 1 if it is not as it was made.

    Parameters
    ----------
    file
        The proof, as GET /bundles/{id}/videos/{position}/proof answers it.
    public_key
        The key of the server that should have signed it, as `proof key` there tells it.
    media
        A file that should be among the media or the evidence of the proof; may be repeated.
    json
        Answer with one JSON object, for scripts.
    """
    try:
        read = read_proof(file.read_bytes())
        verify_proof(read, public_key=public_key)
        found = {str(path): find_medium(read, path) for path in media or ()}
    except (ChainBrokenError, OSError) as error:
        report({"valid": False, "reason": str(error)}, f"Not valid: {error}.", as_json=json)
        return 1
    strangers = [path for path, one in found.items() if one is None]
    facts = {
        "valid": not strangers,
        "signed_by": read.signature.public_key,
        "signer_known": public_key is not None,
        "media": {path: dict(one) if one else None for path, one in found.items()},
    }
    report(facts, "\n".join(_told(read, public_key, strangers)), as_json=json)
    return 1 if strangers else 0


def _told(read: SlotProof, public_key: str | None, strangers: list[str]) -> list[str]:
    order, submission, approval = read.entries[0], read.entries[-2], read.entries[-1]
    lines = [f"Not among the media of this proof: {path}." for path in strangers] or [
        f"Valid: {len(read.entries)} entries, none changed."
    ]
    lines.append(
        f"Video {order.data['position']} of bundle {order.data['bundle_id']}, posted as"
        f" {submission.data['platform_url'] or 'a story with a picture'},"
        f" approved {approval.at} by {approval.data['by']}."
    )
    if order.data["rehearsal"]:
        lines.append("It is from a rehearsal: no real post.")
    lines.append(f"Signed with {read.signature.public_key}")
    if public_key is None:
        lines.append("Whose key that is, --public-key checks.")
    return lines


@proof.command
def key(*, json: Flag = False) -> int:
    """Tell the public key that signs this installation's proofs.

    Parameters
    ----------
    json
        Answer with one JSON object, for scripts.
    """

    async def run(conn: Connection) -> int:
        found = await find_public_key(conn)
        if found is None:
            console.print("There is no key yet: the first finalized slot makes it.")
            return 1
        report({"public_key": found}, found, as_json=json)
        return 0

    return with_connection(run)
