"""A customer's program that survives crashes of the server: it repeats calls, each with a key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

from tokportal import TokPortal, TokPortalApiError

from tests.entry.installation import request
from tests.lib.waiting import SAFETY_NET
from tests.orders.walk import PROFILE, order
from tokportal_server.entry.demo.sample import write_sample_video

T = TypeVar("T")
STEPS = ("create", "upload", "configure", "publish", "await_review", "finalize", "advance")


@dataclass
class Walker:
    """Takes an order's steps with the published client; a step taken twice is the same call."""

    client: TokPortal
    address: str
    folder: Path
    answers: list[str] = field(default_factory=list)
    bundle_id: str = ""
    video: str = ""

    def take(self, step: str, *, patience: float = SAFETY_NET) -> None:
        """Take a step; ``patience`` is how long a failing call is repeated, in seconds."""
        action: Callable[[], None] = getattr(self, f"_{step}")
        deadline = time.monotonic() + patience
        while True:
            try:
                return action()
            except (OSError, HTTPException):
                if time.monotonic() > deadline:
                    raise
            except TokPortalApiError as error:
                again = error.retryable or error.code == "IDEMPOTENCY_IN_PROGRESS"
                if time.monotonic() > deadline or not again:
                    raise
            time.sleep(0.1)

    def subscribe(self, url: str, events: list[str]) -> str:
        """Make a webhook endpoint; give its secret."""
        body: Any = {"url": url, "events": sorted(set(events))}
        return str(self.client.webhooks.create(body)["data"]["signing_secret"])

    def _create(self) -> None:
        body: Any = order(external_ref="one")
        self.bundle_id = self.client.bundles.create(body, idempotency_key="create")["data"]["id"]
        self.answers.append(self.bundle_id)

    def _upload(self) -> None:
        path = self.folder / "sample.mp4"
        if not path.exists():
            write_sample_video(path)
        answer = self.client.uploads.video_direct(
            str(path), self.bundle_id, idempotency_key="upload"
        )
        self.video = answer["data"]["public_url"]

    def _configure(self) -> None:
        bundles = self.client.bundles
        bundles.configure_account(self.bundle_id, PROFILE, idempotency_key="profile")
        today = date.fromisoformat(self.client.me()["data"]["clock"]["now"][:10])
        for position in (1, 2):
            slot = {
                "video_type": "video",
                "description": f"Video {position}",
                "target_publish_date": (today + timedelta(days=3 + position)).isoformat(),
                "video_url": self.video,
            }
            bundles.configure_video(
                self.bundle_id, position, slot, idempotency_key=f"slot {position}"
            )

    def _publish(self) -> None:
        self.client.bundles.publish(self.bundle_id, idempotency_key="publish")

    def _await_review(self) -> None:
        deadline = time.monotonic() + SAFETY_NET
        while self.client.bundles.get_account(self.bundle_id)["data"]["status"] != "in_review":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _finalize(self) -> None:
        self.client.bundles.finalize_account(self.bundle_id, idempotency_key="finalize")

    def _advance(self) -> None:
        answer = request(
            f"{self.address}/api/rehearsal/clock/advance",
            "POST",
            body=json.dumps({"hours": 24 * 7}).encode(),
            **{
                "X-API-Key": self.client.api_key,
                "Content-Type": "application/json",
                "Idempotency-Key": "advance",
            },
        )
        if answer.status == 409:
            # The lease of the call that was broken off, until it lapses.
            raise ConnectionError(answer.body)
        assert answer.status == 200, answer.body
