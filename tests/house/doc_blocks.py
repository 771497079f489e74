"""The pieces of code in the pages, and what each of them is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.house.repository import ROOT

_PARSER = MarkdownIt("commonmark").enable("table")
# Made from something that is checked elsewhere: the command line, the catalogue, scenario files.
_GENERATED = {"docs/commands.md", "docs/events.md"}
_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) /")
_FENCES = {"": "shell", "sh": "shell"}
_WORD = re.compile(r"[a-z/][\w./-]*$")
# What a shell does itself, or what only opens a line.
_SHELLS_OWN = {"export", "(umask"}


@dataclass(frozen=True)
class Block:
    """A block of code: ``page`` as a path of the repository, ``line`` where it begins."""

    page: str
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        """Where to look."""
        return f"{self.page}:{self.line}"

    def commands(self) -> Iterator[str]:
        """Give the commands of a shell's block, one that goes over several lines as one."""
        waiting = ""
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            waiting = f"{waiting}\n{line}" if waiting else line.strip()
            # A quoted text may go over several lines.
            if waiting and waiting.count("'") % 2 == 0:
                yield waiting
                waiting = ""


def pages() -> list[Path]:
    """Give every page."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks() -> Iterator[Block]:
    """Give every block of code of the pages that people write."""
    for path in pages():
        page = path.relative_to(ROOT).as_posix()
        if page in _GENERATED:
            continue
        for token in _PARSER.parse(path.read_text(encoding="utf-8")):
            line = (token.map or [0])[0] + 1
            if token.type == "fence":
                kind = _FENCES.get(token.info, token.info)
                yield Block(page, line, kind, token.content)
            elif token.type == "code_block":
                yield Block(page, line, _kind_of(token.content), token.content)


def program(command: str) -> str:
    """Give the program that a command starts, past the variables that are set for it."""
    return next((word for word in command.split() if not re.match(r"[A-Z_]+=", word)), "")


def _kind_of(text: str) -> str:
    """Say what an indented block is."""
    first = text.lstrip().partition("\n")[0]
    if _CALL.match(first):
        return "http"
    if first.startswith("def "):
        return "python"
    if first.startswith("--"):
        return "sql"
    if first[:1] in '{"[':
        return "json" if _is_json(text) else "fragment"
    known = _WORD.match(program(first)) or program(first) in _SHELLS_OWN
    return "shell" if known else "unknown"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
