"""The refund rule (contract section 6): what was paid and not used goes back to who paid it.

1. Plan: look at the order as it is, and say how much of which debit goes back. Nothing is written.
2. Change the order: what is cancelled, ends.
3. Give back: one refund entry for each debit. The wallet is locked last, as everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.charges import Charge, lock_charges, note_refund
from tokportal_server.orders.locks import Row
from tokportal_server.orders.states import FINAL_SLOT_STATUSES

SETUP_PARTS = ("account_creation", "niche_warming", "deep_warming", "moderation")
_SLOTS, _EDITS = "video_slots", "edit_slots"


@dataclass(frozen=True, slots=True)
class RefundLine:
    """What goes back of one debit, part by part, in whole credits."""

    charge: Charge
    parts: Mapping[str, int]

    @property
    def amount(self) -> int:
        """The whole line."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """What will go back; ``most`` is the highest amount that could (paid and not yet refunded)."""

    lines: tuple[RefundLine, ...]
    most: int

    @property
    def amount(self) -> int:
        """The whole refund, in credits."""
        return sum(line.amount for line in self.lines)

    @property
    def breakdown(self) -> dict[str, int]:
        """The parts of all lines together, with ``total``."""
        parts: Counter[str] = Counter()
        for line in self.lines:
            parts.update(line.parts)
        return {**parts, "total": self.amount}


async def plan_bundle_refund(
    tx: UnitOfWork,
    bundle: Row,
    profile: Row | None,
    slots: Sequence[Row],
    *,
    amount: int | None = None,
) -> RefundPlan:
    """Plan what a locked bundle gives back when it is cancelled as it is now.

    That is what the rule says, or ``amount`` if the operator names one: then first what was not
    used, after that whatever else was paid.

    Raises:
        ValidationError: ``amount`` is below 0, or more than was paid and not refunded.
    """
    allotment = _Allotment(await lock_charges(tx, bundle))
    if profile is not None and profile["submitted_at"] is None:
        allotment.take_parts(SETUP_PARTS)
    gone = [slot for slot in slots if slot["status"] not in FINAL_SLOT_STATUSES]
    allotment.take_slots([slot for slot in gone if slot["submitted_at"] is None], slots)
    allotment.take_edits(slots, gone)
    default = allotment.total
    allotment.take_rest()
    return allotment.plan(default, amount)


async def plan_slots_refund(
    tx: UnitOfWork,
    bundle: Row,
    gone: Sequence[Row],
    slots: Sequence[Row],
    *,
    amount: int | None = None,
) -> RefundPlan:
    """Plan what a locked bundle gives back when the slots ``gone`` of all its ``slots`` end.

    Edit slots go back too as far as no slot is left that could use them.

    Raises:
        ValidationError: ``amount`` is below 0, or more than was paid for these slots.
    """
    allotment = _Allotment(await lock_charges(tx, bundle))
    allotment.take_slots([slot for slot in gone if slot["submitted_at"] is None], slots)
    allotment.take_edits(slots, gone)
    default = allotment.total
    allotment.take_slots([slot for slot in gone if slot["submitted_at"] is not None], slots)
    return allotment.plan(default, amount)


async def plan_reversal(tx: UnitOfWork, bundle: Row) -> RefundPlan:
    """Plan to give back everything that was charged for a locked bundle; options stay paid."""
    allotment = _Allotment([c for c in await lock_charges(tx, bundle) if c.number is not None])
    allotment.take_rest()
    return allotment.plan(allotment.total, None)


async def plan_entry_refund(
    tx: UnitOfWork, bundle: Row, entry_id: UUID, *, amount: int
) -> RefundPlan:
    """Plan to give back ``amount`` (1 or more) credits of one debit of a locked bundle.

    Raises:
        ValidationError: the debit has less to give back.
    """
    allotment = _Allotment([c for c in await lock_charges(tx, bundle) if c.entry_id == entry_id])
    allotment.take_rest()
    return allotment.plan(0, amount, least=1)


async def give_back(
    tx: UnitOfWork, bundle: Row, plan: RefundPlan, *, actor: Actor, cause: str, description: str
) -> int:
    """Book a plan: one refund entry for each debit; give the workspace's credits after it.

    ``cause`` names what can happen only once, such as ``bundle:<id>:cancel``: the entries' business
    keys begin with it.
    """
    balance = None
    for line in plan.lines:
        charge = line.charge
        kind, subject = ("video", charge.slot_id) if charge.slot_id else ("bundle", bundle["id"])
        balance = await ledger.refund(
            tx,
            debit_id=charge.entry_id,
            amount=line.amount,
            description=description,
            breakdown={**line.parts, "total": line.amount},
            reference=Reference(kind, subject, f"{cause}:{charge.entry_id}"),
            actor=actor,
        )
        await note_refund(tx, bundle, charge, line.amount)
    if balance is None:
        return await ledger.spendable(tx.conn, tx.workspace_id, tx.now)
    return balance


def usable_edits(slots: Sequence[Row], gone: Sequence[Row]) -> int:
    """Count the edit slots that were used, or could be by a slot that is left without ``gone``."""
    ids = {slot["id"] for slot in gone}
    used = sum(1 for slot in slots if slot["uses_edit_slot"] and slot["submitted_at"] is not None)
    able = sum(
        1
        for slot in slots
        if slot["submitted_at"] is None
        and slot["id"] not in ids
        and slot["status"] not in FINAL_SLOT_STATUSES
    )
    return used + able


class _Allotment:
    """Takes parts of charges, in the order in which they are asked for, never more than is open."""

    def __init__(self, charges: Sequence[Charge]) -> None:
        self._charges = charges
        self._left = [dict(charge.open) for charge in charges]
        self._taken: list[tuple[int, str, int]] = []

    @property
    def total(self) -> int:
        """What was taken so far."""
        return sum(amount for _, _, amount in self._taken)

    def _take(self, index: int, part: str, wanted: int) -> None:
        amount = min(wanted, self._left[index].get(part, 0))
        if amount > 0:
            self._left[index][part] -= amount
            self._taken.append((index, part, amount))

    def take_parts(self, parts: Sequence[str]) -> None:
        """Take these parts of every charge."""
        for index, left in enumerate(self._left):
            for part in parts:
                self._take(index, part, left.get(part, 0))

    def take_slots(self, gone: Sequence[Row], slots: Sequence[Row]) -> None:
        """Take the price and the options of the slots ``gone``, of all the bundle's ``slots``."""
        payer = self._payers(slots)
        for slot in gone:
            if slot["id"] in payer:
                self._take(payer[slot["id"]], _SLOTS, slot["price"])
        ids = {slot["id"] for slot in gone}
        for index, charge in enumerate(self._charges):
            if charge.slot_id in ids:
                self.take_all_of(index)

    def _payers(self, slots: Sequence[Row]) -> dict[object, int]:
        """Tell which charge paid for each slot: later charges bought the later positions."""
        payers: dict[object, int] = {}
        waiting = sorted(slots, key=lambda slot: slot["position"])
        buying = [i for i, charge in enumerate(self._charges) if charge.paid.get(_SLOTS)]
        for index in reversed(buying):
            bought = self._charges[index].paid[_SLOTS]
            # The oldest charge paid for whatever the later ones did not.
            while waiting and (bought > 0 or index == buying[0]):
                slot = waiting.pop()
                payers[slot["id"]] = index
                bought -= slot["price"]
        return payers

    def take_edits(self, slots: Sequence[Row], gone: Sequence[Row]) -> None:
        """Take the edit slots that were not used and that no slot beside ``gone`` could use."""
        keep = usable_edits(slots, gone)
        for index, charge in enumerate(self._charges):
            if charge.edits:
                kept = min(keep, charge.edits)
                keep -= kept
                used = kept * (charge.paid[_EDITS] // charge.edits)
                self._take(index, _EDITS, self._left[index][_EDITS] - used)

    def take_all_of(self, index: int) -> None:
        """Take what is left of one charge."""
        for part, left in list(self._left[index].items()):
            self._take(index, part, left)

    def take_rest(self) -> None:
        """Take what is left of every charge, the latest first."""
        for index in reversed(range(len(self._charges))):
            self.take_all_of(index)

    def plan(self, default: int, amount: int | None, *, least: int = 0) -> RefundPlan:
        """Make a plan of the first ``amount`` credits taken, or of the first ``default``."""
        most = self.total
        if amount is not None and not least <= amount <= most:
            problem = f"must be {least} to {most}: paid and not refunded"
            refuse([Problem("amount", problem, amount)])
        due = default if amount is None else amount
        parts: dict[int, Counter[str]] = {}
        for index, part, taken in self._taken:
            given = min(taken, due)
            due -= given
            if given:
                parts.setdefault(index, Counter())[part] += given
        lines = (RefundLine(self._charges[i], dict(parts[i])) for i in sorted(parts))
        return RefundPlan(tuple(lines), most)
