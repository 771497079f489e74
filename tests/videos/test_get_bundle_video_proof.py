from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cast import World
from tests.client import Client
from tests.http.seed import clip
from tests.orders.walk import POST, PROFILE, claimed, ordered, set_up, video
from tests.uploads.forms import form
from tokportal_server.entry.proof_commands import verify
from tokportal_server.entry.worker import LISTENERS
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.proofs.recording import PROOF_JOB, ProofListener
from tokportal_server.workbench.operations.submit_slot import submit_slot

SECRETS = ("storage_path", "video_url", "password")


async def approved(
    alice: Client, conn: Connection, world: World, ports: Ports, *, prove: bool = True
) -> str:
    """Order, post, correct and approve one video with a disclosure; give its bundle."""
    bundle_id = await ordered(alice, videos=1, auto_finalize_videos=False)
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    body, headers = form(clip(), {"bundle_id": bundle_id})
    upload = await alice.post("/upload/video/direct", body=body, headers=headers)
    asked = video(video_url=upload.data["storage_path"], disclose_as_ads=True)
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", asked)).status == 200
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    assert (await alice.post(f"/bundles/{bundle_id}/account/finalize")).status == 200
    await _hand_in(conn, world, ports, bundle_id)
    wish = {"comment": "Name the sponsor.", "fields": {"description": "Add the brand."}}
    path = f"/bundles/{bundle_id}/videos/1"
    assert (await alice.post(f"{path}/corrections", wish)).status == 200
    await _hand_in(conn, world, ports, bundle_id)
    slot = await alice.post(f"{path}/finalize")
    assert slot.status == 200
    if prove:
        told = {"workspace_id": str(world.acme), "data": {"video_id": slot.data["id"]}}
        await ProofListener(ports).run(told)
    return bundle_id


async def _hand_in(conn: Connection, world: World, ports: Ports, bundle_id: str) -> None:
    async with unit_of_work(conn, world.acme, now=real_now() + timedelta(days=6)) as tx:
        await submit_slot(
            tx=tx,
            actor=world.as_mona,
            bundle_id=UUID(bundle_id),
            position=1,
            platform_url=POST,
            rules=OrderRules.of(ports.settings),
        )


async def test_tells_what_was_ordered_posted_and_approved(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await approved(alice, conn, world, ports)
    reply = await alice.get(f"/bundles/{bundle_id}/videos/1/proof")
    assert reply.status == 200
    entries: list[dict[str, Any]] = reply.data["entries"]
    told = {entry["kind"]: entry["data"] for entry in entries}
    assert told["order"]["bundle_id"] == bundle_id
    assert told["order"]["account"]["username"] == "acme.daily"
    assert told["order"]["rehearsal"] is False
    assert told["brief"]["disclosure"] == {"ai_content_disclaimer": False, "disclose_as_ads": True}
    [file] = told["media"]["files"]
    assert file["sha256"] == hashlib.sha256(clip()).hexdigest()
    assert told["corrections"]["comment"] == "Name the sponsor."
    assert told["submission"] == {"platform_url": POST, "evidence": None}
    assert (told["approval"]["by"], told["approval"]["by_id"]) == (
        "customer",
        str(world.alice_key_id),
    )
    moves = [entry["data"]["to"] for entry in entries if entry["kind"] == "status"]
    assert moves[-4:] == ["in_review", "pending_corrections", "in_review", "finalized"]
    # Nothing in it opens the media or the account to whoever is shown it.
    assert not [word for word in SECRETS if word in json.dumps(reply.data)]


async def test_a_copy_verifies_offline_with_its_media_and_a_changed_one_does_not(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle_id = await approved(alice, conn, world, ports)
    reply = await alice.get(f"/bundles/{bundle_id}/videos/1/proof")
    saved, film, other = (tmp_path / name for name in ("proof.json", "clip.mp4", "other.mp4"))
    saved.write_text(json.dumps({"data": reply.data}, indent=2))
    film.write_bytes(clip())
    other.write_bytes(clip() + b"x")
    key = reply.data["signature"]["public_key"]
    assert verify(saved, public_key=key, media=[film]) == 0
    assert "Valid" in capsys.readouterr().out
    assert verify(saved, media=[other]) == 1
    assert "Not among the media" in capsys.readouterr().out
    assert verify(saved, public_key="0" * 64) == 1
    assert "another key" in capsys.readouterr().out
    saved.write_text(json.dumps(reply.data).replace(POST, POST.replace("acme", "acne")))
    assert verify(saved) == 1
    assert "submission" in capsys.readouterr().out
    saved.write_text('{"data": {}}')
    assert verify(saved, json=True) == 1
    assert json.loads(capsys.readouterr().out)["valid"] is False
    entries = [entry for entry in reply.data["entries"] if entry["kind"] != "corrections"]
    saved.write_text(json.dumps({**reply.data, "entries": entries}))
    assert verify(saved) == 1


async def test_is_written_once_by_the_listener_and_never_changed(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    assert PROOF_JOB in LISTENERS["video.finalized"]
    bundle_id = await approved(alice, conn, world, ports, prove=False)
    path = f"/bundles/{bundle_id}/videos/1"
    early = await alice.get(f"{path}/proof")
    assert (early.status, early.code, early.details) == (
        409,
        "PROOF_NOT_READY",
        {"status": "finalized"},
    )
    slot_id = (await alice.get(path)).data["id"]
    payload = {"workspace_id": str(world.acme), "data": {"video_id": slot_id}}
    await asyncio.gather(*(ProofListener(ports).run(payload) for _ in range(4)))
    first = await alice.get(f"{path}/proof")
    await ProofListener(ports).run(payload)
    assert (await alice.get(f"{path}/proof")).data == first.data
    assert await conn.fetchval("SELECT count(*) FROM proof_keys") == 1
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await conn.execute("UPDATE slot_proofs SET document = ''")


async def test_there_is_none_before_the_end_and_none_for_strangers(
    alice: Client, bob: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await ordered(alice, videos=1)
    path = f"/bundles/{bundle_id}/videos/1/proof"
    reply = await alice.get(path)
    assert (reply.status, reply.details) == (409, {"status": "pending"})
    slot_id = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["id"]
    await ProofListener(ports).run({"workspace_id": str(world.acme), "data": {"video_id": slot_id}})
    assert await conn.fetchval("SELECT count(*) FROM slot_proofs") == 0
    assert (await charlie.get(path)).code == "BUNDLE_NOT_FOUND"
    assert (await alice.get(f"/bundles/{bundle_id}/videos/2/proof")).code == "VIDEO_NOT_FOUND"
    assert (await bob.get(path)).status == 409
