"""The pages in a real browser: scripts run under the policy, and a phone scrolls only downward."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.chromium import FLAGS, chromium_path
from tests.client import Client
from tokportal_server.entry.operations import all_operations
from tokportal_server.reference.export import export_site

_FLAGS = (
    "--headless",
    *FLAGS,
    "--hide-scrollbars",
    # Frames of files may be measured by the page that holds them.
    "--allow-file-access-from-files",
    "--virtual-time-budget=8000",
    "--dump-dom",
)
_PHONE = 390
_PAGES = (
    "index.html",
    "errors.html",
    "guides/uploads.html",
    "operations/createBundle.html",
    "operations/configureBundleVideo.html",
    "operations/listWebhookEvents.html",
    "operations/createBundlesBulk.html",
)
_FRAME = '<iframe src="{page}" width="{width}" height="800" style="border:0"></iframe>'
_MEASURE = """
<pre id="widths"></pre>
<script>
addEventListener("load", () => {
  const width = (frame) => frame.contentDocument.documentElement.scrollWidth;
  const widths = [...document.querySelectorAll("iframe")].map(width);
  document.getElementById("widths").textContent = widths.join(" ");
});
</script>
"""
_SEARCH = """
<iframe src="index.html" width="800" height="800"></iframe>
<pre id="found"></pre>
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const input = page.getElementById("query");
  input.value = "create bundle";
  input.dispatchEvent(new Event("input"));
  const look = setInterval(() => {
    const anchor = page.querySelector("#results a");
    if (!anchor) return;
    clearInterval(look);
    document.getElementById("found").textContent = anchor.getAttribute("href");
  }, 20);
});
</script>
"""


async def dom(url: str, profile: Path) -> str:
    """Open a page; give what it has become when its scripts are done."""
    process = await asyncio.create_subprocess_exec(
        chromium_path(),
        *_FLAGS,
        f"--user-data-dir={profile}",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return output.decode()


def text_of(page: str, element: str) -> str:
    found = re.search(rf'<pre id="{element}">([^<]*)</pre>', page)
    assert found is not None, page[:2000]
    return found.group(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export_site(all_operations(), tmp_path / "site")
    return tmp_path / "site"


async def test_scripts_add_tabs_and_copy_buttons_and_search(nobody: Client, tmp_path: Path) -> None:
    page = await dom(f"{nobody.address}/docs/operations/createBundle", tmp_path / "profile")
    assert page.count('role="tab"') == page.count('role="tabpanel"') == 4
    assert page.count('aria-selected="true"') == 1
    # Four samples and the shape of the answer.
    assert page.count('class="copy"') == 5
    assert re.search(r"<search class=\"search\">", page)


async def test_nothing_is_wider_than_a_phone(folder: Path, tmp_path: Path) -> None:
    frames = "".join(_FRAME.format(page=page, width=_PHONE) for page in _PAGES)
    (folder / "frames.html").write_text(frames + _MEASURE, encoding="utf-8")
    page = await dom((folder / "frames.html").as_uri(), tmp_path / "profile")
    assert text_of(page, "widths").split() == [str(_PHONE)] * len(_PAGES)


async def test_search_finds_an_operation_in_an_exported_folder(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "search.html").write_text(_SEARCH, encoding="utf-8")
    page = await dom((folder / "search.html").as_uri(), tmp_path / "profile")
    assert text_of(page, "found") == "operations/createBundle.html"
