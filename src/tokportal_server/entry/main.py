"""The ``tokportal-server`` command."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from rich.console import Console
from rich.markup import escape

from tokportal_server.entry.commands import app, load_all
from tokportal_server.lib.errors import ApiError, OperatorError


def _stop(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Run the command line; what an operator can mend is one message, without a traceback."""
    # Until a part takes the signals over: being told to stop while starting still cleans up. Left
    # alone, asyncio would turn an interrupt into a cancellation, which a migration may not notice.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    asked = sys.argv[1:]
    if not asked or asked[0] in app.help_flags:
        load_all()
    try:
        result = app(result_action="return_value")
    except (OperatorError, ApiError) as error:
        # A message may hold brackets of its own, such as the name of an extra.
        Console(stderr=True).print(
            f"[red]tokportal-server:[/red] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(2)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
