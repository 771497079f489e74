"""The forms and links of a page, as a program finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_FIELDS = {"input", "select", "textarea", "button"}


@dataclass
class Form:
    """A form: where it goes, by which method, and what its fields hold."""

    action: str
    method: str
    is_multipart: bool
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Found:
    """What a page leads to."""

    forms: list[Form] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.found = Found()
        self._address = address
        self._inside: Form | None = None
        self._by_id: dict[str, Form] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._begin(given)
        elif tag == "a" and given.get("href", "").startswith("/"):
            self.found.links.append(given["href"].partition("#")[0])
        elif tag in _FIELDS and given.get("name"):
            form = self._by_id.get(given.get("form", "")) or self._inside
            if form is not None:
                form.fields.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None

    def _begin(self, given: dict[str, str]) -> None:
        self._inside = Form(
            action=given.get("action") or self._address,
            method=given.get("method", "get").upper(),
            is_multipart="multipart" in given.get("enctype", ""),
        )
        self.found.forms.append(self._inside)
        if "id" in given:
            self._by_id[given["id"]] = self._inside


def found_in(html: str, address: str) -> Found:
    """Give the forms and links of the page at an address."""
    reader = _Reader(address)
    reader.feed(html)
    reader.close()
    return reader.found
