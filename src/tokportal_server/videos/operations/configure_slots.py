"""Configure many slots of a bundle, in order of position: ``batchConfigureBundleVideos``, CSV.

The wallet is locked after everything else, so what cannot be paid is known after the media of
every slot were replaced. Then all of it is rolled back, and tried again without the slots that the
credits do not reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.configuration import AutoPublished, Configuration, Prepared
from tokportal_server.videos.publishing import StaleDates
from tokportal_server.videos.wire import ConfigureVideoRequest

AS_THEY_ARE = """
SELECT id, position, status, media_status FROM slots
 WHERE workspace_id = $1 AND id = ANY ($2::uuid[]) ORDER BY position
"""
Wanted = Mapping[int, ConfigureVideoRequest | ApiError]


@dataclass(slots=True)
class ConfiguredSlots:
    """What became of each position: the configured slots as they are now, and the refusals."""

    credits: CreditsMoved
    configured: list[Row]
    failed: Mapping[int, ApiError]
    automatic: AutoPublished


@dataclass(slots=True)
class _Attempt:
    """Slots that passed the rules, what they cost, and the refusals of the others."""

    prepared: list[Prepared] = field(default_factory=list)
    failed: dict[int, ApiError] = field(default_factory=dict)
    paid: Counter[str] = field(default_factory=Counter)


class _UnpaidError(Exception):
    """Some slots cannot be paid."""

    def __init__(self, refusals: Mapping[int, ApiError]) -> None:
        super().__init__(sorted(refusals))
        self.refusals = refusals


async def configure_slots(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    wanted: Wanted,
    source: MediaSource,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> ConfiguredSlots:
    """Configure the slots at the positions of ``wanted``, lowest first; one refusal stops no other.

    A request that could not even be read comes as its refusal.

    Raises:
        BundleNotFoundError: there is no such bundle.
    """
    refused = {p: error for p, error in wanted.items() if isinstance(error, ApiError)}
    requests = {p: r for p, r in wanted.items() if isinstance(r, ConfigureVideoRequest)}
    while True:
        try:
            async with tx.savepoint():
                configuration = await Configuration.begin(
                    tx, bundle_id, actor=actor, wanted=requests, source=source
                )
                attempt = await _prepare_and_buy(configuration, requests)
        except _UnpaidError as unpaid:
            refused |= unpaid.refusals
            requests = {p: request for p, request in requests.items() if p not in refused}
        else:
            break
    await configuration.write(attempt.prepared)
    automatic = await configuration.publish(attempt.prepared, rules=rules, stale_dates=stale_dates)
    remaining = await ledger.spendable(tx.conn, tx.workspace_id, tx.now)
    ids = [prepared.slot_id for prepared in attempt.prepared]
    return ConfiguredSlots(
        CreditsMoved(attempt.paid.total(), remaining, dict(attempt.paid)),
        await tx.conn.fetch(AS_THEY_ARE, tx.workspace_id, ids),
        refused | attempt.failed,
        automatic,
    )


async def _prepare_and_buy(
    configuration: Configuration, requests: Mapping[int, ConfigureVideoRequest]
) -> _Attempt:
    """Do what can fail.

    Raises:
        _UnpaidError: the credits do not reach all that passed the rules.
    """
    attempt = _Attempt()
    for position in sorted(requests):
        try:
            attempt.prepared.append(configuration.prepare(position, requests[position]))
        except ApiError as error:
            attempt.failed[position] = error
    await configuration.link(attempt.prepared)
    unpaid: dict[int, ApiError] = {}
    for prepared in attempt.prepared:
        try:
            attempt.paid.update(await configuration.buy(prepared))
        except InsufficientCreditsError as error:
            unpaid[prepared.position] = error
    if unpaid:
        raise _UnpaidError(unpaid)
    return attempt
