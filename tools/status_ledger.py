"""Every status that the OpenAPI document declares was met by a test.

Run as ``python -m tools.status_ledger DIRECTORY`` after the suite.

The tests' client notes each answer that it gets (``tests/contract.py``) in the directory that
``STATUS_LEDGER_DIR`` names; this merges what the processes of a run have noted. Answers that no
operation declares fail at once, in the client. Here the other direction is settled:

1. A status that an operation declares for refusals of its own must have been met there.
2. Refusals that every operation shares (keys, limits, bodies, idempotency) are one code path: each
   of their codes must have been met by any operation.
3. 500 is exempt: it is what must not happen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tokportal_server.entry.operations import all_operations
from tokportal_server.http import errors as shared
from tokportal_server.http.openapi import document
from tokportal_server.lib.db import ServiceUnavailableError
from tokportal_server.lib.errors import ApiError

Met: TypeAlias = frozenset[tuple[str, int, str | None]]
EXEMPT = {"INTERNAL_ERROR"}


def shared_codes() -> frozenset[str]:
    """Give the codes of the refusals that do not belong to any one operation."""
    classes = [kind for kind in vars(shared).values() if isinstance(kind, type)]
    own = {kind.code for kind in classes if issubclass(kind, ApiError) and kind is not ApiError}
    # A slice offers the option or not: whoever declares this refusal has to show it.
    return frozenset(own | {ServiceUnavailableError.code}) - {"OPTION_NOT_OFFERED"}


def read(directory: Path) -> Met:
    """Merge what the processes of a test run have noted."""
    return frozenset(
        tuple(json.loads(line))
        for path in sorted(directory.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    )


def missing(openapi: Mapping[str, Any], met: Met) -> Iterator[str]:
    """Say, a sentence each, which declared answers no test has met."""
    reached = {(name, status) for name, status, _ in met}
    codes = {code for _, _, code in met}
    common = shared_codes()
    expected: set[str] = set()
    for name, status, declared in _answers(openapi):
        own = declared - common - EXEMPT
        expected |= declared & common
        if (own or not declared) and (name, status) not in reached:
            why = f" ({', '.join(sorted(own))})" if own else ""
            yield f"{name} declares {status}{why}, and no test has met it"
    for code in sorted(expected - codes - EXEMPT):
        yield f"{code} is declared, and no test of any operation has met it"


def _answers(openapi: Mapping[str, Any]) -> Iterator[tuple[str, int, set[str]]]:
    """Give each declared answer: operation, status, and its codes if it is a refusal."""
    for item in openapi["paths"].values():
        for method, operation in item.items():
            if method == "servers":
                continue
            for status, response in operation["responses"].items():
                yield operation["operationId"], int(status), set(response.get("x-error-codes", ()))


def main(arguments: Iterable[str] | None = None) -> int:
    """Compare; 0 if every declared answer was met."""
    parser = argparse.ArgumentParser(description="Compare declared statuses with those met.")
    parser.add_argument("directory", type=Path, help="where the test processes left their notes")
    given = parser.parse_args(None if arguments is None else list(arguments))
    met = read(given.directory)
    if not met:
        print(f"{given.directory} holds no notes: run the suite with STATUS_LEDGER_DIR set to it")
        return 1
    lacking = list(missing(document(all_operations()), met))
    for sentence in lacking:
        print(sentence)
    print(f"{len(met)} different answers met; {len(lacking)} declared ones lacking")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
