from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference.stage import Stage
from tokportal_server.reference.model import OperationEntry
from tokportal_server.reference.site import Site

NODE = shutil.which("node")
GOFMT = shutil.which("gofmt")


async def failures(stage: Stage, site: Site, language: str, suffix: str, *program: str) -> object:
    """Run the sample of every operation in one language; give what went wrong, by operation."""
    at_once = asyncio.Semaphore(3)

    async def run(entry: OperationEntry) -> tuple[str, str | None]:
        file = stage.folder / f"{entry.id}{suffix}"
        file.write_text(entry.samples[language], encoding="utf-8")
        async with at_once:
            return entry.id, await stage.run(entry, [*program, str(file)])

    told: dict[str, str | None] = {}
    # What is deleted is asked for last.
    for deleting in (False, True):
        chosen = [
            e
            for e in site.reference.entries.values()
            if (e.operation.method == "DELETE") == deleting
        ]
        told |= dict(await asyncio.gather(*(run(entry) for entry in chosen)))
    assert set(told) == {entry.id for entry in site.reference.entries.values()}
    return {name: wrong for name, wrong in told.items() if wrong is not None}


async def test_every_curl_sample_gets_the_documented_success(stage: Stage, site: Site) -> None:
    assert await failures(stage, site, "curl", ".sh", "sh") == {}


async def test_every_python_sample_gets_the_documented_success(stage: Stage, site: Site) -> None:
    assert await failures(stage, site, "python", ".py", sys.executable) == {}


@pytest.mark.skipif(NODE is None, reason="there is no node on this machine")
async def test_every_node_sample_gets_the_documented_success(stage: Stage, site: Site) -> None:
    assert await failures(stage, site, "node", ".mjs", str(NODE)) == {}


@pytest.mark.skipif(GOFMT is None, reason="there is no gofmt on this machine")
def test_every_go_sample_is_laid_out_as_gofmt_does(site: Site, tmp_path: Path) -> None:
    for entry in site.reference.entries.values():
        (tmp_path / f"{entry.id}.go").write_text(entry.samples["go"] + "\n", encoding="utf-8")
    answer = subprocess.run([str(GOFMT), "-l", "."], cwd=tmp_path, capture_output=True, check=False)
    assert (answer.stdout, answer.stderr) == (b"", b"")


async def test_a_refused_sample_is_noticed(stage: Stage, site: Site) -> None:
    entry = site.reference.entries["getCurrentUser"]
    script = stage.folder / "sample.sh"
    script.write_text(entry.samples["curl"].replace("X-API-Key", "X-Other"), encoding="utf-8")
    assert "AUTH_MISSING_KEY" in str(await stage.run(entry, ["sh", str(script)]))


def test_every_language_has_a_sample_of_every_operation(site: Site) -> None:
    for entry in site.reference.entries.values():
        assert set(entry.samples) == {"curl", "node", "python", "go"}
        assert all(entry.samples.values())
