"""The guides of ``docs/guides`` and the page of errors, as Markdown and as HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PACKAGE = Path(__file__).resolve().parent.parent
# A wheel carries the guides inside the package (pyproject.toml, force-include); a checkout has them
# at its root.
_FOLDERS = (_PACKAGE / "_docs", _PACKAGE.parent.parent / "docs")
_ORDER = (
    "authentication",
    "safe-writes",
    "rate-limits",
    "uploads",
    "csv",
    "webhooks",
    "analytics",
    "analytics-connections",
    "rehearsal",
    "people",
)
_GENERATED = "<!-- generated: "
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True, slots=True)
class Guide:
    """A page of prose: ``name`` is its file's name without ``.md``, ``title`` its heading."""

    name: str
    title: str
    markdown: str

    def html(self, link: Callable[[str], str]) -> str:
        """Render what follows the title; ``link`` gives the address of a page's target."""
        tokens = _PARSER.parse(self.markdown.partition("\n")[2])
        for position, token in enumerate(tokens):
            if token.type == "heading_open":
                token.attrSet("id", slug(tokens[position + 1].content))
            token.children = _linked(token.children or [], link) if token.children else None
        return str(_PARSER.renderer.render(tokens, _PARSER.options, {}))

    @property
    def headings(self) -> list[str]:
        """The headings below the title."""
        return re.findall(r"^##+ (.+)$", self.markdown, re.MULTILINE)


def load_guides() -> dict[str, Guide]:
    """Read the guides: those with a place in the order first, then the others by name."""
    found = {path.stem: path for path in (_folder() / "guides").glob("*.md")}
    names = [name for name in _ORDER if name in found] + sorted(set(found) - set(_ORDER))
    return {name: _read(found[name]) for name in names}


def errors_guide() -> Guide:
    """Read the prose of the page of errors, without the table, which pages make richer."""
    guide = _read(_folder() / "errors.md")
    return Guide(guide.name, guide.title, guide.markdown.partition(_GENERATED)[0])


def inline(text: str) -> str:
    """Render a sentence of a docstring or description: code, emphasis, no blocks."""
    return str(_PARSER.renderInline(text.replace("``", "`"))).replace("\n", " ")


def slug(heading: str) -> str:
    """Give the id of a heading."""
    return _NOT_A_WORD.sub("-", heading.lower()).strip("-")


def _folder() -> Path:
    for folder in _FOLDERS:
        if (folder / "guides").is_dir():
            return folder
    looked = " nor ".join(str(folder) for folder in _FOLDERS)
    raise FileNotFoundError(f"The guides are neither in {looked}: reinstall the package.")


def _read(path: Path) -> Guide:
    text = path.read_text(encoding="utf-8")
    return Guide(path.stem, text.partition("\n")[0].removeprefix("# ").strip(), text)


def _linked(tokens: list[Token], link: Callable[[str], str]) -> list[Token]:
    """Turn links between our files into links between pages.

    What has no page here (the operator's manual, decisions) stays as text without a link.
    """
    kept: list[Token] = []
    dropped = 0
    for token in tokens:
        if token.type == "link_open":
            address = _address(str(token.attrGet("href")), link)
            if address is None:
                dropped += 1
                continue
            token.attrSet("href", address)
        elif token.type == "link_close" and dropped:
            dropped -= 1
            continue
        kept.append(token)
    return kept


def _address(href: str, link: Callable[[str], str]) -> str | None:
    if "://" in href or href.startswith("#"):
        return href
    file, _, fragment = href.partition("#")
    if file == "../errors.md":
        target = "errors"
    elif "/" not in file and file.endswith(".md"):
        target = f"guides/{file.removesuffix('.md')}"
    else:
        return None
    return link(target) + (f"#{fragment}" if fragment else "")
