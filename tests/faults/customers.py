"""The load: customers who order, upload, publish, review, look and ask again, each with a key."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from tests.faults.calls import Call, Caller, RefusedError
from tests.faults.promises import Answer, Promises
from tests.orders.walk import PROFILE, order

API: Final = "/api/ext"
_MOST_AT_MANAGERS: Final = 40
_SCRIPTS: Final = ("prompt", "prompt", "prompt", "careless", "slow", "releases", "broken_download")
_REVIEWED: Final = (200, 409)
# A slot goes up so many days after it was described, and time may pass in between.
_DAYS_AHEAD: Final = 12


@dataclass
class Order:
    """An order on its way to being published; ``reference`` is in every key of its calls."""

    reference: str
    script: str
    videos: int
    bundle_id: str = ""
    # What the slots show, by position: an address of the server's, or one of somebody else's.
    media: dict[int, str] = field(default_factory=dict)
    configured: set[int] = field(default_factory=set)
    has_profile: bool = False
    reviews: int = 0


@dataclass
class Workspace:
    """A rehearsal with its customers; ``hooks`` is where its events go, for the spare endpoints."""

    id: UUID
    name: str
    api_key: str
    promises: Promises
    hooks: str
    media_host: str
    sample: bytes
    published: list[Order] = field(default_factory=list)
    recent: deque[Call] = field(default_factory=lambda: deque(maxlen=40))
    spare: list[str] = field(default_factory=list)
    numbers: int = 0

    def number(self) -> int:
        """Give a number that nothing else in the workspace has."""
        self.numbers += 1
        return self.numbers


class Customer:
    """One program of a workspace's; several of them work on the same orders."""

    def __init__(
        self, workspace: Workspace, number: int, caller: Caller, chance: random.Random
    ) -> None:
        self.number = number
        self._workspace = workspace
        self._caller = caller
        self._chance = chance
        self._promises = workspace.promises
        self._mine: Order | None = None

    async def live(self, until: asyncio.Event) -> None:
        """Do one thing after the other."""
        acts = {
            self._go_on: 50,
            self._review: 14,
            self._look: 12,
            self._ask_again: 9,
            self._order_without_key: 3,
            self._change_endpoints: 3,
        }
        while not until.is_set():
            [act] = self._chance.choices(list(acts), list(acts.values()))
            await self._or_drop(act)
            await asyncio.sleep(self._chance.uniform(0.02, 0.2))

    async def finish(self) -> None:
        """Bring what was begun to where managers have it."""
        while self._mine is not None:
            await self._or_drop(self._go_on)
            await asyncio.sleep(0.1)

    async def move(self, hours: float) -> None:
        """Move the clock on; it must never be seen to go back."""
        before = self._promises.clock
        call = Call(
            "POST",
            "/api/rehearsal/clock/advance",
            key=f"move-{self._workspace.number()}",
            json={"hours": hours},
        )
        answer = await self._caller.until_answered(call)
        now = answer.data["now"]
        if now < before:
            self._promises.broken.append(f"the clock was {before}, and after a move {now}")
        self._promises.clock = max(before, now)

    async def review_the_broken(self) -> None:
        """Look once at the orders that wait for us; whatever else is in review time decides."""
        for one in list(self._workspace.published):
            if one.script == "broken_download":
                await self._review_one(one)

    async def _or_drop(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something; an order whose call was refused, which is written down, is left alone."""
        try:
            await act()
        except RefusedError:
            self._mine = None

    # An order's way.

    async def _go_on(self) -> None:
        """Take the next step of the order in hand; without one, begin one, if managers keep up."""
        workspace = self._workspace
        if self._mine is None:
            if len(workspace.published) >= _MOST_AT_MANAGERS:
                return
            reference = f"{workspace.name}-{workspace.number()}"
            script = self._chance.choice(_SCRIPTS)
            self._mine = Order(reference, script, self._chance.randint(1, 2))
        if await self._step(self._mine):
            workspace.published.append(self._mine)
            self._mine = None

    async def _step(self, one: Order) -> bool:
        """Take a step; tell whether the order is published by it."""
        if not one.bundle_id:
            await self._create(one)
        elif not one.has_profile:
            path = f"{API}/bundles/{one.bundle_id}/account"
            await self._keyed("PUT", path, f"{one.reference}:profile", PROFILE)
            one.has_profile = True
        elif len(one.configured) < one.videos:
            await self._fill_slot(one, len(one.configured) + 1)
        else:
            return await self._publish(one)
        return False

    async def _create(self, one: Order) -> None:
        key = f"{one.reference}:order"
        wanted = order(one.videos, external_ref=f"rehearsal:{one.script}:{one.reference}")
        answer = await self._keyed("POST", f"{API}/bundles", key, wanted)
        one.bundle_id = answer.data["id"]
        self._promises.orders[key] = (one.bundle_id, answer.whole["credits_charged"])

    async def _fill_slot(self, one: Order, position: int) -> None:
        path = f"{API}/bundles/{one.bundle_id}/videos/{position}"
        if position not in one.media:
            if self._chance.random() < 0.3:
                number = self._workspace.number()
                one.media[position] = f"{self._workspace.media_host}/{number}.mp4"
            else:
                one.media[position] = await self._upload(one, f"{one.reference}:file-{position}")
        key = f"{one.reference}:slot-{position}:{one.media[position]}"
        slot = await self._described(one.media[position], position)
        await self._keyed("PUT", path, key, slot)
        one.configured.add(position)

    async def _described(self, media: str, position: int) -> dict[str, Any]:
        call = Call("GET", f"{API}/me")
        now = (await self._caller.until_answered(call)).data["clock"]["now"]
        day = date.fromisoformat(now[:10]) + timedelta(days=_DAYS_AHEAD + position)
        return {
            "video_type": "video",
            "description": "Look at this.",
            "target_publish_date": day.isoformat(),
            "video_url": media,
        }

    async def _upload(self, one: Order, key: str) -> str:
        """Send a file that no other is like; give its address, and remember what was sent."""
        content = unlike_others(self._workspace.sample, self._chance)
        call = Call(
            "POST",
            f"{API}/upload/video/direct",
            key=key,
            file=content,
            fields=(("bundle_id", one.bundle_id),),
        )
        answer = await self._caller.until_answered(call)
        self._workspace.recent.append(call)
        address: str = answer.data["public_url"]
        self._promises.files[address] = sha256(content).hexdigest()
        return address

    async def _publish(self, one: Order) -> bool:
        """Publish, once all media are there; those that did not come are sent by hand."""
        path = f"{API}/bundles/{one.bundle_id}"
        slots = await self._caller.until_answered(Call("GET", f"{path}/videos"))
        for slot in slots.data:
            if slot["media_status"] == "failed":
                one.media[slot["position"]] = await self._upload(
                    one, f"{one.reference}:again-{self._workspace.number()}"
                )
                one.configured.discard(slot["position"])
                await self._fill_slot(one, slot["position"])
                return False
            if slot["media_status"] != "ready":
                return False
        await self._keyed("POST", f"{path}/publish", f"{one.reference}:publish")
        self._promises.published.add(one.bundle_id)
        return True

    # What managers hand in.

    async def _review(self) -> None:
        if self._workspace.published:
            await self._review_one(self._chance.choice(self._workspace.published))

    async def _review_one(self, one: Order) -> None:
        path = f"{API}/bundles/{one.bundle_id}"
        bundle = (await self._caller.until_answered(Call("GET", path))).data
        if bundle["status"] == "completed":
            if one in self._workspace.published:
                self._workspace.published.remove(one)
            return
        if bundle["account_status"] == "in_review":
            await self._decide(one, f"{path}/account")
        for slot in (await self._caller.until_answered(Call("GET", f"{path}/videos"))).data:
            place = f"{path}/videos/{slot['position']}"
            if slot["status"] == "in_review":
                await self._decide(one, place)
            if slot["download_issue"] is not None:
                one.reviews += 1
                media = await self._upload(one, f"{one.reference}:fixed-{one.reviews}")
                await self._tried(one, f"{place}/fix-download", {"video_url": media})

    async def _decide(self, one: Order, place: str) -> None:
        if one.reviews == 0 and self._chance.random() < 0.2:
            await self._tried(one, f"{place}/corrections", {"comment": "Not quite."})
        else:
            await self._tried(one, f"{place}/finalize")

    async def _tried(self, one: Order, path: str, body: Any = None) -> None:
        """Decide, unless time or another program of ours has been faster."""
        one.reviews += 1
        key = f"{one.reference}:review-{one.reviews}-{self._workspace.number()}"
        await self._caller.until_answered(Call("POST", path, key=key, json=body), _REVIEWED)

    # Things on the side.

    async def _look(self) -> None:
        """What was promised is there, whichever server is asked."""
        if not self._promises.orders:
            return
        bundle_id, cost = self._chance.choice(list(self._promises.orders.values()))
        answer = await self._caller.until_answered(Call("GET", f"{API}/bundles/{bundle_id}"))
        if answer.data["cost"]["total"] != cost:
            self._promises.broken.append(f"bundle {bundle_id} cost {cost}, and now {answer.data}")

    async def _ask_again(self) -> None:
        """Repeat a call that was answered: the answer is the same."""
        if self._workspace.recent:
            await self._caller.until_answered(self._chance.choice(self._workspace.recent))

    async def _order_without_key(self) -> None:
        """Order once, and never know if there was no answer."""
        reference = f"{self._workspace.name}-unkeyed-{self._workspace.number()}"
        wanted = order(0, external_ref=reference)
        self._promises.unkeyed[reference] = None
        answer = await self._caller.once(Call("POST", f"{API}/bundles", json=wanted))
        if answer is not None and answer.status == 201:
            self._promises.unkeyed[reference] = answer.data["id"]
        if answer is not None and b"othing was changed" in answer.body:
            self._promises.denied.add(reference)

    async def _change_endpoints(self) -> None:
        workspace, promises = self._workspace, self._promises
        if len(workspace.spare) > 3:
            endpoint = workspace.spare.pop(0)
            path, key = f"{API}/webhooks/{endpoint}", f"unhook-{workspace.number()}"
            await self._caller.until_answered(Call("DELETE", path, key=key), (204,))
            promises.deleted_endpoints.add(endpoint)
            return
        number = workspace.number()
        url = f"{workspace.hooks}/spare-{number}"
        body = {"url": url, "events": ["bundle.created"]}
        call = Call("POST", f"{API}/webhooks", key=f"hook-{number}", json=body)
        endpoint = (await self._caller.until_answered(call)).data["id"]
        promises.endpoints[endpoint] = url
        workspace.spare.append(endpoint)

    async def _keyed(self, method: str, path: str, key: str, body: Any = None) -> Answer:
        call = Call(method, path, key=key, json=body)
        answer = await self._caller.until_answered(call)
        self._workspace.recent.append(call)
        return answer


def unlike_others(video: bytes, chance: random.Random) -> bytes:
    """Give the video with some bytes behind it that players pass over."""
    padding = chance.randbytes(2000)
    return video + struct.pack(">I4s", 8 + len(padding), b"free") + padding
