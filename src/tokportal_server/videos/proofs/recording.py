"""A slot was finalized: its proof is written, once. A listener of ``video.finalized``."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from tokportal_server.lib.chain import make_chain, sign_hash
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.videos.proofs.facts import gather_facts
from tokportal_server.videos.proofs.keys import signing_seed
from tokportal_server.videos.proofs.wire import FORMAT, SlotProof

# The job of the listener; entry gives it to the dispatcher and to the runner.
PROOF_JOB: Final = "slot_proof"
PROVEN: Final = frozenset({"video.finalized"})
INSERT_PROOF = """
INSERT INTO slot_proofs (workspace_id, slot_id, document) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, slot_id) DO NOTHING
"""


class ProofListener:
    """Writes proofs; run again for the same slot, it changes nothing."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def run(self, payload: dict[str, Any]) -> None:
        """Handle one job of the dispatcher."""
        async with (
            self._ports.database.connection() as conn,
            unit_of_work(conn, UUID(payload["workspace_id"]), now=real_now()) as tx,
        ):
            slot_id = UUID(payload["data"]["video_id"])
            await record_proof(tx=tx, vault=self._ports.vault, slot_id=slot_id)


async def record_proof(*, tx: UnitOfWork, vault: Vault, slot_id: UUID) -> None:
    """Write the proof of a finalized slot, if it has none; of another slot there is none."""
    facts = await gather_facts(tx.conn, tx.workspace_id, slot_id)
    if facts is None:
        return
    entries = make_chain(facts)
    signature = sign_hash(entries[-1].hash, await signing_seed(tx.conn, vault))
    proof = SlotProof(format=FORMAT, entries=entries, signature=signature)
    await tx.conn.execute(INSERT_PROOF, tx.workspace_id, slot_id, msgspec.json.encode(proof))
