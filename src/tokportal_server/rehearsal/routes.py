"""``/api/rehearsal``: read and move the clock of a rehearsal workspace. Beyond the reference."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.registry import Router
from tokportal_server.lib.clock import Timestamp, wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.rehearsal.clock import NotARehearsalError, advance, require_rehearsal

router = Router("Rehearsal")
BASE_PATH = "/api/rehearsal"


class AdvanceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to move the clock."""

    hours: Annotated[
        float, Meta(gt=0, le=8760, description="Hours to move on; the clock never goes back.")
    ]


class Clock(msgspec.Struct, frozen=True):
    """A rehearsal's clock; ``happened`` counts deadlines and managers' steps on the way."""

    now: Timestamp
    virtual: bool
    happened: int


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
    errors=(NotARehearsalError,),
    base_path=BASE_PATH,
    effects=True,
)
async def advance_clock(call: Call, body: AdvanceRequest) -> Effect:
    """Move the clock; everything that is due on the way happens, in order, before the answer."""
    by = timedelta(hours=body.hours)
    if call.dry_run:
        async with call.ports.database.connection() as conn:
            await require_rehearsal(conn, call.who.workspace_id)
        now, happened = call.who.now + by, 0
    else:
        now, happened = await advance(call.ports, call.who.workspace_id, by)

    async def finish(_: UnitOfWork) -> Answer:
        return Answer(Clock(wire_time(now), virtual=True, happened=happened))

    async def undo() -> None:
        # Time that has passed in a rehearsal stays passed: the clock only grows.
        return

    return Effect(finish=finish, undo=undo)
