"""One order, from an API key to a delivered account and posted videos, as customers' code does.

Everything goes through the published Python client and the public API; the one call beyond it moves
the rehearsal's clock to the days on which the videos go up. Two scenarios follow, in which managers
are careless and give an order back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tokportal import TokPortal

from tokportal_server.entry.demo.receiver import Receiver
from tokportal_server.entry.demo.reporter import Reporter
from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.entry.rehearsing.playing import Player
from tokportal_server.entry.rehearsing.scenario import find_scenario, read_scenario
from tokportal_server.entry.rehearsing.server import Rehearsal

PATIENCE_SECONDS = 20.0
ORDER_PRICE = 29
EVENTS = [
    "bundle.created",
    "account.configured",
    "video.configured",
    "video.configured",
    "video.published",
    "video.published",
    "account.published",
    "bundle.published",
    "bundle.accepted",
    "account.in_review",
    "account.finalized",
    "video.in_review",
    "video.finalized",
    "video.in_review",
    "video.finalized",
    "bundle.completed",
]


# Managers who are not prompt; the scenarios are plain files, which people can play by themselves.
SCENARIOS = ("a-careless-manager", "given-back")


class WalkError(Exception):
    """Something was not as it should be; the message says what."""


@dataclass
class Walk:
    """The state that the steps share."""

    client: TokPortal
    server: str
    receiver: Receiver
    hook_url: str
    folder: Path
    report: Reporter
    bundle_id: str = ""
    account_id: str = ""
    balance: int = 0
    video: str = ""
    verified: int = 0

    def run(self) -> bool:
        """Take every step in order; stop at the first that fails."""
        for name, step in self._steps():
            try:
                outcome = step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the step failed
                self.report.failed(name, f"{type(error).__name__}: {error}")
                self.report.finished(ok=False, failed_step=name, events_verified=self._received())
                return False
            self.report.step(name, outcome)
        self.report.finished(
            ok=True,
            bundle_id=self.bundle_id,
            saved_account_id=self.account_id,
            events_verified=self.verified,
            deliveries_repeated=self.receiver.duplicates,
        )
        return True

    def _steps(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("me", self._me),
            ("credits.balance", self._balance),
            ("webhooks.create", self._subscribe),
            ("bundles.create", self._order),
            ("uploads.video_direct", self._upload),
            ("bundles.configure_account", self._configure_account),
            ("bundles.configure_video 1", lambda: self._configure_video(1)),
            ("bundles.configure_video 2", lambda: self._configure_video(2)),
            ("bundles.readiness", self._readiness),
            ("bundles.publish", self._publish),
            ("the manager sets up", self._wait_for_review),
            ("bundles.finalize_account", self._finalize),
            ("the manager posts", self._post),
            ("bundles.get", self._completed),
            ("accounts.get", self._account),
            ("credits.history", self._history),
            ("webhooks received", self._events),
            *((f"rehearse {name}", partial(self._play, name)) for name in SCENARIOS),
        ]

    def _received(self) -> int:
        return len(self.receiver.types())

    def _me(self) -> str:
        me = self.client.me()["data"]
        _expect(me["workspace"]["rehearsal"], wanted=True, what="the workspace is a rehearsal")
        return f"{me['email']} of {me['workspace']['name']}, {me['credits']} credits"

    def _balance(self) -> str:
        self.balance = self.client.credits.balance()["data"]["total_credits"]
        return f"{self.balance} credits"

    def _subscribe(self) -> str:
        endpoint = self.client.webhooks.create(
            {"url": self.hook_url, "events": sorted(set(EVENTS)), "description": "demo"}
        )["data"]
        self.receiver.secret = endpoint["signing_secret"]
        return f"{len(endpoint['events'])} event types to {self.hook_url}"

    def _order(self) -> str:
        answer = self.client.bundles.create(
            {
                "bundle_type": "account_and_videos",
                "platform": "tiktok",
                "country": "USA",
                "videos_quantity": 2,
                "title": "Demo order",
                "external_ref": "demo-1",
            },
            idempotency_key="demo-order",
        )
        _expect(answer["credits_charged"], ORDER_PRICE, "credits charged")
        _expect(answer["credits_remaining"], self.balance - ORDER_PRICE, "credits remaining")
        self.bundle_id = answer["data"]["id"]
        return f"bundle {self.bundle_id}, {ORDER_PRICE} credits"

    def _upload(self) -> str:
        path = self.folder / "sample.mp4"
        write_sample_video(path)
        media = self.client.uploads.video_direct(str(path), self.bundle_id)["data"]
        self.video = media["public_url"]
        return f"{media['size_bytes']} bytes, {media['width']}x{media['height']}"

    def _configure_account(self) -> str:
        profile = self.client.bundles.configure_account(
            self.bundle_id,
            {"username": "demo.daily", "visible_name": "Demo Daily", "biography": "Every day."},
        )["data"]
        _expect(profile["status"], "configured", "profile")
        return f"@{profile['username']}"

    def _configure_video(self, position: int) -> str:
        now = self.client.me()["data"]["clock"]["now"]
        day = date.fromisoformat(now[:10]) + timedelta(days=3 + position)
        slot = self.client.bundles.configure_video(
            self.bundle_id,
            position,
            {
                "video_type": "video",
                "description": f"Demo video {position} #demo",
                "target_publish_date": day.isoformat(),
                "video_url": self.video,
                "ai_content_disclaimer": True,
            },
        )["data"]
        _expect(slot["media_status"], "ready", "media")
        return f"goes up from {slot['target_publish_start_date']}"

    def _readiness(self) -> str:
        readiness = self.client.bundles.readiness(self.bundle_id)["data"]
        _expect(readiness["blockers"], [], "blockers")
        return f"ready, {len(readiness['warnings'])} warning(s)"

    def _publish(self) -> str:
        bundle = self.client.bundles.publish(self.bundle_id)["data"]
        _expect(bundle["status"], "published", "bundle")
        return f"{bundle['videos_published']} videos offered"

    def _wait_for_review(self) -> str:
        def in_review() -> bool:
            profile = self.client.bundles.get_account(self.bundle_id)["data"]
            return bool(profile["status"] == "in_review")

        _wait(in_review, "the profile is in review")
        _wait(lambda: "account.in_review" in self.receiver.types(), "account.in_review arrives")
        return "account.in_review"

    def _finalize(self) -> str:
        profile = self.client.bundles.finalize_account(self.bundle_id)["data"]
        _expect(profile["status"], "finalized", "profile")
        return "account delivered"

    def _post(self) -> str:
        clock = self._advance(hours=24 * 7)
        statuses = [
            slot["status"] for slot in self.client.bundles.list_videos(self.bundle_id)["data"]
        ]
        _expect(statuses, ["finalized", "finalized"], "slots")
        return f"2 videos posted and finalized by {clock['now'][:10]}, a week on"

    def _advance(self, *, hours: int) -> dict[str, Any]:
        request = Request(  # noqa: S310 - our own loopback address
            f"{self.server}/api/rehearsal/clock/advance",
            data=json.dumps({"hours": hours}).encode(),
            headers={"X-API-Key": self.client.api_key, "Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own loopback address
            clock: dict[str, Any] = json.load(answer)["data"]
            return clock

    def _completed(self) -> str:
        bundle = self.client.bundles.get(self.bundle_id)["data"]
        _expect(bundle["status"], "completed", "bundle")
        self.account_id = bundle["saved_account_id"]
        return "completed"

    def _account(self) -> str:
        account = self.client.accounts.get(self.account_id)["data"]
        _expect(account["status"], "active", "account")
        _expect(bool(account["delivered_at"]), wanted=True, what="account delivered")
        return f"@{account['username']}, {account['profile_url']}"

    def _history(self) -> str:
        entries = self.client.credits.history()["data"]
        _expect([entry["amount"] for entry in entries], [-ORDER_PRICE, self.balance], "entries")
        return ", ".join(f"{entry['type']} {entry['amount']:+d}" for entry in entries)

    def _events(self) -> str:
        _wait(lambda: len(self.receiver.types()) >= len(EVENTS), "every event arrives")
        _expect(sorted(self.receiver.types()), sorted(EVENTS), "events")
        _expect(self.receiver.refused, 0, "deliveries with a bad signature")
        self.verified = len(EVENTS)
        return f"{len(EVENTS)} events, every signature right"

    def _play(self, name: str) -> str:
        """Play a scenario in the same workspace: another order, whose manager is another one."""
        scenario = read_scenario(find_scenario(name))
        rehearsal = Rehearsal(f"{self.server}/api/ext", self.client.api_key)
        for outcome in Player(rehearsal).play(scenario):
            if outcome.failure is not None:
                raise WalkError(f"{outcome.step.do}: {outcome.failure}")
        return f"{scenario.name.lower()}: {len(scenario.steps)} steps came out right"


def _expect(actual: object, wanted: object, what: str) -> None:
    if actual != wanted:
        raise WalkError(f"{what}: expected {wanted!r}, got {actual!r}")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise WalkError(f"waited {PATIENCE_SECONDS:.0f} s in vain until {what}")
        time.sleep(0.05)
