"""Playing a scenario: step by step in a rehearsal, until one does not come out as it should."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.entry.rehearsing.scenario import Scenario, Step
from tokportal_server.entry.rehearsing.server import Answer, Rehearsal, RehearsalError

_KEPT = re.compile(r"\$\{(\w+)(?:\+(\d+))?\}")
_ABSENT = object()
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step went: ``failure`` is None, or says what was not as expected."""

    step: Step
    seconds: float
    failure: str | None


class _UnexpectedError(Exception):
    """Something is not as the scenario says."""


@dataclass
class Player:
    """Plays one scenario in one rehearsal; remembers what was kept, and which events were seen."""

    rehearsal: Rehearsal
    kept: dict[str, Any] = field(default_factory=dict)
    _seen: str | None = None

    def play(self, scenario: Scenario) -> list[Outcome]:
        """Take the steps in order, up to the first that fails."""
        outcomes: list[Outcome] = []
        if scenario.weights is not None:
            self.rehearsal.scripts.weigh(seed=scenario.seed, **scenario.weights)
        for step in scenario.steps:
            began = time.perf_counter()
            failure = self._take(step)
            outcomes.append(Outcome(step, time.perf_counter() - began, failure))
            if failure is not None:
                break
        return outcomes

    def _take(self, step: Step) -> str | None:
        try:
            answer = getattr(self, f"_{step.act}")(step)
            for path, wanted in step.expect.items():
                _expect(answer, path, self._filled(wanted))
            if "status" not in step.expect:
                answer.require()
            for name, path in step.keep.items():
                self.kept[name] = _found(answer, path)
        except (_UnexpectedError, RehearsalError) as error:
            return str(error)
        return None

    def _call(self, step: Step) -> Answer:
        method, _, path = str(step.call).partition(" ")
        return self.rehearsal.call(method, self._filled(path), self._filled(step.body))

    def _upload(self, step: Step) -> Answer:
        bundle_id = self._filled(step.upload)
        with tempfile.TemporaryDirectory() as folder:
            film = Path(folder) / "sample.mp4"
            write_sample_video(film)
            content = film.read_bytes()
        boundary = uuid4().hex
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="bundle_id"\r\n\r\n'
            f"{bundle_id}\r\n--{boundary}\r\nContent-Disposition: form-data;"
            ' name="file"; filename="sample.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
        ).encode()
        return self.rehearsal.send(
            "POST",
            f"{self.rehearsal.base_url}/upload/video/direct",
            body + content + f"\r\n--{boundary}--\r\n".encode(),
            f"multipart/form-data; boundary={boundary}",
        )

    def _clock(self, step: Step) -> Answer:
        how = {"to": "next"} if step.clock == "next" else {"hours": step.clock}
        return self.rehearsal.ours("POST", "/clock/advance", how)

    def _events(self, step: Step) -> Answer:
        types: list[str] = []
        while True:
            after = f"&after={self._seen}" if self._seen else ""
            answer = self.rehearsal.call("GET", f"/events?limit={_PAGE}{after}")
            answer.require()
            types += [event["type"] for event in answer.body["data"]]
            self._seen = answer.body["next_cursor"]
            if len(answer.body["data"]) < _PAGE:
                break
        left = iter(types)
        for wanted in step.events or ():
            if wanted not in left:
                raise _UnexpectedError(
                    f"{wanted} did not come where it should; what came: {', '.join(types) or '-'}"
                )
        return answer

    def _filled(self, value: Any) -> Any:
        """Put what was kept in the place of its names, all through a value."""
        match value:
            case str():
                whole = _KEPT.fullmatch(value)
                if whole and whole[1] != "day":
                    return self._value(whole)
                return _KEPT.sub(lambda found: str(self._value(found)), value)
            case dict():
                return {key: self._filled(one) for key, one in value.items()}
            case list():
                return [self._filled(one) for one in value]
            case _:
                return value

    def _value(self, found: re.Match[str]) -> Any:
        name, days = found[1], int(found[2] or 0)
        if name == "day":
            return (self.rehearsal.clock.now().date() + timedelta(days=days)).isoformat()
        if name not in self.kept:
            raise _UnexpectedError(f"${{{name}}} was never kept")
        return self.kept[name]


def _expect(answer: Answer, path: str, wanted: Any) -> None:
    if path == "status":
        if answer.status != wanted:
            raise _UnexpectedError(
                f"the status is {answer.status} instead of {wanted}: {answer.body}"
            )
        return
    there = _found(answer, path)
    if there != wanted:
        raise _UnexpectedError(f"{path} is {there!r} instead of {wanted!r}")


def _found(answer: Answer, path: str) -> Any:
    """Follow a path such as ``data.0.status`` through an answer."""
    there: Any = answer.body
    for part in path.split("."):
        if isinstance(there, Mapping):
            there = there.get(part, _ABSENT)
        elif isinstance(there, list) and part.isdigit() and int(part) < len(there):
            there = there[int(part)]
        else:
            there = _ABSENT
        if there is _ABSENT:
            raise _UnexpectedError(f"there is no {path} in {answer.body}")
    return there
