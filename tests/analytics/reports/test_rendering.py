from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any, get_args

import pytest

from tests.analytics.reports.contents import content, post
from tokportal_server.analytics.reports.content import Figure, Template
from tokportal_server.analytics.reports.rendering import render_missing, render_report

TEMPLATES: tuple[Template, ...] = get_args(Template)
HOSTILE = (
    "</style></title></script><script>alert(1)</script><img src=x onerror=alert(1)>"
    "{{7*7}} {% raw %} \u202egnp.exe javascript:alert(1) \U0001f9ff"
)


class Seen(HTMLParser):
    """What a browser would make of a page: its elements, with their attributes."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_shows_totals_posts_and_sources(template: Template) -> None:
    html = render_report(content(template=template)).html.decode()
    assert "Autumn launch" in html
    assert "Northwind" in html
    assert "Post 0" in html
    assert "TikTok Display API" in html
    assert 'class="chart-line"' in html or 'class="chart-bar"' in html


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_empty_report_says_so_instead_of_showing_zeros(template: Template) -> None:
    lists = ("series", "accounts", "posts", "platforms", "countries", "sources")
    empty: dict[str, Any] = {name: [] for name in lists}
    figures = [Figure(one, None, reason="not_yet") for one in ("views", "likes", "followers")]
    made = content(
        template=template, figures=figures, engagement_rate=None, oldest=None, newest=None, **empty
    )
    html = render_report(made).html.decode()
    assert "none collected yet" in html
    assert "Not collected yet." in html or template == "growth"
    assert ">0<" not in html


@pytest.mark.hazard(39)
@pytest.mark.parametrize("template", TEMPLATES)
def test_hostile_texts_are_inert(template: Template) -> None:
    bad = post(0, description=HOSTILE, username=HOSTILE, platform_url="javascript:alert(1)")
    document = render_report(
        content(template=template, title=HOSTILE, brand_name=HOSTILE, posts=[bad])
    )
    seen = Seen(document.html)
    tags = [tag for tag, _ in seen.elements]
    assert tags.count("style") == 1
    assert not {"script", "img", "iframe", "object", "embed", "link", "form"} & set(tags)
    for _, attributes in seen.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert not (attributes.get("href") or "").startswith("javascript:")
    assert "49" not in re.sub(r"[\d,.]{3,}", "", document.html.decode().split("</style>")[1][:600])


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_policy_allows_the_one_style_and_nothing_else(template: Template) -> None:
    document = render_report(content(template=template))
    (css,) = re.findall(r"<style>(.*?)</style>", document.html.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in document.policy
    assert "default-src 'none'" in document.policy
    assert "script-src" not in document.policy
    assert "frame-ancestors 'none'" in document.policy


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_large_report_stays_under_a_megabyte(template: Template) -> None:
    posts = [post(at, description="é" * 300) for at in range(25)]
    accounts = content().accounts * 17
    document = render_report(content(template=template, posts=posts, accounts=accounts))
    assert len(document.html) < 1_000_000


@pytest.mark.parametrize("template", TEMPLATES)
def test_search_engines_are_told_to_stay_away(template: Template) -> None:
    robots = [
        attributes.get("content")
        for tag, attributes in Seen(render_report(content(template=template)).html).elements
        if tag == "meta" and attributes.get("name") == "robots"
    ]
    assert robots == ["noindex, nofollow, noarchive"]


def test_a_rehearsal_says_that_its_numbers_are_simulated() -> None:
    assert b"every number is simulated" in render_report(content(rehearsal=True)).html


def test_what_is_not_there_has_a_page() -> None:
    assert b"There is no report here" in render_missing().html
