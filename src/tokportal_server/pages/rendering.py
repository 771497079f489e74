"""Templates: where they are, what every one of them can use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tokportal_server import __version__
from tokportal_server.analytics import numbers
from tokportal_server.pages import navigation
from tokportal_server.pages.texts import text, text_or

_PACKAGE = Path(__file__).resolve().parent.parent
FOLDERS = tuple(_PACKAGE / slice_ / "templates" for slice_ in ("pages", "console", "admin"))


def make_environment() -> Environment:
    """Prepare the templates; what people wrote is always escaped."""
    environment = Environment(
        loader=FileSystemLoader(FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"t": text, "version": __version__, "navigation": navigation}
    environment.filters |= {
        "moment": moment,
        "day": day,
        "left": left,
        "age": age,
        "status": lambda status: text_or(f"status.{status}", str(status)),
        "named": lambda name, kind: text_or(f"{kind}.{name}", str(name)),
        "as_query": lambda values: urlencode({k: v for k, v in values.items() if v}),
        "link_if_web": link_if_web,
        "plain_moment": plain_moment,
        "full": numbers.full,
        "short": numbers.short,
        "signed": numbers.signed,
        "percent": numbers.percent,
    }
    return environment


def render(environment: Environment, template: str, facts: Mapping[str, Any]) -> bytes:
    """Fill a template in."""
    return environment.get_template(template).render(**facts).encode()


def _as_moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def moment(value: datetime | str | None) -> str | Markup:
    """Write an instant for people, in UTC; programs read it from the element."""
    if value is None:
        return text("time.never")
    at = _as_moment(value).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat("T", "minutes"), plain_moment(at)
    )


def plain_moment(value: datetime | str) -> str:
    """Write an instant where no element may stand, such as in a title."""
    at = _as_moment(value).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def day(value: date | str | None) -> str:
    """Write a calendar day for people."""
    if value is None:
        return text("time.no_day")
    on = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{on:%a} {on.day} {on:%b %Y}"


def left(value: datetime | str | None, now: datetime) -> str:
    """Write how long it is until an instant."""
    if value is None:
        return text("time.no_deadline")
    seconds = int((_as_moment(value) - now).total_seconds())
    amount, passed = abs(seconds), seconds < 0
    if amount >= 3 * 86_400:
        length = text("time.days", n=amount // 86_400)
    elif amount >= 3600:
        length = text("time.hours", n=amount // 3600)
    else:
        length = text("time.minutes", n=amount // 60)
    return text("time.passed" if passed else "time.left", length=length)


def age(value: datetime | str, now: datetime) -> str:
    """Write how long ago an instant was."""
    seconds = max(0, int((now - _as_moment(value)).total_seconds()))
    if seconds < 60:
        return text("time.just_now")
    if seconds < 3600:
        length = text("time.minutes", n=seconds // 60)
    elif seconds < 3 * 86_400:
        length = text("time.hours", n=seconds // 3600)
    else:
        length = text("time.days", n=seconds // 86_400)
    return text("time.ago", length=length)


def link_if_web(address: str | None) -> str | Markup:
    """Give an address that people wrote as a link, if a browser would open it harmlessly."""
    if not address or not address.startswith(("https://", "http://")):
        return address or ""
    return Markup('<a href="{0}" rel="noopener noreferrer" target="_blank">{0}</a>').format(address)
