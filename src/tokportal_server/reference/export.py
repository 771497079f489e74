"""The static export: all documentation as a folder that needs no server."""

from __future__ import annotations

from pathlib import Path

from tokportal_server.http.registry import Operation
from tokportal_server.lib.resources import contract_file
from tokportal_server.reference.site import build_site, exported, exported_name


def export_site(operations: list[Operation], folder: Path) -> int:
    """Write every page and file below ``folder``, which may exist; give how many."""
    site = build_site(operations, exported, whole=True)
    contents = {target: site.read(target) for target in site.targets}
    files = {exported_name(target): doc.content for target, doc in contents.items() if doc}
    files["openapi.json"] = contract_file("openapi.json").read_bytes()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return len(files)
