"""Who acts: every write operation is told, and the journal and the ledger remember it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

ActorKind = Literal["customer", "manager", "operator", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """``id`` is the API key of a customer, the person otherwise; None for the system itself.

    ``address`` is where they acted from, if that is known: a network address, or the command line.
    """

    kind: ActorKind
    id: UUID | None = None
    address: str | None = field(default=None, compare=False)


SYSTEM = Actor("system")
