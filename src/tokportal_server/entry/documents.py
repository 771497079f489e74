"""Generated files: written from the code, compared with it by ``--check``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from cyclopts import App

from tokportal_server.entry.command_page import commands_text
from tokportal_server.entry.event_page import events_text
from tokportal_server.entry.metric_page import metrics_table
from tokportal_server.entry.operations import all_operations
from tokportal_server.entry.rehearsing.pages import scenario_page, scenario_table
from tokportal_server.entry.rehearsing.scenario import shipped_scenarios
from tokportal_server.http.openapi import document
from tokportal_server.http.system import encode_document
from tokportal_server.lib.settings import settings_table
from tokportal_server.reference.examples import load_examples
from tokportal_server.reference.export import export_site
from tokportal_server.reference.guides import title_of
from tokportal_server.reference.model import build_reference
from tokportal_server.reference.site import build_site, postman_json, served
from tokportal_server.workbench.machines import MACHINES

ROOT = Path(__file__).resolve().parents[3]
_BEGIN = "<!-- generated: "
_END = "<!-- end of generated -->"


def write_openapi(*, check: bool) -> int:
    """Write ``contract/openapi.json``; with ``check`` only compare."""
    content = encode_document(document(all_operations())).decode()
    return _settle({ROOT / "contract" / "openapi.json": content}, check=check)


def write_docs(app: App, *, check: bool) -> int:
    """Write the generated blocks of ``docs/`` and the Postman collection; or only compare.

    ``app`` is the command line. The pages of the reference are nowhere in the repository: every one
    is made here, so that one that cannot be made is noticed.
    """
    blocks = {
        "settings": settings_table(),
        "states": _states(),
        "errors": _errors(),
        "scenarios": scenario_table(),
        "events": events_text(),
        "commands": commands_text(app),
        "metrics": metrics_table(),
        "guides": _listed("guides"),
        "operate": _listed("operate"),
        "decisions": _listed("decisions"),
    }
    pages = {
        page: _filled(page, blocks)
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if _BEGIN in page.read_text(encoding="utf-8")
    }
    site = build_site(all_operations(), served)
    for target in site.targets:
        site.read(target)
    postman = postman_json(site.reference).decode()
    told = {
        ROOT / "docs" / "scenarios" / f"{path.stem}.md": scenario_page(path)
        for path in shipped_scenarios()
    }
    return _settle(pages | told | {ROOT / "contract" / "postman.json": postman}, check=check)


def write_site(folder: Path) -> int:
    """Write the API reference as a folder of files."""
    count = export_site(all_operations(), folder)
    print(f"wrote {count} files below {folder}")
    return 0


def _settle(files: Mapping[Path, str], *, check: bool) -> int:
    stale = [
        path
        for path, content in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not current: run make docs", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


def _filled(page: Path, blocks: Mapping[str, str]) -> str:
    """Replace each ``<!-- generated: NAME -->`` block of a page by what the code says now."""
    parts = []
    rest = page.read_text(encoding="utf-8")
    while _BEGIN in rest:
        before, _, rest = rest.partition(_BEGIN)
        name, _, rest = rest.partition(" -->")
        _, _, rest = rest.partition(_END)
        parts.append(f"{before}{_BEGIN}{name} -->\n\n{blocks[name].strip()}\n\n{_END}")
    return "".join(parts) + rest


def _listed(folder: str) -> str:
    """List the pages of a folder by their titles, as seen from the nearest page that lists them."""
    here = "" if folder == "decisions" else f"{folder}/"
    pages = sorted((ROOT / "docs" / folder).glob("[!R]*.md"))
    return "\n".join(
        f"- [{title_of(page.read_text(encoding='utf-8'))}]({here}{page.name})" for page in pages
    )


def _states() -> str:
    return "\n\n".join(
        f"### {machine.kind}\n\n```mermaid\n{machine.mermaid()}\n```" for machine in MACHINES
    )


def _errors() -> str:
    """List every code that an operation declares: its status, its meaning, who mends it and how."""
    refusals = build_reference(all_operations(), load_examples()).refusals
    rows = [
        f"| `{r.code}` | {r.status} | {r.meaning.replace('``', '`')} | {r.remedy} |"
        for r in refusals.values()
    ]
    return "\n".join(
        ["| code | status | meaning | who can mend it, and how |", "|" + "---|" * 4, *rows]
    )
