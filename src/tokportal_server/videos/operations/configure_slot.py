"""``configureBundleVideo``: replace what a slot holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.source import MediaSource
from tokportal_server.uploads.wire import MediaError
from tokportal_server.videos.configuration import Configuration
from tokportal_server.videos.publishing import Published, StaleDates
from tokportal_server.videos.wire import ConfigureVideoRequest


@dataclass(slots=True)
class ConfiguredSlot:
    """What configuring did: ``credits`` for new options, and how auto_publish ended."""

    slot_id: UUID
    credits: CreditsMoved
    published: Published = field(default_factory=Published)
    refusal: MediaError | None = None


async def configure_slot(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    request: ConfigureVideoRequest,
    source: MediaSource,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> ConfiguredSlot:
    """Replace a slot's contents, buy what options it needs, and publish it if asked to.

    Raises:
        BundleNotFoundError: there is no such bundle.
        ApiError: as :meth:`Configuration.prepare` and :meth:`Configuration.buy`.
    """
    configuration = await Configuration.begin(
        tx, bundle_id, actor=actor, wanted={position: request}, source=source
    )
    prepared = configuration.prepare(position, request)
    await configuration.link([prepared])
    paid = await configuration.buy(prepared)
    await configuration.write([prepared])
    automatic = await configuration.publish([prepared], rules=rules, stale_dates=stale_dates)
    remaining = await ledger.spendable(tx.conn, tx.workspace_id, tx.now)
    return ConfiguredSlot(
        prepared.slot_id,
        CreditsMoved(sum(paid.values()), remaining, paid),
        automatic.published,
        automatic.refusals.get(prepared.slot_id),
    )
