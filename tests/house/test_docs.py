"""The pages are true: links lead somewhere, commands exist, generated blocks are current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tokportal_server.entry import documents
from tokportal_server.entry.main import app

ROOT = documents.ROOT
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
_COMMAND = re.compile(r"^\s*(?:[$] )?tokportal-server ((?:[a-z-]+ ?)+)", re.MULTILINE)
_MAKE = re.compile(r"^\s+make ([a-z]+)", re.MULTILINE)
# A command of a group is named with it; what follows is an argument.
_GROUPS = ("workspace", "person", "key", "credits", "bundle", "price", "account", "vault")


def names(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    dead = [
        link for link in links if "://" not in link and not (page.parent / link).resolve().exists()
    ]
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_of_ours_exists(page: Path) -> None:
    for words in _COMMAND.findall(page.read_text(encoding="utf-8")):
        parts = words.split()
        wanted = parts[:2] if parts[0] in _GROUPS else parts[:1]
        _, _, unknown = app.parse_commands(wanted)
        assert unknown == [], f"{page.name}: tokportal-server {' '.join(wanted)}"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in _MAKE.findall(page.read_text(encoding="utf-8")):
        assert re.search(rf"^{target}( |:)|^[a-z ]*\b{target}\b[a-z ]*:", makefile, re.MULTILINE)


def test_generated_pages_are_current() -> None:
    assert documents.write_docs(check=True) == 0


def test_the_openapi_document_is_current() -> None:
    assert documents.write_openapi(check=True) == 0
