"""What the server has promised its customers: every answer that they got, on disk as it came."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """An answer that a customer has in hand: after it, the server may not take it back."""

    status: int
    body: bytes
    replayed: bool

    @property
    def whole(self) -> Any:
        """The JSON document."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The ``data`` of a success."""
        return self.whole["data"]

    @property
    def code(self) -> str:
        """The code of a refusal."""
        try:
            return str(json.loads(self.body)["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return "?"


@dataclass
class Promises:
    """What one workspace was promised; each line of ``log`` is one answer."""

    log: Path
    # Idempotency key of the order: the bundle's id, and what it cost.
    orders: dict[str, tuple[str, int]] = field(default_factory=dict)
    # References of orders without a key, and the id if there was an answer.
    unkeyed: dict[str, str | None] = field(default_factory=dict)
    # References of orders of which an answer said that nothing was changed.
    denied: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    # Addresses of media with the digests of what was sent.
    files: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, str] = field(default_factory=dict)
    deleted_endpoints: set[str] = field(default_factory=set)
    clock: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    # What was wrong while it happened, in sentences.
    broken: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._file = self.log.open("w")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def keep(self, key: str | None, call: str, answer: Answer) -> None:
        """Write an answer down; one that differs from an earlier one to the same key is wrong."""
        line = {
            "key": key,
            "call": call,
            "status": answer.status,
            "replayed": answer.replayed,
            "sha256": sha256(answer.body).hexdigest(),
            "body": answer.body.decode(errors="replace")[:2000],
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if key is None:
            return
        before = self.answers.setdefault(key, answer)
        if (before.status, before.body) != (answer.status, answer.body):
            self.broken.append(
                f"{call} with key {key!r} was answered {before.status} {before.body[:200]!r},"
                f" and then {answer.status} {answer.body[:200]!r}"
            )
