"""``tokportal-server webhook``: say why a signature does not verify."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from tokportal_server.entry.installation import answer, console, with_connection
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.delivery_log import find_body
from tokportal_server.webhooks.verification import Verdict, explain

SECRET_VARIABLE = "WEBHOOK_SECRET"  # noqa: S105 - the name of a variable

webhook = App(name="webhook", help="Help with webhooks.")


@webhook.command
def verify(
    body: Path,
    *,
    signature: str | None = None,
    at: int | None = None,
    look_up: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say whether a delivery verifies, and if not, why; exit 1 if it does not.

    The signing secret is read from WEBHOOK_SECRET, never from the command line.

    Parameters
    ----------
    body
        A file with the bytes that were received; - reads standard input.
    signature
        The value of the TokPortal-Signature header, if there was one.
    at
        When it was received, in Unix seconds; now if not given.
    look_up
        Compare with what was sent, from this installation's database.
    """
    secret = os.environ.get(SECRET_VARIABLE)
    if not secret:
        console.print(f"Set {SECRET_VARIABLE} to the endpoint's signing secret.")
        return 2
    received = sys.stdin.buffer.read() if str(body) == "-" else body.read_bytes()
    now = int(real_now().timestamp()) if at is None else at

    def judge(sent: bytes | None = None) -> int:
        return _tell(explain(secret=secret, signature=signature, body=received, now=now, sent=sent))

    async def compare(conn: Connection) -> int:
        return judge(await find_body(conn, _event_id(received)))

    return with_connection(compare) if look_up else judge()


def _event_id(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Identified).id
    except msgspec.DecodeError:
        return ""


class _Identified(msgspec.Struct):
    """All that is read of a body."""

    id: str = ""


def _tell(verdict: Verdict) -> int:
    answer(verdict.code)
    console.print(verdict.text, highlight=False, markup=False)
    return 0 if verdict.valid else 1
