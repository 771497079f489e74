"""What must be true after everything: each check compares what was promised with what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import aiohttp

from tests.faults.customers import Workspace
from tests.faults.scene import Scene
from tests.orders.invariants import _ID_IN_EVENT as ID_IN_EVENT
from tests.orders.invariants import JOURNAL, broken
from tokportal_server.lib.db import Connection
from tokportal_server.orders.states import MACHINES
from tokportal_server.workbench.doctor import Finding, examine

ORDERS: Final = "SELECT id, external_ref, status FROM bundles WHERE workspace_id = $1"
CHARGED: Final = """
SELECT reference_id AS bundle_id, -sum(amount)::integer AS amount FROM credit_entries
 WHERE workspace_id = $1 AND type = 'debit' AND reference_kind = 'bundle' GROUP BY 1
"""
EVENTS: Final = (
    "SELECT id, sequence, type, data FROM events WHERE workspace_id = $1 ORDER BY sequence"
)
ENDPOINTS: Final = "SELECT id::text FROM webhook_endpoints WHERE workspace_id = $1"
JOBS: Final = "SELECT entrypoint, status::text AS status, count(*) AS n FROM pgqueuer GROUP BY 1, 2"
MEDIA: Final = """
SELECT m.source_url, u.storage_key, u.sha256 FROM media m
  JOIN uploads u ON u.workspace_id = m.workspace_id AND u.id = m.upload_id
 WHERE m.workspace_id = $1 AND m.source_url IS NOT NULL AND m.status = 'ready'
