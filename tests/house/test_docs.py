"""The pages are true: links lead somewhere, commands exist, generated blocks are current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tokportal_server.entry import documents
from tokportal_server.entry.command_page import command_paths
from tokportal_server.entry.commands import app
from tokportal_server.reference.guides import load_guides, slug

ROOT = documents.ROOT
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
_ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"^\s*(?:[$] )?tokportal-server ((?:[a-z-]+ ?)+)", re.MULTILINE)
_MAKE = re.compile(r"^\s+make ([a-z]+)", re.MULTILINE)
COMMANDS = {path for path, _ in command_paths(app)}
# A command of a group is named with it; what follows is an argument.
_GROUPS = {path[0] for path in COMMANDS if len(path) > 1}


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
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    for file, anchor in _ANCHOR.findall(page.read_text(encoding="utf-8")):
        if "://" in file:
            continue
        other = (page.parent / file).resolve() if file else page
        headings = _HEADING.findall(other.read_text(encoding="utf-8"))
        assert anchor in {slug(heading) for heading in headings}, f"{file}#{anchor}"


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


def test_every_page_is_listed_where_readers_look() -> None:
    listed = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    for page in pages - {"index.md"}:
        inside = page.partition("/")[0]
        if inside == "decisions" and page != "decisions/README.md":
            index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
            assert f"({Path(page).name})" in index
        elif inside != "scenarios":
            assert f"({page})" in listed, page


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_every_command_says_what_it_and_each_argument_is_for(path: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = (
        page.partition(f"## {' '.join(path)}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    )
    assert f"    tokportal-server {' '.join(path)}" in section
    for name, meaning in re.findall(r"^\| (`[^|]+`) \|(.*)\|$", section, re.MULTILINE):
        assert len(meaning.strip()) > 5, f"{' '.join(path)}: {name} is not explained"


def test_the_map_names_every_slice() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    mapped = re.findall(r"^\| `(\w+)` \| \w", page, re.MULTILINE)
    package = ROOT / "src" / "tokportal_server"
    slices = {path.parent.name for path in package.glob("*/__init__.py")} - {"migrations"}
    assert set(mapped) == slices


def test_the_pictures_of_guides_are_in_the_wheel() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    shown = {one for guide in load_guides().values() for one in guide.pictures}
    assert shown
    for picture in shown:
        assert f'"docs/{picture}" = "tokportal_server/_docs/{picture}"' in project


def test_generated_pages_are_current() -> None:
    assert documents.write_docs(app, check=True) == 0


def test_the_openapi_document_is_current() -> None:
    assert documents.write_openapi(check=True) == 0
