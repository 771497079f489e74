"""The guides of ``docs/guides`` and the page of errors, as Markdown and as HTML."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PACKAGE = Path(__file__).resolve().parent.parent
# A wheel carries the guides inside the package (pyproject.toml, force-include); a checkout has them
# at its root.
_FOLDERS = (_PACKAGE / "_docs", _PACKAGE.parent.parent / "docs")
_ORDER = (
    "start-customers",
    "start-managers",
    "start-operators",
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
_MARK = re.compile(r"^<!-- .* -->$", re.MULTILINE)
_ARROW = re.compile(r"^\s*(\S+) --> (\S+) : (.+)$", re.MULTILINE)
_NOT_OF_AN_ANCHOR = re.compile(r"[^\w\- ]")

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")


Addresses = Callable[[str], str | None]
"""Gives the address of a page or picture (a path below ``docs``); None if the site has none."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A page of prose; ``path`` is its file below ``docs``, ``title`` its heading."""

    path: str
    title: str
    markdown: str

    @property
    def name(self) -> str:
        """The name of its file, without ``.md``."""
        return posixpath.basename(self.path).removesuffix(".md")

    def html(self, address: Addresses) -> str:
        """Render what follows the title, with links and pictures where the site has them."""
        # What marks a generated block is for the generator; as text it would be seen.
        tokens = _PARSER.parse(_MARK.sub("", self.markdown.partition("\n")[2]))
        for position, token in enumerate(tokens):
            if token.type == "heading_open":
                token.attrSet("id", slug(tokens[position + 1].content))
            if token.info == "mermaid":
                token.type, token.content = "html_block", _transitions(token.content)
            if token.children:
                token.children = _linked(token.children, lambda href: self._seen(href, address))
        return str(_PARSER.renderer.render(tokens, _PARSER.options, {}))

    def _seen(self, href: str, address: Addresses) -> str | None:
        if "://" in href or href.startswith("#"):
            return href
        file, _, fragment = href.partition("#")
        found = address(posixpath.normpath(posixpath.join(posixpath.dirname(self.path), file)))
        return f"{found}#{fragment}" if found and fragment else found

    @property
    def pictures(self) -> list[str]:
        """The pictures that it shows, as paths below ``docs``."""
        shown = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", self.markdown)
        folder = posixpath.dirname(self.path)
        return [posixpath.normpath(posixpath.join(folder, one)) for one in shown]

    @property
    def headings(self) -> list[str]:
        """The headings below the title."""
        return re.findall(r"^##+ (.+)$", self.markdown, re.MULTILINE)


def load_guides() -> dict[str, Guide]:
    """Read the guides: those with a place in the order first, then the others by name."""
    found = {path.stem: path for path in (_folder() / "guides").glob("*.md")}
    names = [name for name in _ORDER if name in found] + sorted(set(found) - set(_ORDER))
    return {name: _read(f"guides/{name}.md") for name in names}


def load_manual() -> dict[str, Guide]:
    """Read every other page by its target; there are some only in a checkout of the repository."""
    folder = _folder()
    if not (folder / "operate").is_dir():
        return {}
    paths = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.md")))
    found = {path: target_of(path) for path in paths}
    return {target: _read(path) for path, target in found.items() if target.startswith("manual/")}


def read_picture(path: str) -> bytes:
    """Read a picture by its path below ``docs``."""
    return (_folder() / path).read_bytes()


def target_of(path: str) -> str:
    """Give the target that a path below ``docs`` has on a site."""
    if path == "errors.md" or path.startswith("guides/"):
        return path.removesuffix(".md")
    return f"manual/{path.removesuffix('.md')}" if path.endswith(".md") else path


def errors_guide() -> Guide:
    """Read the prose of the page of errors, without the table, which pages make richer."""
    guide = _read("errors.md")
    return Guide(guide.path, guide.title, guide.markdown.partition(_GENERATED)[0])


def inline(text: str) -> str:
    """Render a sentence of a docstring or description: code, emphasis, no blocks."""
    return str(_PARSER.renderInline(text.replace("``", "`"))).replace("\n", " ")


def slug(heading: str) -> str:
    """Give the id of a heading: the one that readers of the repository link to, too."""
    return _NOT_OF_AN_ANCHOR.sub("", heading.lower()).replace(" ", "-")


def _transitions(diagram: str) -> str:
    """Give the arrows of a state diagram as a table: pages load no program that would draw it."""
    rows = [
        f"<tr><td>{_state(source)}</td><td>{_state(target)}</td><td>{escape(label)}</td></tr>"
        for source, target, label in _ARROW.findall(diagram)
    ]
    head = "<tr><th>from</th><th>to</th><th>event, or cause</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>\n"


def _state(name: str) -> str:
    return "(new)" if name == "[*]" else f"<code>{escape(name)}</code>"


def _folder() -> Path:
    for folder in _FOLDERS:
        if (folder / "guides").is_dir():
            return folder
    looked = " nor ".join(str(folder) for folder in _FOLDERS)
    raise FileNotFoundError(f"The guides are neither in {looked}: reinstall the package.")


def _read(path: str) -> Guide:
    text = (_folder() / path).read_text(encoding="utf-8")
    return Guide(path, title_of(text), text)


def title_of(text: str) -> str:
    """Give the heading of a page."""
    return text.partition("\n")[0].removeprefix("# ").strip()


def _linked(tokens: list[Token], seen: Addresses) -> list[Token]:
    """Turn links between our files into links between pages, and so with pictures.

    What the site has no page for stays as text without a link.
    """
    kept: list[Token] = []
    dropped = 0
    for token in tokens:
        if token.type == "link_open":
            address = seen(str(token.attrGet("href")))
            if address is None:
                dropped += 1
                continue
            token.attrSet("href", address)
        elif token.type == "link_close" and dropped:
            dropped -= 1
            continue
        elif token.type == "image":
            token.attrSet("src", seen(str(token.attrGet("src"))) or "")
        kept.append(token)
    return kept
