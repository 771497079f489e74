from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from tokportal_server.entry.operations import all_operations
from tokportal_server.lib.errors import error_classes
from tokportal_server.lib.resources import contract_file
from tokportal_server.reference.examples import Example, ExampleError, Examples, load_examples
from tokportal_server.reference.export import export_site
from tokportal_server.reference.model import build_reference
from tokportal_server.reference.site import Site
from tokportal_server.workbench.machines import MACHINES

_LOADED = {("img", "src"), ("script", "src"), ("link", "href")}
_NOT_LOADED = {"alternate"}


class Page(HTMLParser):
    """Collects what a page loads, what it links to, where it can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.twins: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if "id" in given:
            self.ids.append(str(given["id"]))
        for name, value in given.items():
            if (tag, name) in _LOADED and given.get("rel") not in _NOT_LOADED:
                self.loads.append(str(value))
            elif name == "href":
                (self.links if tag == "a" else self.twins).append(str(value))


def pages(site: Site) -> dict[str, Page]:
    found = {}
    for target in site.targets:
        document = site.read(target)
        assert document is not None
        if document.media_type.startswith("text/html"):
            found[target] = Page(document.content.decode())
    return found


def text_of(site: Site, target: str) -> str:
    document = site.read(target)
    assert document is not None
    return document.content.decode()


def test_every_operation_has_a_page_and_a_markdown_twin(site: Site) -> None:
    for operation in all_operations():
        for target in (f"operations/{operation.operation_id}", "llms.txt", ""):
            text = text_of(site, target)
            assert operation.operation_id in text
            assert operation.base_path + operation.path in text
        twin = text_of(site, f"operations/{operation.operation_id}.md")
        assert twin.startswith(f"# {operation.summary}\n")


def test_a_page_says_all_that_the_document_says_of_its_operation(site: Site) -> None:
    document = json.loads(contract_file("openapi.json").read_bytes())
    for item in document["paths"].values():
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            text = text_of(site, f"operations/{operation['operationId']}")
            for response in operation["responses"].values():
                assert all(f"errors#{code}" in text for code in response.get("x-error-codes", ()))
            for parameter in operation["parameters"]:
                shared = parameter.get("$ref", "").rpartition("/")[2]
                said = document["components"]["parameters"][shared] if shared else parameter
                assert f"<code>{said['name']}</code>" in text
            for body in operation.get("requestBody", {}).get("content", {}).values():
                schema = body["schema"]
                if "$ref" in schema:
                    schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                assert all(f"<code>{name}</code>" in text for name in schema["properties"])


def test_pages_load_files_of_ours_and_nothing_inline(site: Site) -> None:
    found = pages(site)
    assert len(found) > len(all_operations())
    for page in found.values():
        assert page.loads
        ours = ("/docs/assets/", "/docs/pictures/")
        assert all(address.startswith(ours) for address in page.loads)
        assert page.inline == []
        assert "style" not in page.tags
    for asset in ("style.css", "reference.js"):
        assert "http" not in text_of(site, f"assets/{asset}").replace("plain http;", "")


def test_every_page_has_landmarks_one_heading_and_a_way_past_the_contents(site: Site) -> None:
    for page in pages(site).values():
        assert page.tags.count("h1") == 1
        assert page.tags.count("main") == page.tags.count("nav") == 1
        assert "header" in page.tags
        assert page.links[0] == "#main"
        assert len(page.ids) == len(set(page.ids))


def test_every_link_of_the_exported_site_leads_to_something_in_it(exported_site: Site) -> None:
    found = pages(exported_site)
    files = {
        target if "." in target else f"{target or 'index'}.html" for target in exported_site.targets
    }
    files.add("openapi.json")
    for target, page in found.items():
        for address in page.loads + page.links + page.twins:
            path, fragment = urldefrag(address)
            if "://" in address:
                # Guides may send a reader elsewhere; nothing is loaded from there.
                assert target.startswith(("guides/", "manual/"))
                assert address in page.links
                continue
            assert not path.startswith("/")
            if not path:
                assert fragment in page.ids
                continue
            file = Path("/", target).parent.joinpath(path).resolve().relative_to("/").as_posix()
            assert file in files, f"{target}: {address}"
            if fragment:
                assert fragment in found[file.removesuffix(".html")].ids


def test_the_arrows_of_every_state_diagram_are_rows_of_a_table(exported_site: Site) -> None:
    page = text_of(exported_site, "manual/states")
    assert "stateDiagram" not in page
    for machine in MACHINES:
        for arrow in machine.transitions:
            start = f"<code>{arrow.source}</code>" if arrow.source else "(new)"
            assert f"<tr><td>{start}</td><td><code>{arrow.target}</code></td>" in page
    assert page.count("<tr><td>") == sum(len(machine.transitions) for machine in MACHINES)


def test_the_export_writes_every_target(tmp_path: Path, exported_site: Site) -> None:
    count = export_site(all_operations(), tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == count == len(exported_site.targets) + 1
    assert all(path.stat().st_size for path in files)
    assert (tmp_path / "openapi.json").read_bytes() == contract_file("openapi.json").read_bytes()


def test_the_search_index_knows_every_page_and_every_error(site: Site) -> None:
    script = text_of(site, "assets/search-index.js")
    entries = json.loads(script.removeprefix("globalThis.searchIndex = ").removesuffix(";\n"))
    addresses = {entry["address"] for entry in entries}
    operations = {f"/docs/operations/{op.operation_id}" for op in all_operations()}
    guides = {f"/docs/guides/{name}" for name in site.guides}
    errors = {f"/docs/errors#{code}" for code in site.reference.refusals}
    assert addresses == operations | guides | errors
    words = {entry["title"]: entry["words"].split() for entry in entries}
    assert "videos_quantity" in words["createBundle"]


def test_the_page_of_errors_says_who_puts_each_right(site: Site) -> None:
    page = Page(text_of(site, "errors"))
    assert set(site.reference.refusals) <= set(page.ids)
    assert text_of(site, "errors").count('class="remedy"') == len(site.reference.refusals)


def test_every_code_has_a_remedy_that_says_who_and_how() -> None:
    declared = [error for error in error_classes() if error.__module__.startswith("tokportal")]
    assert len(declared) > 50
    wrong = {
        error.code: error.__dict__.get("remedy")
        for error in declared
        if not re.fullmatch(
            r"(You|The manager|The operator|Nobody): [^|\n]{10,}\.",
            error.__dict__.get("remedy", ""),
        )
    }
    assert wrong == {}


def test_every_call_that_a_remedy_names_exists() -> None:
    calls = {f"{op.method} {op.path}" for op in all_operations()}
    named = {
        call
        for error in error_classes()
        if error.__module__.startswith("tokportal")
        for call in re.findall(r"`((?:GET|PUT|POST|PATCH|DELETE) [^` ]+)`", error.remedy)
    }
    assert len(named) > 10
    assert named - calls == {"GET /api/ext/openapi.json"}


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_examples_that_do_not_fit_the_operations_are_refused_by_name(change: str) -> None:
    examples = load_examples()
    operations = {**examples.operations}
    if change == "missing":
        del operations["createBundle"]
    else:
        operations["paintBundle"] = Example()
    with pytest.raises(ExampleError, match="createBundle" if change == "missing" else "paint"):
        build_reference(all_operations(), Examples(examples.placeholders, operations))


def test_a_placeholder_that_nobody_explains_is_refused_by_name() -> None:
    examples = load_examples()
    operations = examples.operations | {"getBundle": Example(path={"id": "{mystery}"})}
    with pytest.raises(ExampleError, match="getBundle uses mystery"):
        build_reference(all_operations(), Examples(examples.placeholders, operations))


def test_every_placeholder_is_used(site: Site) -> None:
    used = {name for entry in site.reference.entries.values() for name in entry.variables}
    assert {name.upper() for name in site.reference.examples.placeholders} <= used
