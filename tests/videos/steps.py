"""Orders brought to where tests of slots begin, and CSVs made by hand."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.cast import World
from tests.client import Client, Reply
from tests.orders.walk import uploaded, video, workable, working
from tests.uploads.forms import form
from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.media_arrival import on_media_settled
from tokportal_server.workbench.operations.report_download_issue import report_download_issue

HEAD = "position,video_type,description,target_publish_date,video_url"
URL = "https://media.example.com/a.mp4"
SETTLE = """
UPDATE media SET status = $1, upload_id = $2, error = $3 WHERE owner_id = $4 RETURNING *
"""


async def videos_only(
    alice: Client, conn: Connection, world: World, ports: Ports, *, videos: int = 2
) -> str:
    """Publish a bundle of videos on a delivered account, unclaimed; give its id."""
    first = await workable(alice, conn, world, ports, videos=1)
    account_id = (await alice.get(f"/bundles/{first}")).data["saved_account_id"]
    order = {"bundle_type": "videos_only", "account_id": account_id, "videos_quantity": videos}
    bundle_id = str((await alice.post("/bundles", order)).data["id"])
    for position in range(1, videos + 1):
        path = await uploaded(conn, world.acme, bundle_id)
        body = video(video_url=path)
        assert (await alice.put(f"/bundles/{bundle_id}/videos/{position}", body)).status == 200
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    return bundle_id


async def enriched(conn: Connection, world: World) -> None:
    """Give Alice's workspace enough for a large order."""
    async with working(conn, world) as tx:
        await ledger.grant(
            tx,
            amount=5000,
            source="grant",
            expires_at=None,
            description="For a large order",
            business_key="enriched",
            actor=SYSTEM,
        )


async def reported(conn: Connection, world: World, bundle_id: str, position: int = 1) -> None:
    """Have Mona report that she cannot use a slot's media."""
    async with working(conn, world) as tx:
        await report_download_issue(
            tx=tx, actor=world.as_mona, bundle_id=UUID(bundle_id), position=position, reason="404"
        )


async def imported(
    client: Client,
    bundle_id: str,
    csv: str | bytes,
    *,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Reply:
    """Send a CSV."""
    content = csv.encode() if isinstance(csv, str) else csv
    body, own = form(content, fields, filename="slots.csv", claimed_type="text/csv")
    path = f"/bundles/{bundle_id}/videos/import-csv"
    return await client.post(path, body=body, headers=own | (headers or {}))


async def slots_of(client: Client, bundle_id: str) -> list[Any]:
    """Give every slot of a bundle."""
    return list((await client.get(f"/bundles/{bundle_id}/videos")).data)


async def media_settles(
    conn: Connection, world: World, ports: Ports, slot_id: str, *, upload: str | None
) -> None:
    """Have a slot's media arrive as the upload at this path, or fail."""
    upload_id = await conn.fetchval("SELECT id FROM uploads WHERE storage_key = $1", upload)
    error = None if upload else {"code": "FETCH_REFUSED", "message": "Nobody answered."}
    async with working(conn, world) as tx:
        bundle_id = await tx.conn.fetchval(
            "SELECT bundle_id FROM slots WHERE id = $1", UUID(slot_id)
        )
        await lock_bundle(tx, bundle_id)
        row = await tx.conn.fetchrow(
            SETTLE, "ready" if upload else "failed", upload_id, error, UUID(slot_id)
        )
        assert row is not None
        await on_media_settled(tx, row, rules=OrderRules.of(ports.settings))