"""
UNTOLD: Final = "SELECT count(*) FROM events WHERE dispatched_at IS NULL"
UNDER_WAY: Final = ("published", "published_priority", "accepted")


@dataclass(frozen=True)
class Check:
    """One thing that must be true, and what contradicts it."""

    claim: str
    contradictions: list[str]


async def audit(scene: Scene, workspaces: list[Workspace]) -> list[Check]:
    """Read everything that was promised, and everything that is there."""
    async with scene.connected() as conn:
        checks: dict[str, list[str]] = {}
        for workspace in workspaces:
            for claim, found in [
                *await _orders(conn, workspace),
                *await _events(conn, workspace, scene),
                ("each file is there, byte for byte", await _files(scene, workspace)),
                ("media that were fetched are those served", await _media(conn, workspace, scene)),
                (
                    "endpoints are those that were made and not deleted",
                    await _hooks(conn, workspace),
                ),
                ("no answer was other than promised", workspace.promises.broken),
                ("journal, counters, deadlines and books agree", await _orderly(conn, workspace)),
            ]:
                checks.setdefault(claim, []).extend(f"{workspace.name}: {one}" for one in found)
        checks["no job is lost, stuck or held"] = [str(dict(row)) for row in await conn.fetch(JOBS)]
        checks["every event was dispatched"] = _none_of(await conn.fetchval(UNTOLD))
        checks["doctor finds nothing"] = _diagnoses(await examine(conn), workspaces)
    return [Check(claim, found) for claim, found in checks.items()]


def _diagnoses(findings: list[Finding], workspaces: list[Workspace]) -> list[str]:
    """Give what is wrong with our workspaces; the connected account was put in past the orders."""
    ours = {workspace.id for workspace in workspaces}
    return [
        f"{finding.check.name}: {row}"
        for finding in findings
        for row in finding.contradictions
        if row.get("workspace_id") in {*ours, None}
    ]


def _none_of(count: int) -> list[str]:
    return [f"{count} were not"] if count else []


async def _orders(conn: Connection, workspace: Workspace) -> list[tuple[str, list[str]]]:
    promises = workspace.promises
    rows = await conn.fetch(ORDERS, workspace.id)
    there = {str(row["id"]): row for row in rows}
    charged = {
        str(row["bundle_id"]): row["amount"] for row in await conn.fetch(CHARGED, workspace.id)
    }
    known = {bundle_id for bundle_id, _ in promises.orders.values()}
    references = Counter(row["external_ref"] for row in rows)
    missing = [
        f"{bundle_id} of {key}"
        for key, (bundle_id, _) in promises.orders.items()
        if bundle_id not in there
    ]
    missing += [
        f"{bundle_id} of {ref}"
        for ref, bundle_id in promises.unkeyed.items()
        if bundle_id is not None and bundle_id not in there
    ]
    twice = [f"{ref} exists {n} times" for ref, n in references.items() if n > 1]
    unheard = [
        str(row["external_ref"])
        for one, row in there.items()
        if one not in known and row["external_ref"] not in promises.unkeyed
    ]
    wrong = [
        f"{bundle_id}: {cost} promised, {charged.get(bundle_id)} charged"
        for bundle_id, cost in promises.orders.values()
        if charged.get(bundle_id) != cost
    ]
    wrong += [f"{one} is charged and does not exist" for one in charged.keys() - there.keys()]
    stuck = [
        f"{one} is {row['status']}" for one, row in there.items() if row["status"] in UNDER_WAY
    ]
    unpublished = [
        f"{one} is {there[one]['status']}"
        for one in promises.published & there.keys()
        if there[one]["status"] == "pending_setup"
    ]
    return [
        ("each order that was answered exists", missing),
        ("no order exists twice, and none that nobody made", twice + unheard),
        ("charged is what each order was said to cost", wrong),
        ("what was said not to have happened did not", sorted(promises.denied & references.keys())),
        ("what was published stays so", unpublished),
        ("every published order is completed in the end", stuck),
    ]


async def _events(
    conn: Connection, workspace: Workspace, scene: Scene
) -> list[tuple[str, list[str]]]:
    rows = await conn.fetch(EVENTS, workspace.id)
    numbers = [row["sequence"] for row in rows]
    gaps = [] if numbers == list(range(1, len(rows) + 1)) else [f"{numbers[:5]}… of {len(rows)}"]
    healthy = scene.outside.inboxes[f"{workspace.name}-healthy"]
    troubled = scene.outside.inboxes[f"{workspace.name}-troubled"]
    wanted = {row["id"] for row in rows if is_told(row["type"])}
    missing = [
        f"{row['type']} {row['id']}" for row in rows if row["id"] in wanted - healthy.bodies.keys()
    ]
    unknown = sorted((healthy.bodies.keys() | troubled.bodies.keys()) - {row["id"] for row in rows})
    unequal = [
        one
        for one in healthy.bodies.keys() & troubled.bodies.keys()
        if healthy.bodies[one] != troubled.bodies[one]
    ]
    return [
        ("events are numbered without a gap", gaps),
        ("each event came to the healthy endpoint at least once", missing),
        ("no delivery tells what did not happen", unknown),
        (
            "deliveries are signed right, and an event has one body",
            healthy.broken + troubled.broken + unequal,
        ),
    ]


def is_told(kind: str) -> bool:
    """Tell whether our endpoints are told of such events."""
    return kind.partition(".")[0] in {"bundle", "account", "video"}


async def _files(scene: Scene, workspace: Workspace) -> list[str]:
    """Download everything that was uploaded."""
    found = []
    async with aiohttp.ClientSession() as session:
        for address, digest in workspace.promises.files.items():
            path = address.partition("/media/")[2]
            async with session.get(f"{scene.servers[0].address}/media/{path}") as reply:
                content = await reply.read()
                if reply.status != 200 or sha256(content).hexdigest() != digest:
                    found.append(f"{address}: {reply.status}, {len(content)} bytes")
    return found


async def _media(conn: Connection, workspace: Workspace, scene: Scene) -> list[str]:
    media = scene.home / "media"
    return [
        row["source_url"]
        for row in await conn.fetch(MEDIA, workspace.id)
        if sha256((media / row["storage_key"]).read_bytes()).hexdigest()
        != {**workspace.promises.files, **scene.outside.served}.get(row["source_url"])
    ]


async def _hooks(conn: Connection, workspace: Workspace) -> list[str]:
    promises = workspace.promises
    there = {row["id"] for row in await conn.fetch(ENDPOINTS, workspace.id)}
    alive = promises.endpoints.keys() - promises.deleted_endpoints
    return [
        *(f"{one} is missing" for one in alive - there),
        *(f"{one} is there" for one in there - alive),
    ]


async def _orderly(conn: Connection, workspace: Workspace) -> list[str]:
    """The invariants of orders; of long lists only the beginning is told.

    Events and journal entries of different orders may be numbered in different ways where
    transactions overlap, so they are compared for each thing by itself.
    """
    found = [
        text[:300] for text in await broken(conn, workspace.id) if not text.startswith("events [")
    ]
    ways: dict[str, list[tuple[str, str | None, str]]] = defaultdict(list)
    told: dict[str, list[tuple[str, str | None, str]]] = defaultdict(list)
    machines = {machine.kind: machine for machine in MACHINES}
    for entry in await conn.fetch(JOURNAL, workspace.id):
        source, target = entry["from_status"], entry["to_status"]
        if event := machines[entry["kind"]].transition(source, target).event:
            ways[str(entry["object_id"])].append((event, source, target))
    kinds = {t.event: ID_IN_EVENT[m.kind] for m in MACHINES for t in m.transitions if t.event}
    for row in await conn.fetch(EVENTS, workspace.id):
        if row["type"] in kinds:
            data = row["data"]
            step = (row["type"], data["previous_status"], data["status"])
            told[data[kinds[row["type"]]]].append(step)
    return found + [
        f"{one}: events {told.get(one)} where the journal says {ways.get(one)}"
        for one in told.keys() | ways.keys()
        if told.get(one) != ways.get(one)
    ]
