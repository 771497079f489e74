"""The pages and files of the reference, as the server serves them or as a folder holds them.

A *target* names one of them independently of where it is: ``""`` (the front page), ``errors``,
``operations/getBundle``, ``guides/webhooks``, ``assets/style.css``, ``llms.txt``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tokportal_server import __version__
from tokportal_server.http.registry import Operation
from tokportal_server.reference.examples import load_examples
from tokportal_server.reference.guides import (
    Addresses,
    Guide,
    errors_guide,
    inline,
    load_guides,
    load_manual,
    read_picture,
    slug,
    target_of,
)
from tokportal_server.reference.markdown import llms_text, operation_markdown
from tokportal_server.reference.model import Reference, build_reference
from tokportal_server.reference.postman import postman_collection
from tokportal_server.reference.samples import LANGUAGES
from tokportal_server.reference.search import search_entries, search_script

Link = Callable[[str, str], str]
"""Gives the address of a target (first) as a page (second, a target too) refers to it."""

_HERE = Path(__file__).resolve().parent
_ASSETS = _HERE / "assets"
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".md": "text/markdown",
    ".txt": "text/plain",
}
_SERVED_ELSEWHERE = {"": "/docs", "llms.txt": "/llms.txt", "openapi.json": "/api/ext/openapi.json"}


def served(target: str, page: str) -> str:  # noqa: ARG001 - absolute addresses, whatever the page
    """Give the address of a target on the server."""
    return _SERVED_ELSEWHERE.get(target, f"/docs/{target}")


def exported(target: str, page: str) -> str:
    """Give the address of a target in a folder of files, relative to a page."""
    return "../" * page.count("/") + exported_name(target)


def exported_name(target: str) -> str:
    """Give the file that a target has in an exported folder."""
    name = target or "index"
    return name if Path(name).suffix else f"{name}.html"


@dataclass(frozen=True, slots=True)
class Document:
    """A finished page or file; text is UTF-8, which whoever serves it says."""

    content: bytes
    media_type: str


NO_MANUAL: Final[Mapping[str, Guide]] = MappingProxyType({})
# The manual's parts by the beginning of their targets, in the order of the contents.
_PARTS: Final = {
    "Operating": "manual/operate/",
    "Decisions": "manual/decisions/",
    "Scenarios": "manual/scenarios/",
    "The whole": "manual/",
}


class Site:
    """Every target of the reference; each is made when it is first asked for.

    ``manual`` holds pages by their targets, which only an exported site has.
    """

    def __init__(
        self,
        reference: Reference,
        guides: Mapping[str, Guide],
        link: Link,
        manual: Mapping[str, Guide] = NO_MANUAL,
    ) -> None:
        self.reference = reference
        self.guides = guides
        self.manual = manual
        self._link = link
        self._errors = errors_guide()
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"inline": inline, "slug": slug}
        self._makers = dict(self._pages()) | dict(self._files())
        self._made: dict[str, Document] = {}

    @property
    def targets(self) -> list[str]:
        """Every target."""
        return list(self._makers)

    def read(self, target: str) -> Document | None:
        """Give a target's document, or None if there is no such target."""
        if target in self._makers and target not in self._made:
            content = self._makers[target]()
            kind = _TYPES.get(Path(target).suffix, "text/html")
            encoded = content if isinstance(content, bytes) else content.encode()
            self._made[target] = Document(encoded, kind)
        return self._made.get(target)

    def _pages(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "", partial(self.render, "", "index.html")
        yield "errors", partial(self._errors_page)
        for name, guide in self.guides.items():
            yield f"guides/{name}", partial(self._guide_page, guide)
        for target, guide in self.manual.items():
            yield target, partial(self._manual_page, target, guide)
        for entry in self.reference.entries.values():
            page = f"operations/{entry.id}"
            yield page, partial(self.render, page, "operation.html", entry=entry)

    def _files(self) -> Iterator[tuple[str, Callable[[], str | bytes]]]:
        for name, guide in self.guides.items():
            yield f"guides/{name}.md", partial(str, guide.markdown)
        for entry in self.reference.entries.values():
            yield f"operations/{entry.id}.md", partial(operation_markdown, entry)
        for asset in sorted(_ASSETS.iterdir()):
            yield f"assets/{asset.name}", asset.read_bytes
        for picture in self._pictures():
            yield picture, partial(read_picture, picture)
        yield "assets/search-index.js", self._search
        yield "llms.txt", self._llms
        yield "postman.json", partial(postman_json, self.reference)

    def _search(self) -> str:
        return search_script(search_entries(self.reference, self.guides, self._from("")))

    def _llms(self) -> str:
        return llms_text(self.reference, self.guides, self._from(""))

    def _guide_page(self, guide: Guide) -> str:
        page = f"guides/{guide.name}"
        text = guide.html(self._addresses(page))
        return self.render(page, "guide.html", guide=guide, text=text)

    def _manual_page(self, page: str, guide: Guide) -> str:
        text = guide.html(self._addresses(page))
        return self.render(page, "manual.html", guide=guide, text=text)

    def _pictures(self) -> list[str]:
        shown = (guide.pictures for guide in (*self.guides.values(), *self.manual.values()))
        return sorted({picture for pictures in shown for picture in pictures})

    def _contents(self) -> dict[str, dict[str, Guide]]:
        """Give the manual's pages by the part that they stand in."""
        parts: dict[str, dict[str, Guide]] = {}
        for part, start in _PARTS.items():
            taken = {target for pages in parts.values() for target in pages}
            pages = {t: g for t, g in self.manual.items() if t.startswith(start)}
            parts[part] = {t: g for t, g in pages.items() if t not in taken}
        return {part: pages for part, pages in parts.items() if pages}

    def _errors_page(self) -> str:
        text = self._errors.html(self._addresses("errors"))
        return self.render("errors", "errors.html", guide=self._errors, text=text)

    def render(self, page: str, template: str, **more: Any) -> str:
        """Fill a template in; ``page`` is the target that it is, ``more`` what it shows."""
        up = self._from(page)("assets/x").removesuffix(self._from("")("assets/x"))
        return self._templates.get_template(template).render(
            page=page,
            link=self._from(page),
            root=up,
            reference=self.reference,
            guides=self.guides,
            manual=self._contents(),
            languages=LANGUAGES,
            version=__version__,
            **more,
        )

    def _addresses(self, page: str) -> Addresses:
        """Give what finds the address of a file of ours for a page that links to it."""

        def address(path: str) -> str | None:
            target = target_of(path)
            return self._link(target, page) if target in self._makers else None

        return address

    def _from(self, page: str) -> Callable[[str], str]:
        return lambda target: self._link(target, page)


def build_site(operations: list[Operation], link: Link, *, whole: bool = False) -> Site:
    """Describe the operations and prepare the pages; takes a few tenths of a second.

    ``whole`` adds the pages that are not for callers: the operators' manual, decisions.
    """
    manual = load_manual() if whole else NO_MANUAL
    return Site(build_reference(operations, load_examples()), load_guides(), link, manual)


def postman_json(reference: Reference) -> bytes:
    """Write the Postman collection as its file holds it."""
    encoded = msgspec.json.encode(postman_collection(reference))
    return msgspec.json.format(encoded, indent=1) + b"\n"
