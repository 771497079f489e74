"""State machines as tables: which status may follow which, and what the change is called.

The table is the one source: the door checks it, tests are generated from it for every allowed and
every forbidden pair, and the picture in the docs is drawn from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class IllegalTransitionError(Exception):
    """A programming mistake: code asked the door for a change that its table does not have."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed change. ``source`` None is the beginning; ``event`` None: in the journal only."""

    source: str | None
    target: str
    event: str | None
    by: str


class Machine:
    """The transitions of one kind of object, stored in ``table`` with key column ``key``.

    ``stamp`` is the column that keeps when the status last changed, if the table has one.
    """

    def __init__(
        self,
        kind: str,
        *,
        table: str,
        key: str,
        transitions: Iterable[Transition],
        stamp: str | None = None,
    ) -> None:
        self.kind = kind
        self.table = table
        self.key = key
        self.stamp = stamp
        self.transitions = tuple(transitions)
        self._by_pair = {(t.source, t.target): t for t in self.transitions}
        if len(self._by_pair) != len(self.transitions):
            raise ValueError(f"{kind} lists a transition twice")

    @property
    def states(self) -> tuple[str, ...]:
        """Every status, in the order in which the table first names it."""
        return tuple(dict.fromkeys(t.target for t in self.transitions))

    def transition(self, source: str | None, target: str) -> Transition:
        """Give the table's row for a change.

        Raises:
            IllegalTransitionError: the table has none.
        """
        try:
            return self._by_pair[source, target]
        except KeyError:
            raise IllegalTransitionError(f"{self.kind}: {source} -> {target}") from None

    def allows(self, source: str | None, target: str) -> bool:
        """Say whether the table has this change."""
        return (source, target) in self._by_pair

    def allowed_from(self, target: str) -> list[str]:
        """Give the statuses from which ``target`` can be reached, for ``details.allowed_from``."""
        return [t.source for t in self.transitions if t.target == target and t.source is not None]

    def mermaid(self) -> str:
        """Draw the machine as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        for t in self.transitions:
            label = f" : {t.event or t.by}"
            lines.append(f"    {t.source or '[*]'} --> {t.target}{label}")
        return "\n".join(lines)
