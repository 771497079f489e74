"""The pages that belong to nobody's work: the front, files, news, and what each person has."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from tokportal_server.pages.entering import ENTERING_PAGES, home_of
from tokportal_server.pages.notices import NOTICE_PAGES
from tokportal_server.pages.page import Answer, File, Listening, Page, Shown, Visit, nothing_here
from tokportal_server.pages.search import SEARCH_PAGES
from tokportal_server.pages.you import YOUR_PAGES

_PACKAGE: Final = Path(__file__).resolve().parent.parent
# The pages' own files, and the style of charts, which reports carry in themselves.
_ASSETS: Final = (_PACKAGE / "pages" / "assets", _PACKAGE / "analytics" / "assets")
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def front(visit: Visit) -> Answer:
    """Say what this server is, and lead on."""
    return Shown("front.html", {"home": home_of(visit.visitor) if visit.visitor else None})


async def asset(visit: Visit) -> Answer:
    """Give a file that pages load."""
    found = _assets().get(visit.path["name"])
    if found is None:
        raise nothing_here()
    return found


async def live_everywhere(visit: Visit) -> Answer:  # noqa: ARG001 - as every page
    """Tell somebody who works in many workspaces when something has moved in any."""
    return Listening(None)


async def live_workspace(visit: Visit) -> Answer:
    """Tell when something has moved in a workspace."""
    return Listening(visit.workspace.id)


@lru_cache
def _assets() -> dict[str, File]:
    return {
        path.name: File(path.read_bytes(), _TYPES[path.suffix])
        for folder in _ASSETS
        for path in folder.iterdir()
        if path.suffix in _TYPES
    }


PEOPLE_PAGES: Final = (
    Page("front", "GET", "/", front),
    Page("asset", "GET", "/assets/{name}", asset),
    Page("desk_live", "GET", "/desk/live", live_everywhere),
    Page("admin_live", "GET", "/admin/live", live_everywhere),
    Page("workspace_live", "GET", "/console/{workspace}/live", live_workspace),
    *ENTERING_PAGES,
    *YOUR_PAGES,
    *NOTICE_PAGES,
    *SEARCH_PAGES,
)
