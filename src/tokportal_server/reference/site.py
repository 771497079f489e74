"""The pages and files of the reference, as the server serves them or as a folder holds them.

A *target* names one of them independently of where it is: ``""`` (the front page), ``errors``,
``operations/getBundle``, ``guides/webhooks``, ``assets/style.css``, ``llms.txt``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tokportal_server import __version__
from tokportal_server.http.registry import Operation
from tokportal_server.reference.examples import load_examples
from tokportal_server.reference.guides import Guide, errors_guide, inline, load_guides, slug
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


class Site:
    """Every target of the reference; each is made when it is first asked for."""

    def __init__(self, reference: Reference, guides: Mapping[str, Guide], link: Link) -> None:
        self.reference = reference
        self.guides = guides
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
        yield "assets/search-index.js", self._search
        yield "llms.txt", self._llms
        yield "postman.json", partial(postman_json, self.reference)

    def _search(self) -> str:
        return search_script(search_entries(self.reference, self.guides, self._from("")))

    def _llms(self) -> str:
        return llms_text(self.reference, self.guides, self._from(""))

    def _guide_page(self, guide: Guide) -> str:
        page = f"guides/{guide.name}"
        return self.render(page, "guide.html", guide=guide, text=guide.html(self._from(page)))

    def _errors_page(self) -> str:
        text = self._errors.html(self._from("errors"))
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
            languages=LANGUAGES,
            version=__version__,
            **more,
        )

    def _from(self, page: str) -> Callable[[str], str]:
        return lambda target: self._link(target, page)


def build_site(operations: list[Operation], link: Link) -> Site:
    """Describe the operations and prepare the pages; takes a few tenths of a second."""
    return Site(build_reference(operations, load_examples()), load_guides(), link)


def postman_json(reference: Reference) -> bytes:
    """Write the Postman collection as its file holds it."""
    encoded = msgspec.json.encode(postman_collection(reference))
    return msgspec.json.format(encoded, indent=1) + b"\n"
