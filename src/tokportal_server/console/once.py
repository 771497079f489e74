"""A form that costs credits is done once, however often it arrives: pressed twice, or sent again.

Each page that shows such a form puts a new word into it. Word and contents together are an
idempotency key, held and kept as those of the API are (contract section 3): the same form leads to
where it led before, and one that was changed meanwhile is another.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from tokportal_server.console.acts import Act, Again, perform
from tokportal_server.http.answers import Rendered
from tokportal_server.http.errors import IdempotencyInProgressError
from tokportal_server.http.idempotency import (
    KEPT,
    Keyed,
    StillRunning,
    fingerprint,
    lock,
    replay,
    store,
)
from tokportal_server.lib.patience import Patience
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.pages.forms import TOKEN_FIELD
from tokportal_server.pages.page import Answer, Visit
from tokportal_server.pages.texts import text

FIELD: Final = "once"
_LONGEST: Final = 40


def new_word() -> str:
    """Make the word of a form that is being shown."""
    return secrets.token_urlsafe(16)


async def perform_once(
    visit: Visit, form: str, act: Act, *, again: Again, then: str | Callable[[], str]
) -> Answer:
    """Do something once and go on to ``then``; sent again, the form only goes on.

    Raises:
        PageNotFoundError: what it is about is not there.
        IdempotencyInProgressError: the same form has been at it for some seconds.
    """
    keyed = _keyed(visit)
    led: list[str] = []

    async def done_once(tx: UnitOfWork) -> None:
        await lock(tx.conn, keyed)
        before = await replay(tx.conn, keyed)
        if before is None:
            await act(tx)
            where = then if isinstance(then, str) else then()
            await store(tx.conn, keyed, Rendered(303, where.encode()))
        else:
            where = before.body.decode()
        led.append(where)

    patience = Patience(lambda: IdempotencyInProgressError(text("once.running"), retry_after=1))
    while True:
        try:
            return await perform(visit, form, done_once, again=again, then=lambda: led[-1])
        except StillRunning:
            await patience.wait()


def _keyed(visit: Visit) -> Keyed:
    fields = {name: visit.form[name] for name in visit.form if name not in (TOKEN_FIELD, FIELD)}
    digest = fingerprint(visit.at.encode(), msgspec.json.encode(fields, order="deterministic"))
    # A form without its word was not sent from a page of ours: it is done each time.
    word = visit.field(FIELD)[:_LONGEST] or new_word()
    return Keyed(
        workspace_id=visit.workspace.id,
        api_key_id=visit.person.id,
        key=f"form {word} {digest.hex()}",
        fingerprint=digest,
        keep=KEPT,
    )
