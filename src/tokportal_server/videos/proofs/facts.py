"""What a finalized slot's proof tells, gathered from the rows that its order left."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tokportal_server.lib.chain import Fact
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

SLOT = """
SELECT s.*, b.platform, b.country, b.external_ref AS bundle_ref, w.rehearsal,
       a.id AS account_id, a.username, a.profile_url,
       COALESCE((SELECT array_agg(o.name ORDER BY o.name) FROM slot_options o
                  WHERE o.workspace_id = s.workspace_id AND o.slot_id = s.id), '{}') AS options
  FROM slots s
  JOIN workspaces w ON w.id = s.workspace_id
  JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE s.workspace_id = $1 AND s.id = $2 AND s.status = 'finalized'
"""
MEDIA = """
SELECT m.kind, m.ordinal, u.sha256, u.size_bytes, u.content_type FROM media m
  JOIN uploads u ON u.workspace_id = m.workspace_id AND u.id = m.upload_id
 WHERE m.workspace_id = $1 AND m.owner_kind = 'slot' AND m.owner_id = $2
 ORDER BY m.kind, m.ordinal
"""
EVIDENCE = """
SELECT u.sha256, u.size_bytes, u.content_type FROM uploads u
 WHERE u.workspace_id = $1
   AND u.storage_key = substring($2 FROM '[0-9a-f]{32}/[0-9a-f]{40}(?:\\.[a-z0-9]+)?')
"""
MOVES = """
SELECT from_status, to_status, actor_kind, actor_id, reason, at FROM journal
 WHERE workspace_id = $1 AND object_id = $2 AND kind = 'slot' ORDER BY ordinal
"""
ROUNDS = """
SELECT round, comment, fields, requested_at, resolved_at FROM corrections
 WHERE workspace_id = $1 AND slot_id = $2 ORDER BY round
"""
# Addresses of media would open them to whoever is shown the proof; their checksums do not.
_MEDIA_FIELDS = ("video_url", "carousel_images", "story_image_url")
_DISCLOSURES = ("ai_content_disclaimer", "disclose_as_ads")


async def gather_facts(conn: Connection, workspace_id: UUID, slot_id: UUID) -> list[Fact] | None:
    """Give the facts of a slot in their order, or None unless it is finalized."""
    slot = await conn.fetchrow(SLOT, workspace_id, slot_id)
    if slot is None:
        return None
    moves = await conn.fetch(MOVES, workspace_id, slot_id)
    rounds = await conn.fetch(ROUNDS, workspace_id, slot_id)
    media = await conn.fetch(MEDIA, workspace_id, slot_id)
    evidence = await conn.fetchrow(EVIDENCE, workspace_id, slot["evidence_url"] or "")
    return [
        Fact("order", wire_time(slot["created_at"]), _order(slot)),
        Fact("brief", None, _brief(slot)),
        Fact("media", None, {"files": [dict(row) for row in media]}),
        *_history(moves, rounds),
        Fact("submission", wire_time(slot["submitted_at"]), _submission(slot, evidence)),
        Fact("approval", wire_time(slot["finalized_at"]), _by(moves[-1])),
    ]


def _order(slot: Row) -> dict[str, Any]:
    return {
        "workspace_id": str(slot["workspace_id"]),
        "bundle_id": str(slot["bundle_id"]),
        "video_id": str(slot["id"]),
        "position": slot["position"],
        "external_ref": slot["external_ref"],
        "bundle_external_ref": slot["bundle_ref"],
        "platform": slot["platform"],
        "country": slot["country"],
        "account": {
            "id": str(slot["account_id"]),
            "username": slot["username"],
            "profile_url": slot["profile_url"],
        },
        "rehearsal": slot["rehearsal"],
    }


def _brief(slot: Row) -> dict[str, Any]:
    asked = {
        name: value
        for name, value in slot["content"].items()
        if value is not None and name not in (*_MEDIA_FIELDS, *_DISCLOSURES)
    }
    return {
        "video_type": slot["video_type"],
        "first_day": str(slot["target_start"]),
        "last_day": str(slot["target_end"]),
        "content": asked,
        "disclosure": {name: bool(slot["content"].get(name)) for name in _DISCLOSURES},
        "options": slot["options"],
    }


def _history(moves: list[Row], rounds: list[Row]) -> list[Fact]:
    """Give changes of status in their order, each round of corrections before what it changed."""
    told: list[Fact] = []
    asked = list(rounds)
    for move in moves:
        while asked and asked[0]["requested_at"] <= move["at"]:
            told.append(_round(asked.pop(0)))
        told.append(Fact("status", wire_time(move["at"]), {"to": move["to_status"], **_by(move)}))
    return [*told, *map(_round, asked)]


def _round(row: Row) -> Fact:
    resolved = row["resolved_at"]
    told = {
        "round": row["round"],
        "comment": row["comment"],
        "fields": row["fields"],
        "resolved_at": wire_time(resolved) if resolved else None,
    }
    return Fact("corrections", wire_time(row["requested_at"]), told)


def _submission(slot: Row, evidence: Row | None) -> dict[str, Any]:
    return {
        "platform_url": slot["platform_url"],
        "evidence": dict(evidence) if evidence else None,
    }


def _by(move: Row) -> dict[str, Any]:
    """Give who made a change; people and keys by their ids, the server itself as ``system``."""
    return {
        "by": move["actor_kind"],
        "by_id": str(move["actor_id"]) if move["actor_id"] else None,
        "reason": move["reason"],
    }
