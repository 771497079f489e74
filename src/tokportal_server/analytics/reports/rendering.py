"""From a report's content to one standalone HTML file without scripts.

Everything is in the file: style, charts, numbers. Its one style element is allowed by its hash, so
the page that is served can forbid everything else, and a saved copy looks the same.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tokportal_server.analytics import numbers
from tokportal_server.analytics.charts import (
    Bar,
    Point,
    bar_chart,
    line_chart,
    ranked_bars,
    sparkline,
)
from tokportal_server.analytics.reports.accent import shades_of
from tokportal_server.analytics.reports.content import Content, Part, Series
from tokportal_server.analytics.reports.wording import (
    METRICS,
    PLATFORMS,
    REASONS,
    SOURCES,
    change_of,
    series_name,
    summary_of,
)

_HERE: Final = Path(__file__).resolve().parent
_TEMPLATES: Final = _HERE / "templates"
_CHARTS_CSS: Final = _HERE.parent / "assets" / "charts.css"
# The paper that text and shapes of a template lie on, where it is not white everywhere.
_PAPER: Final = {"growth": "#171c27", "agency": "#f6f7f9"}


@dataclass(frozen=True, slots=True)
class Document:
    """A standalone HTML file, and the content security policy that it works under."""

    html: bytes
    policy: str


def render_report(content: Content, *, framed_by: str = "'none'") -> Document:
    """Write a report; ``framed_by`` is a CSP source that may show it in a frame."""
    return _document(f"{content.template}.html.j2", _css(content), framed_by, report=content)


def render_missing() -> Document:
    """Write the page that stands where there is no report, or no longer."""
    return _document("missing.html.j2", "\n" + _file("base.css"), "'none'")


def _document(template: str, css: str, framed_by: str, **facts: object) -> Document:
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    allowed = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    # Closing the style early is impossible: the colours in it are checked, the rest is ours. The
    # policy stands in the file too, for whoever opens a saved copy.
    html = _environment().get_template(template).render(css=Markup(css), policy=allowed, **facts)  # noqa: S704
    more = f"frame-ancestors {framed_by}; sandbox allow-popups allow-popups-to-escape-sandbox"
    return Document(html.encode(), f"{allowed}; {more}")


def _css(content: Content) -> str:
    shades = shades_of(content.brand_accent, _PAPER.get(content.template, "#ffffff"))
    colours = (
        f":root{{--brand:{shades.brand};--on-brand:{shades.on_brand};--accent:{shades.text};"
        f"--chart:{shades.shape};--print-accent:{shades_of(content.brand_accent).text}}}"
    )
    charts = _CHARTS_CSS.read_text(encoding="utf-8")
    return "\n".join(["", colours, _file("base.css"), charts, _file(f"{content.template}.css")])


def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": numbers.short,
        "full": numbers.full,
        "signed": numbers.signed,
        "percent": numbers.percent,
        "metric": lambda name: METRICS[name],
        "platform": lambda name: PLATFORMS.get(name, name),
        "source": lambda name: SOURCES.get(name, name),
        "reason": lambda name: REASONS.get(name, name),
        "change": change_of,
        "summary": summary_of,
        "day": _day,
        "moment": _moment,
        "line": _line,
        "bars": _bars,
        "spark": _spark,
        "ranked": _ranked,
        "web": _web,
    }
    return environment


def _day(on: date | datetime | None) -> str:
    return f"{on.day} {on:%b %Y}" if on else numbers.NOTHING


def _moment(at: datetime | None) -> str:
    return f"{_day(at)}, {at.astimezone(UTC):%H:%M} UTC" if at else numbers.NOTHING


def _points(series: Series) -> list[Point]:
    return [Point(point.on, point.value) for point in series.points]


def _line(series: Series) -> Markup:
    return line_chart(_points(series), name=series_name(series))


def _bars(series: Series) -> Markup:
    return bar_chart(_points(series), name=series_name(series))


def _spark(series: Series) -> Markup:
    return sparkline(_points(series), name=series_name(series))


def _ranked(parts: list[Part], name: str) -> Markup:
    bars = [
        Bar(PLATFORMS.get(part.name, part.name), part.views, _accounts(part.accounts))
        for part in parts
    ]
    return ranked_bars(bars, name=name)


def _accounts(count: int) -> str:
    return "1 account" if count == 1 else f"{count:,} accounts"


def _web(address: str | None) -> bool:
    """Say whether a browser opens an address harmlessly."""
    return address is not None and address.startswith(("https://", "http://"))
