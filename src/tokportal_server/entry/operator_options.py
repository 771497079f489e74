"""What the operator's commands share: options, and answers for people and for scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tokportal_server.entry.installation import answer

_PIPED_WIDTH = 1000
Flag = Annotated[bool, Parameter(negative="")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Who decides, and why.

    Parameters
    ----------
    reason
        What the audit log says; the customer reads it in the credit history, or as a blocker.
    by
        E-mail address of the operator who decided; without it the audit log names nobody.
    json
        Answer with one JSON object, for scripts.
    """

    reason: str
    by: str | None = None
    json: Flag = False


Why = Annotated[Because, Parameter(name="*")]


def report(facts: Mapping[str, Any], sentence: str, *, as_json: bool) -> None:
    """Answer with ``facts`` as one JSON object, or with a sentence."""
    answer(msgspec.json.encode(facts).decode() if as_json else sentence)


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; no id of it is cut short, since the next command wants it whole."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    # What is piped to another program has no width of its own; 80 columns would break its lines.
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)
