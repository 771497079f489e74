"""From what a page answers to what goes out: headers, cookies, templates, streams."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from litestar import Response
from litestar.response import Stream as StreamedResponse

from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.pages import forms
from tokportal_server.pages.live import EVERYWHERE, Live, events_so_far
from tokportal_server.pages.navigation import Place, place_at, places_of
from tokportal_server.pages.page import (
    Answer,
    File,
    Framed,
    Listening,
    Page,
    Redirect,
    Refusal,
    Shown,
    Stream,
    Visit,
)
from tokportal_server.pages.rendering import make_environment, render
from tokportal_server.pages.sessions import LONGEST
from tokportal_server.pages.texts import TEXTS

_HEADERS: Final = {
    # Everything that a page loads is a file of ours; nothing is inline, nothing is elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self';"
        " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    # With "no-referrer" browsers would hide from us where a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# What people wrote is escaped, so this is always one of our own forms, and forms stand in no other.
_FORM: Final = re.compile(
    rb'(<form\b(?=[^>]*\bmethod="post")(?=[^>]*\baction="([^"]*)")[^>]*>)(.*?)</form>', re.DOTALL
)
_PRIVATE: Final = {**_HEADERS, "Cache-Control": "no-store"}
_KEPT: Final = {**_HEADERS, "Cache-Control": "public, max-age=3600"}


class Writer:
    """Writes the answers of one process; forms for ``always`` work during maintenance too."""

    def __init__(self, ports: Ports, always: Iterable[Page] = ()) -> None:
        self._always = frozenset(page.path.encode() for page in always)
        self._secure = ports.settings.origin().startswith("https://")
        self.cookie = "__Host-tokportal" if self._secure else "tokportal_session"
        self._templates = make_environment()
        self._maintenance = ports.maintenance
        self._live = Live(ports.database, ports.stopping)

    def write(self, answer: Answer, visit: Visit, *, is_new: bool) -> Response[Any]:
        """Write an answer; ``is_new`` gives the browser the secret that its forms were made from.

        Raises:
            TooManyStreamsError: the person's pages listen already, as often as they may.
        """
        match answer:
            case File():
                return Response(answer.content, media_type=answer.media_type, headers=_KEPT)
            case Redirect():
                fields = {**_PRIVATE, "Location": answer.to}
                if answer.token is not None:
                    fields["Set-Cookie"] = self._session_cookie(answer.token)
                return Response(b"", status_code=303, media_type="text/plain", headers=fields)
            case Stream():
                offered = f"attachment; filename*=UTF-8''{quote(answer.filename, safe='')}"
                fields = {**_PRIVATE, "Content-Disposition": offered}
                return _streamed(answer.chunks, answer.media_type, fields, visit)
            case Framed():
                own = {"Content-Security-Policy": answer.policy, "X-Frame-Options": "SAMEORIGIN"}
                fields = {**_PRIVATE, **own}
                return Response(answer.html, media_type="text/html; charset=utf-8", headers=fields)
            case Listening():
                # Proxies would keep the events together until there are enough of them.
                fields = {**_PRIVATE, "X-Accel-Buffering": "no"}
                return _streamed(self._listen(answer, visit), "text/event-stream", fields, visit)
            case Shown():
                new = {"Set-Cookie": self._session_cookie(visit.secret)} if is_new else {}
                return self.page(answer, visit, new)

    def _listen(self, answer: Listening, visit: Visit) -> AsyncIterator[bytes]:
        since = visit.query.get("since", "")
        known = int(since) if since.isascii() and since.isdigit() and len(since) < 19 else None
        topic = answer.workspace_id or EVERYWHERE
        return self._live.listen(visit.person.id, topic, known)

    def _session_cookie(self, token: str) -> str:
        seconds = int(LONGEST.total_seconds()) if token else 0
        return forms.set_cookie(self.cookie, token, seconds=seconds, secure=self._secure)

    def page(
        self, shown: Shown, visit: Visit | None, more: Mapping[str, str] | None = None
    ) -> Response[bytes]:
        """Fill a page in; one that fails before anybody is known has no visit."""
        facts: dict[str, Any] = {
            "person": visit.visitor if visit else None,
            "frame": _frame(visit, is_whole=shown.status == 200),
            "workspace": visit.membership if visit else None,
            "form_token": forms.form_token(visit.secret) if visit else "",
            "done": _confirmation(visit),
            "refusal": None,
            "maintenance": self._maintenance.notice,
            **shown.facts,
        }
        headers = {**_PRIVATE, **(more or {})}
        refusal: Refusal | None = facts["refusal"]
        if refusal is not None and refusal.retry_after is not None:
            headers["Retry-After"] = str(refusal.retry_after)
        html = render(self._templates, shown.template, facts)
        return Response(
            html if self._maintenance.notice is None else _without_forms(html, self._always),
            status_code=shown.status,
            media_type="text/html; charset=utf-8",
            headers=headers,
        )

    def error_page(
        self, error: ApiError, request_id: str, visit: Visit | None = None
    ) -> Response[bytes]:
        """Write a refusal as a page."""
        facts = {
            "status_code": error.status,
            "code": error.code,
            "message": error.message,
            "request_id": request_id,
        }
        wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return self.page(Shown("error.html", facts, error.status), visit, wait)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page: the person's places, the one that it is in, where it listens."""

    places: Sequence[Place] = ()
    place: Place | None = None
    live: str | None = None


def _frame(visit: Visit | None, *, is_whole: bool) -> Frame:
    if visit is None or visit.visitor is None:
        return Frame()
    places = places_of(visit.visitor)
    # A refused form is no state of things that could be asked for again.
    return Frame(places, place_at(visit.at, places), visit.live if is_whole else None)


async def live_address(conn: Connection, visit: Visit) -> str | None:
    """Give where a page listens, if it is in a place: what was before is in it, later is news."""
    if visit.visitor is None or visit.method != "GET":
        return None
    place = place_at(visit.at, places_of(visit.visitor))
    if place is None:
        return None
    topic = place.workspace_id or EVERYWHERE
    return f"{place.root}/live?since={await events_so_far(conn, topic)}"


def _streamed(
    chunks: AsyncIterator[bytes], media_type: str, fields: Mapping[str, str], visit: Visit
) -> Response[Any]:
    # HEAD wants the head alone; nothing is made for it.
    content: Any = () if visit.method == "HEAD" else chunks
    return StreamedResponse(content, media_type=media_type, headers=dict(fields))


def _without_forms(html: bytes, always: Collection[bytes]) -> bytes:
    """Disable the forms that write: a browser neither sends them nor lets anybody fill them in.

    Those for one of the addresses in ``always`` stay.
    """

    def disabled(form: re.Match[bytes]) -> bytes:
        if form[2].partition(b"?")[0] in always:
            return form[0]
        return form[1] + b'<fieldset class="resting" disabled>' + form[3] + b"</fieldset></form>"

    return _FORM.sub(disabled, html)


def _confirmation(visit: Visit | None) -> str | None:
    """Give the sentence that the address asks for, if we have one: ``?done=claimed``."""
    return TEXTS.get(f"done.{visit.query.get('done')}") if visit else None
