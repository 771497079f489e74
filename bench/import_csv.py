"""A CSV of 1,000 rows and a batch of 500 items over HTTP, with one API process (limit 5 seconds).

1. An embedded PostgreSQL with its default settings, and a workspace with bundles of 1,000 slots.
2. For each round a new bundle: 1,000 rows into empty slots, the same file again over filled ones, a
   file whose every row buys an option, then a bundle of which 500 slots are configured by a batch.
3. For each, the median of the rounds, the slowest, and rows a second.

Every slot's media are at an address of somebody else, so that each row also makes a job. Run it
with nothing else going on; ``python bench/import_csv.py [rounds]``.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from datetime import timedelta
from statistics import median
from typing import Any

import aiohttp
from harness.report import reporting
from harness.stage import Tenant, api, connected, postgres, settle_in

from tokportal_server.lib.clock import real_now

ROWS = 1000
ITEMS = 500
LIMIT_SECONDS = 5.0
ROUNDS = 3
HEAD = "position,video_type,description,target_publish_date,video_url,volume_added_sound"


def _fields(position: int) -> dict[str, Any]:
    day = real_now().date() + timedelta(days=5 + position // 3)
    return {
        "video_type": "video",
        "description": f"Number {position}, as the plan has it. #bench",
        "target_publish_date": day.isoformat(),
        "video_url": f"https://media.example.com/{position}.mp4",
    }


def _csv(volume: str) -> str:
    rows = (f"{p},{','.join(map(str, _fields(p).values()))},{volume}" for p in range(1, ROWS + 1))
    # No cell needs quotes but the description, which has a comma in it.
    return "\n".join([HEAD, *(row.replace(", as the plan has it", " as planned") for row in rows)])


class Customer:
    """Calls the server with one key."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def call(self, method: str, path: str, **more: Any) -> Any:
        """Give the whole answer of a call that must succeed."""
        async with self._session.request(method, self._base + path, **more) as answer:
            document = await answer.json()
            assert answer.status < 300, document
            return document

    async def order(self) -> str:
        """Order a bundle of 1,000 slots; give its path."""
        order = {
            "bundle_type": "account_and_videos",
            "country": "USA",
            "videos_quantity": ITEMS,
        }
        bundle = (await self.call("POST", "/bundles", json=order))["data"]
        path = f"/bundles/{bundle['id']}"
        await self.call("POST", f"{path}/add-video-slots", json={"quantity": ROWS - ITEMS})
        return path

    async def send(self, path: str, text: str) -> float:
        """Import a CSV; give the seconds that it took."""
        form = aiohttp.FormData()
        form.add_field("file", text, filename="slots.csv", content_type="text/csv")
        begun = time.perf_counter()
        document = await self.call("POST", f"{path}/videos/import-csv", data=form)
        taken = time.perf_counter() - begun
        assert document["data"]["imported"] == ROWS, document["data"]["errors"][:3]
        return taken

    async def batch(self, path: str) -> float:
        """Configure 500 slots in one call; give the seconds that it took."""
        items = [{"position": p, **_fields(p)} for p in range(1, ITEMS + 1)]
        begun = time.perf_counter()
        document = await self.call("PUT", f"{path}/videos/batch", json={"videos": items})
        taken = time.perf_counter() - begun
        assert len(document["data"]["configured"]) == ITEMS, document["data"]["failed"][:3]
        return taken


async def _measure(port: int, tenant: Tenant, rounds: int) -> dict[tuple[str, int], list[float]]:
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    plain, paid = _csv(""), _csv("50")
    headers = {"X-API-Key": tenant.key}
    async with aiohttp.ClientSession(headers=headers) as session:
        customer = Customer(session, f"http://127.0.0.1:{port}/api/ext")
        for _ in range(rounds):
            path = await customer.order()
            seconds["CSV into empty slots", ROWS].append(await customer.send(path, plain))
            seconds["CSV over filled slots", ROWS].append(await customer.send(path, plain))
            seconds["CSV, an option a row", ROWS].append(await customer.send(path, paid))
            other = await customer.order()
            seconds["batch into empty slots", ITEMS].append(await customer.batch(other))
    return seconds


async def _tenant(dsn: str) -> Tenant:
    async with connected(dsn) as conn:
        return await settle_in(conn, "bench")


def main(rounds: int) -> int:
    """Measure; the exit code is 1 if one call was over the limit."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn):
        tenant = asyncio.run(_tenant(dsn))
        with api(home, dsn) as (port, _):
            seconds = asyncio.run(_measure(port, tenant, rounds))
        for (name, rows), times in seconds.items():
            report.add(
                f"{name}, {rows:,} rows, slowest of {rounds}",
                max(times),
                "s",
                at_most=LIMIT_SECONDS,
                note=f"median {median(times):.2f} s, {rows / median(times):,.0f} rows/s",
            )
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
