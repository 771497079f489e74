"""What a sample of one operation has to say, in no language yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from tokportal_server.http.answers import JSON
from tokportal_server.http.registry import Operation
from tokportal_server.reference.examples import Example, placeholder_of, variable

BASE_URL = "TOKPORTAL_BASE_URL"
API_KEY = "TOKPORTAL_API_KEY"
REHEARSAL_URL = "REHEARSAL_URL"
_PARAMETER = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that stands in a text."""

    name: str


Part = str | Variable


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """An operation together with its example."""

    operation: Operation
    example: Example

    @property
    def base(self) -> str:
        """Name the environment variable that holds what the path is appended to."""
        return REHEARSAL_URL if self.operation.has_own_base else BASE_URL

    @property
    def address(self) -> list[Part]:
        """Give the whole address: text between variables, beginning with the base."""
        parts: list[Part] = [Variable(self.base)]
        position = 0
        for match in _PARAMETER.finditer(self.operation.path):
            parts.append(self.operation.path[position : match.start()])
            parts.append(part_of(self.example.path[match.group(1)]))
            position = match.end()
        rest = self.operation.path[position:]
        if self.example.query:
            rest += "?" + urlencode(self.example.query)
        return joined([*parts, rest])

    @property
    def idempotency_key(self) -> str | None:
        """Give the key that the sample sends: one on each POST that the clients allow it on.

        The published Python client sends none where an answer holds a secret, and with a fixed
        key a reader who runs a sample twice pays once.
        """
        operation = self.operation
        if operation.method != "POST" or operation.idempotency != "standard":
            return None
        return f"{_WORD.sub('-', operation.operation_id).lower()}-1"

    @property
    def headers(self) -> dict[str, Part]:
        """Give the headers, but for a form's content type, which holds its boundary."""
        headers: dict[str, Part] = {}
        if not self.operation.public:
            headers["X-API-Key"] = Variable(API_KEY)
        if self.example.body is not None:
            headers["Content-Type"] = "application/json"
        if key := self.idempotency_key:
            headers["Idempotency-Key"] = key
        return headers

    @property
    def empty_answer(self) -> bool:
        """Whether a success has no body."""
        return self.operation.status == 204

    @property
    def text_answer(self) -> bool:
        """Whether a success is a text of another kind than JSON."""
        return self.operation.media != JSON


def part_of(value: str | int) -> Part:
    """Give an example's value: a variable where it is a placeholder."""
    name = placeholder_of(value)
    return Variable(variable(name)) if name else str(value)


def joined(parts: list[Part]) -> list[Part]:
    """Put texts that follow each other together, and leave out empty ones."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part:
            found.append(part)
    return found
