"""The proof of a slot, as it was written."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.db import Connection

FIND_PROOF = "SELECT document FROM slot_proofs WHERE workspace_id = $1 AND slot_id = $2"

HAS_PROOF = "SELECT EXISTS (SELECT FROM slot_proofs WHERE workspace_id = $1 AND slot_id = $2)"


async def has_proof(conn: Connection, workspace_id: UUID, slot_id: UUID) -> bool:
    """Say whether a slot has its proof."""
    return bool(await conn.fetchval(HAS_PROOF, workspace_id, slot_id))


async def find_proof(conn: Connection, workspace_id: UUID, slot_id: UUID) -> bytes | None:
    """Give the proof of a slot as JSON, or None while there is none."""
    document: bytes | None = await conn.fetchval(FIND_PROOF, workspace_id, slot_id)
    return document
