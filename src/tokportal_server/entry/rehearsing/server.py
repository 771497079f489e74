"""Starting a rehearsal server, and calling it; with the standard library alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_TIMEOUT_SECONDS = 120
_REFUSED = 400


class RehearsalError(Exception):
    """The server did not start, or refused a call; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with; ``body`` is decoded JSON, or None if there was none."""

    status: int
    body: Any

    @property
    def data(self) -> Any:
        """The ``data`` of a success.

        Raises:
            RehearsalError: the call was refused.
        """
        self.require()
        return self.body["data"]

    def require(self) -> None:
        """Insist on a success.

        Raises:
            RehearsalError: the call was refused.
        """
        if self.status >= _REFUSED:
            raise RehearsalError(f"{self.status}: {self.body}")


@dataclass(frozen=True, slots=True)
class Clock:
    """A rehearsal's clock, which only grows."""

    _rehearsal: Rehearsal

    def now(self) -> datetime:
        """What time it is there."""
        return datetime.fromisoformat(self._rehearsal.ours("GET", "/clock").data["now"])

    def advance(self, hours: float) -> int:
        """Move on; all that is due on the way has happened then. Gives how many things did."""
        return self._move({"hours": hours})

    def to_next(self) -> int:
        """Move on to what happens next; gives how many things happened."""
        return self._move({"to": "next"})

    def _move(self, how: dict[str, Any]) -> int:
        return int(self._rehearsal.ours("POST", "/clock/advance", how).data["happened"])


@dataclass(frozen=True, slots=True)
class Scripts:
    """How the simulated managers behave; ``docs/guides/rehearsal.md`` tells of the scripts."""

    _rehearsal: Rehearsal

    def weigh(self, *, seed: int = 0, **weights: int) -> None:
        """Draw the scripts of bundles by these weights: ``weigh(seed=7, prompt=3, slow=1)``."""
        self._rehearsal.ours("PUT", "/scripts", {"weights": weights, "seed": seed}).require()

    def choose(self, bundle_id: str, script: str) -> None:
        """Have one bundle worked on by a script."""
        path = f"/bundles/{bundle_id}/script"
        self._rehearsal.ours("PUT", path, {"script": script}).require()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A workspace of a rehearsal server, with a key that may do everything in it.

    ``base_url`` ends in ``/api/ext``: give it to the client that you test, with ``api_key``.
    ``workspace_id`` is empty if all that is known is the key.
    """

    base_url: str
    api_key: str
    workspace_id: str = ""
    clock: Clock = field(init=False, repr=False)
    scripts: Scripts = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Give clock and scripts the workspace that they are of."""
        object.__setattr__(self, "clock", Clock(self))
        object.__setattr__(self, "scripts", Scripts(self))

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Call an operation of the API, such as ``GET /me``."""
        return self.send(method, self.base_url + path, body)

    def ours(self, method: str, path: str, body: Any = None) -> Answer:
        """Call an operation of ``/api/rehearsal``."""
        return self.send(method, self.base_url.removesuffix("/ext") + "/rehearsal" + path, body)

    def send(
        self, method: str, url: str, body: Any = None, content_type: str = "application/json"
    ) -> Answer:
        """Send a request with the key; a body of bytes goes as it is, any other as JSON."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-API-Key": self.api_key, **({"Content-Type": content_type} if sent else {})}
        request = Request(url, data=sent, method=method, headers=headers)  # noqa: S310 - our own
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return Answer(answer.status, _decoded(answer.read()))
        except HTTPError as error:
            return Answer(error.code, _decoded(error.read()))


def _decoded(body: bytes) -> Any:
    return json.loads(body) if body else None


class RehearsalServer:
    """A server of its own, in a process that ends with this one; a context manager.

    It has its own PostgreSQL in a temporary folder, which goes with it.
    """

    def __init__(self) -> None:
        argv = [sys.executable, "-m", "tokportal_server.entry.rehearsing.host"]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*argv, "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.base_url = str(self._answer()["base_url"])

    def rehearsal(
        self, name: str = "Rehearsal", *, credits_: int = 1_000, plan: str = "full"
    ) -> Rehearsal:
        """Make a new rehearsal workspace: nothing of another one is in it."""
        if self._process.stdin is None:
            raise RehearsalError("the server has no input")
        wanted = {"name": name, "credits": credits_, "plan": plan}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        made = self._answer()
        if "error" in made:
            raise RehearsalError(f"no workspace was made: {made['error']}")
        return Rehearsal(self.base_url, made["api_key"], made["workspace_id"])

    def stop(self) -> None:
        """End the server, and wait until it has."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=_TIMEOUT_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        """Give the server, which is ready."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            code = self._process.wait(timeout=_TIMEOUT_SECONDS)
            raise RehearsalError(
                f"The rehearsal server ended with code {code}; its log is on standard error."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer
