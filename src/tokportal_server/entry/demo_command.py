"""``demo``: the whole product on one machine."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tokportal_server.entry import demo as demonstration
from tokportal_server.entry.installation import settings
from tokportal_server.entry.operator_options import Flag


def demo(
    *,
    json: Flag = False,
    exit: Annotated[bool, Parameter(name="--exit", negative="")] = False,  # noqa: A002
) -> int:
    """Walk one order through the public API with the published client, in a rehearsal.

    Parameters
    ----------
    json
        Print one JSON object a line, for scripts.
    exit
        Stop after the walk; the exit code tells whether every step succeeded.
    """
    return demonstration.run(settings(), as_json=json, stay=not exit)
