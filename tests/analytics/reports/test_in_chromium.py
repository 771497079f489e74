"""The six reports in real Chromium: wide, on a phone, and in print."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from tests.analytics.reports.contents import content, post
from tests.console.browser import DESKTOP, PHONE, chromium, is_as_wide_as_its_window
from tokportal_server.analytics.reports.content import Content, Template
from tokportal_server.analytics.reports.rendering import render_report

# Where to leave pictures for people to look at; nowhere unless asked.
PICTURES = os.environ.get("TEST_PICTURES")
TEMPLATES: tuple[Template, ...] = get_args(Template)
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
RUN_AXE = """async () => (await axe.run({resultTypes: ["violations"]})).violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(({html}) => html.slice(0, 200))}`)"""
HOSTILE = (
    "</style></title></script><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"
    " \u202egnp.exe javascript:alert(1) \U0001f9ff"
)
# Colours that nobody could read as they are.
ACCENTS = ("#ffff00", "#000000", "#ffffff", "#7f7f7f")


def examples() -> list[tuple[str, Content]]:
    """Give each template with an ordinary brand, and with colours and texts that are trouble."""
    long = "x" * 200
    bad = [post(0, description=HOSTILE, platform_url="javascript:alert(1)", username=HOSTILE)]
    listed: list[tuple[str, Content]] = []
    for at, template in enumerate(TEMPLATES):
        listed.append((template, content(template=template, brand_accent="#e4572e")))
        trouble = content(
            template=template,
            title=HOSTILE,
            brand_name=long,
            brand_accent=ACCENTS[at % len(ACCENTS)],
            posts=[*bad, post(1, description=long, username=long), post(2, description="نص " * 9)],
        )
        listed.append((f"{template}-trouble", trouble))
    return listed


@pytest.mark.hazard(39)
@pytest.mark.parametrize(
    ("name", "report"), [pytest.param(name, one, id=name) for name, one in examples()]
)
async def test_a_report_can_be_read_wide_on_a_phone_and_in_print(
    name: str, report: Content
) -> None:
    html = render_report(report).html.decode()
    async with chromium() as browser:
        tab = await browser.new_page()
        opened: list[str] = []
        tab.on("dialog", lambda dialog: opened.append(dialog.message))
        tab.on("request", lambda request: opened.append(request.url))
        for size in (DESKTOP, PHONE):
            await tab.set_viewport_size({"width": size["width"], "height": size["height"]})
            await tab.set_content(html)
            assert await is_as_wide_as_its_window(tab)
            await tab.evaluate(AXE)
            assert await tab.evaluate(RUN_AXE) == []
            if PICTURES:
                picture = Path(PICTURES) / f"report-{name}-{size['width']}.png"
                await tab.screenshot(path=str(picture), full_page=True)
        printed = await tab.pdf(format="A4", print_background=True)
        assert printed.startswith(b"%PDF")
        if PICTURES:
            (Path(PICTURES) / f"report-{name}.pdf").write_bytes(printed)
        assert opened == []
