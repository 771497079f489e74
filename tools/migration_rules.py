"""No revision may break the release before it: expand, backfill, contract.

While a release is rolled out, the one before it runs on the new schema. So a revision that comes
after a release may only add to what that release knows; what nobody reads any more goes one release
later. ``python -m tools.migration_rules`` reads the texts and names what would break or block.

A statement that is right all the same says why, in a comment above it that begins with
``-- zero downtime:``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tokportal_server.migrations.texts import names, text_of

# The newest revision of the newest release; whoever makes a release raises it.
RELEASED: Final = "0000"
EXCEPTION: Final = "-- zero downtime:"

# A piece of SQL in which no semicolon ends a statement, or one that does, or anything else.
_PIECES: Final = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|;|[^-/'\"$;]+|.", re.DOTALL
)
_CREATED: Final = re.compile(
    r"CREATE\s+(?:UNLOGGED\s+)?(?:TABLE|(?:MATERIALIZED\s+)?VIEW|TYPE|SEQUENCE)\s+"
    r"(?:IF\s+NOT\s+EXISTS\s+)?([\w.]+)",
    re.IGNORECASE,
)
_ALTERED: Final = re.compile(
    r"^ALTER\s+(?:TABLE|TYPE|VIEW|SEQUENCE)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?([\w.]+)",
    re.IGNORECASE,
)
_DROPPED: Final = re.compile(
    r"^DROP\s+(TABLE|VIEW|MATERIALIZED\s+VIEW|TYPE|SEQUENCE|SCHEMA|FUNCTION|INDEX|TRIGGER)\s+"
    r"(?:IF\s+EXISTS\s+)?([\w.]+)",
    re.IGNORECASE,
)
_INDEX: Final = re.compile(
    r"^CREATE\s+(?:UNIQUE\s+)?INDEX\s+(CONCURRENTLY\s+)?.*?\bON\s+(?:ONLY\s+)?([\w.]+)",
    re.IGNORECASE | re.DOTALL,
)
# What an ALTER may not do to a thing that a release knows, and what to do instead.
_ALTERATIONS: Final = (
    (r"\bDROP\s+COLUMN\b", "drops a column that the release before may read: drop it one later"),
    (r"\bRENAME\b", "renames what the release before calls by its old name: add, copy, drop later"),
    (
        r"\bALTER\s+(?:COLUMN\s+)?\w+\s+(?:SET\s+DATA\s+)?TYPE\b",
        "changes a type, which rewrites the table under a lock: add a column, copy, drop later",
    ),
    (
        r"\bSET\s+NOT\s+NULL\b",
        "refuses rows that the release before writes: add a CHECK … NOT VALID, and validate later",
    ),
    (
        r"\bADD\s+COLUMN\s(?:(?!\bDEFAULT\b|,).)*\bNOT\s+NULL\b(?:(?!\bDEFAULT\b|,).)*(?:,|$)",
        "adds a column that the release before leaves empty: give it a DEFAULT",
    ),
    (
        r"\bADD\s+(?:CONSTRAINT\s+\w+\s+)?(?:CHECK|FOREIGN\s+KEY)\b(?!.*\bNOT\s+VALID\b)",
        "reads the whole table under a lock: add it NOT VALID, and validate it in a later revision",
    ),
    (
        r"\bADD\s+(?:CONSTRAINT\s+\w+\s+)?(?:UNIQUE|PRIMARY\s+KEY|EXCLUDE)\b(?!\s+USING\s+INDEX\b)",
        "builds an index under a lock: build it CONCURRENTLY, then add it USING INDEX",
    ),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A statement that would break or block the release before."""

    revision: str
    statement: str
    reason: str

    def __str__(self) -> str:
        return f"{self.revision}: {self.statement[:80]}\n    {self.reason}"


def statements(text: str) -> Iterator[tuple[str, bool]]:
    """Give the statements of a text without comments, each with whether it claims an exception."""
    parts: list[str] = []
    excepted = False
    for match in _PIECES.finditer(text):
        piece = match[0]
        if piece.startswith("--"):
            excepted |= piece.startswith(EXCEPTION) and len(piece) > len(EXCEPTION) + 10
        elif piece == ";":
            if statement := " ".join("".join(parts).split()):
                yield statement, excepted
            parts, excepted = [], False
        elif not piece.startswith("/*"):
            parts.append(piece)
    if statement := " ".join("".join(parts).split()):
        yield statement, excepted


def reasons(statement: str, new: set[str]) -> Iterator[str]:
    """Say what is wrong with a statement, where ``new`` are the things no release knows yet."""
    if (dropped := _DROPPED.match(statement)) and dropped[2].lower() not in new:
        yield f"drops a {dropped[1].lower()} that the release before may use: drop it one later"
    if (indexed := _INDEX.match(statement)) and not indexed[1] and indexed[2].lower() not in new:
        yield "builds an index while nobody can write: build it CONCURRENTLY, outside the text"
    if (altered := _ALTERED.match(statement)) and altered[1].lower() not in new:
        for pattern, reason in _ALTERATIONS:
            if re.search(pattern, statement, re.IGNORECASE | re.DOTALL):
                yield reason


def problems(texts: Sequence[tuple[str, str]], released: str = RELEASED) -> list[Problem]:
    """Check ``(revision, text)`` pairs in order; those up to ``released`` have been shipped."""
    # Before the first release there is nothing that could break.
    if released == "0000":
        return []
    found: list[Problem] = []
    new: set[str] = set()
    for revision, text in texts:
        if revision[:4] <= released:
            continue
        for statement, excepted in statements(text):
            if not excepted:
                found += [Problem(revision, statement, why) for why in reasons(statement, new)]
            new |= {name.lower() for name in _CREATED.findall(statement)}
    return found


def our_texts() -> list[tuple[str, str]]:
    """Give the texts of this checkout, in order."""
    return [(name, text_of(name)) for name in names()]


def main() -> int:
    """Print what is wrong; the exit code is 1 if anything is."""
    found = problems(our_texts())
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
