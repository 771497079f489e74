"""``/api/rehearsal``: a rehearsal's clock, and faults of its webhooks. Beyond the reference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.idempotency import parse_key
from tokportal_server.http.registry import Router
from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import Timestamp, wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.rehearsal.clock import (
    FARTHEST,
    ClockMovingError,
    NotARehearsalError,
    advance,
    require_rehearsal,
)
from tokportal_server.rehearsal.moments import next_moment
from tokportal_server.webhooks.errors import WebhookEndpointNotFoundError
from tokportal_server.webhooks.faults import set_fault
from tokportal_server.webhooks.queries import get_endpoint
from tokportal_server.webhooks.sending import Fault

router = Router("Rehearsal")
BASE_PATH = "/api/rehearsal"


class AdvanceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to move the clock: either of the two."""

    hours: (
        Annotated[
            float, Meta(gt=0, le=8760, description="Hours to move on; the clock never goes back.")
        ]
        | None
    ) = None
    to: Annotated[
        Literal["next"] | None,
        Meta(description="`next`: to the moment at which anything happens next, within a year."),
    ] = None

    def problems(self) -> Iterator[Problem]:
        """Yield the rule between the fields."""
        if (self.hours is None) == (self.to is None):
            yield Problem("hours", "say either hours or to: both, or neither, is no distance")

    @property
    def by(self) -> timedelta | None:
        """How far, or None: to what happens next."""
        return None if self.hours is None else timedelta(hours=self.hours)


class Clock(msgspec.Struct, frozen=True):
    """A rehearsal's clock; ``happened`` counts deadlines and managers' steps on the way."""

    now: Timestamp
    virtual: bool
    happened: int


class WebhookFaultRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to go wrong, and how often."""

    fault: Annotated[
        Fault,
        Meta(
            description="`slow`: the body comes over five seconds. `twice`: sent again after a"
            " success. `out_of_order`: half a minute late. `wrong_signature`: signed with another"
            " secret."
        ),
    ]
    deliveries: Annotated[
        int, Meta(ge=0, le=1000, description="How many events it befalls, from now; 0 ends it.")
    ] = 1


class WebhookFault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong with the endpoint's next deliveries; ``deliveries`` 0: nothing."""

    endpoint_id: UUID
    fault: Fault
    deliveries: int


@router.operation(
    "GET",
    "/clock",
    "getRehearsalClock",
    summary="Read the rehearsal's clock",
    returns=Clock,
    errors=(NotARehearsalError,),
    base_path=BASE_PATH,
)
async def get_clock(call: Call) -> Answer:
    """What time it is in the rehearsal."""
    await require_rehearsal(call.conn, call.who.workspace_id)
    return Answer(Clock(wire_time(call.who.now), virtual=True, happened=0))


@router.operation(
    "POST",
    "/clock/advance",
    "advanceRehearsalClock",
    summary="Move the rehearsal's clock",
    returns=Clock,
    errors=(NotARehearsalError, ClockMovingError),
    base_path=BASE_PATH,
    effects=True,
)
async def advance_clock(call: Call, body: AdvanceRequest) -> Effect:
    """Move the clock; everything that is due on the way happens, in order, before the answer."""
    if call.dry_run:
        async with call.ports.database.connection() as conn:
            await require_rehearsal(conn, call.who.workspace_id)
            now, happened = await _imagined(conn, call, body), 0
    else:
        key = parse_key(call.headers.get(b"idempotency-key"))
        now, happened = await advance(call.ports, call.who.workspace_id, body.by, key=key)

    async def finish(_: UnitOfWork) -> Answer:
        return Answer(Clock(wire_time(now), virtual=True, happened=happened))

    async def undo() -> None:
        # Time that has passed in a rehearsal stays passed: the clock only grows.
        return

    return Effect(finish=finish, undo=undo)


async def _imagined(conn: Connection, call: Call, body: AdvanceRequest) -> datetime:
    """Give where the clock would stand, as far as can be said without anything happening."""
    now = call.who.now
    if body.by is not None:
        return now + body.by
    return await next_moment(conn, call.ports, call.who.workspace_id, now, now + FARTHEST) or now


@router.operation(
    "PUT",
    "/webhooks/{id}/fault",
    "setWebhookFault",
    summary="Ask for faulty webhook deliveries",
    returns=WebhookFault,
    errors=(NotARehearsalError,),
    path_errors=(WebhookEndpointNotFoundError,),
    base_path=BASE_PATH,
)
async def set_webhook_fault(call: Call, body: WebhookFaultRequest) -> Answer:
    """Let the next deliveries of an endpoint go wrong, to see how its receiver takes it.

    Takes the place of what was asked for before. Retries come without the fault.
    """
    endpoint_id = call.id("id", WebhookEndpointNotFoundError)
    await get_endpoint(call.tx.conn, call.tx.workspace_id, endpoint_id)
    await require_rehearsal(call.tx.conn, call.tx.workspace_id)
    await set_fault(
        tx=call.tx, endpoint_id=endpoint_id, fault=body.fault, deliveries=body.deliveries
    )
    return Answer(
        WebhookFault(endpoint_id=endpoint_id, fault=body.fault, deliveries=body.deliveries)
    )
