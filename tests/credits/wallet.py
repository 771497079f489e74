"""The ledger's rules (contract section 5) once more, as simply as they can be said: the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_NEVER = datetime.max.replace(tzinfo=UTC)
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(eq=False)
class Lot:
    """Credits of one source; ``ends`` is far away if they never expire."""

    left: int
    ends: datetime
    born: int


@dataclass
class Wallet:
    """One workspace's credits. Each write takes the instant and gives whether it was done."""

    lots: list[Lot] = field(default_factory=list)
    debits: list[dict[Lot, int]] = field(default_factory=list)
    moment: datetime = _EVER

    @property
    def balance(self) -> int:
        """What can be spent at ``moment``."""
        return sum(lot.left for lot in self.lots if lot.ends > self.moment)

    def settle(self, now: datetime) -> None:
        """Let the time of the ledger come to ``now``; what is due then is gone."""
        self.moment = max(self.moment, now)
        for lot in self.lots:
            if lot.ends <= self.moment:
                lot.left = 0

    def grant(self, now: datetime, amount: int, ends: datetime | None) -> bool:
        """Add a lot."""
        self.settle(now)
        self.lots.append(Lot(amount, ends or _NEVER, len(self.lots)))
        return True

    def debit(self, now: datetime, amount: int) -> bool:
        """Burn the earliest-expiring lot first, then the oldest."""
        self.settle(now)
        if amount > self.balance:
            return False
        paid: dict[Lot, int] = {}
        for lot in sorted(self.lots, key=lambda lot: (lot.ends, lot.born)):
            part = min(amount, lot.left)
            if part:
                paid[lot] = part
            lot.left -= part
            amount -= part
        self.debits.append(paid)
        return True

    def refund(self, now: datetime, number: int, amount: int) -> bool:
        """Give back to the lots that paid; an expired one returns with 30 days of life."""
        self.settle(now)
        paid = self.debits[number]
        if amount > sum(paid.values()):
            return False
        for lot in sorted(paid, key=lambda lot: (lot.ends, lot.born), reverse=True):
            part = min(amount, paid[lot])
            if part and lot.ends <= self.moment:
                lot.ends = self.moment + timedelta(days=30)
            lot.left += part
            paid[lot] -= part
            amount -= part
        return True
