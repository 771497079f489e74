"""Every page that there is."""

from __future__ import annotations

from typing import Final

from litestar.handlers import HTTPRouteHandler

from tokportal_server.admin.routes import ADMIN_PAGES
from tokportal_server.console.routes import CONSOLE_PAGES
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.page import Page
from tokportal_server.pages.routes import PEOPLE_PAGES
from tokportal_server.pages.serving import Pages

ALL_PAGES: Final[tuple[Page, ...]] = (*PEOPLE_PAGES, *CONSOLE_PAGES, *ADMIN_PAGES)


def page_routes(ports: Ports) -> list[HTTPRouteHandler]:
    """Give the routes of the pages, bound to this process's ports."""
    return [Pages(ALL_PAGES, ports).route()]
