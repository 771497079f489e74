"""From a request to a page: who comes, whether they may, what they see.

1. Find the page of the address; read the form, before a connection is taken.
2. Find who the cookie stands for and, if the address names a workspace, their role in it.
3. Hold page and roles against the policy; on an unsafe method, prove that the form is ours.
4. Answer. Whatever is refused is a page too, in the same layout.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote
from uuid import UUID

import structlog
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive

from tokportal_server.http.errors import InternalError
from tokportal_server.http.request import Request as BodyReader
from tokportal_server.lib.db import UNAVAILABLE, Connection, unavailable
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.pages import forms
from tokportal_server.pages.errors import PageForbiddenError
from tokportal_server.pages.page import Answer, File, Page, Redirect, Shown, Visit, nothing_here
from tokportal_server.pages.policy import POLICY, WORKSPACE_ROLES, Role, may_open
from tokportal_server.pages.rendering import make_environment, render
from tokportal_server.pages.sessions import LONGEST, Membership, Person, find_person
from tokportal_server.pages.texts import TEXTS, text

log = structlog.get_logger(__name__)

ROOTS: Final = ("/", "/sign-in", "/sign-out", "/password", "/you", "/desk", "/console", "/assets")
_HEADERS: Final = {
    # Everything that a page loads is a file of ours; nothing is inline, nothing is elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With "no-referrer" browsers would hide from us where a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PRIVATE: Final = {"Cache-Control": "no-store"}
_METHODS: Final = [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST]
_NOBODYS_ROLES: Final = frozenset[Role]({"anybody"})


class Pages:
    """The pages as an ASGI application."""

    def __init__(self, pages: Sequence[Page], ports: Ports) -> None:
        if unnamed := {page.name for page in pages} - POLICY.keys():
            raise ValueError(f"pages without a line in the policy: {sorted(unnamed)}")
        self._pages = pages
        self._ports = ports
        self._origin = ports.settings.origin()
        self._secure = self._origin.startswith("https://")
        self._cookie = "__Host-tokportal" if self._secure else "tokportal_session"
        self._templates = make_environment()

    def route(self) -> HTTPRouteHandler:
        """Give the route of everything below the pages' addresses."""
        below = [f"{root}/{{rest:path}}" for root in ROOTS if root != "/"]

        @route([*ROOTS, *below], http_method=_METHODS, status_code=200)
        async def pages(request: Request[Any, Any, Any]) -> Response[bytes]:
            """A page, whatever its address."""
            return await self.answer(request.scope, request.receive)

        return pages

    async def answer(self, scope: Any, receive: Receive) -> Response[bytes]:
        """Answer one request."""
        headers = dict(scope["headers"])
        secret = forms.cookies_of(headers).get(self._cookie)
        try:
            return await self._serve(scope, receive, headers, secret)
        except Exception as error:  # noqa: BLE001 - every failure has its page
            return self._refused(scope, error)

    async def _serve(
        self, scope: Any, receive: Receive, headers: Mapping[bytes, bytes], secret: str | None
    ) -> Response[bytes]:
        page, path = self._find(scope["method"], scope["path"])
        scope["tokportal_operation"] = f"page:{page.name}"
        form: dict[str, str] = {}
        if page.method == "POST":
            form = await forms.read_form(BodyReader(scope, receive), headers)
            forms.require_own_form(headers, form, secret=secret, origin=self._origin)
        async with self._ports.database.connection() as conn:
            visit = Visit(
                ports=self._ports,
                conn=conn,
                path=path,
                query=dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=50)),
                form=form,
                secret=secret or secrets.token_urlsafe(32),
                address=(scope.get("client") or ("",))[0],
                user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
            )
            visitor = await _visitor(conn, secret)
            visit = replace(visit, visitor=visitor, membership=_membership(visitor, path))
            try:
                answer = await self._answer(page, visit, scope)
            except ApiError as error:
                answer = _error_page(error, scope)
        return self._written(answer, visit, is_new=secret is None)

    def _find(self, method: str, address: str) -> tuple[Page, dict[str, str]]:
        """Give the page of an address and its parameters."""
        wanted = "POST" if method == "POST" else "GET"
        address = address.rstrip("/") or "/"
        if method in ("GET", "HEAD", "POST"):
            for page in self._pages:
                if page.method == wanted and (path := page.match(address)) is not None:
                    return page, path
        raise nothing_here()

    async def _answer(self, page: Page, visit: Visit, scope: Any) -> Answer:
        roles = visit.visitor.roles(visit.membership) if visit.visitor else _NOBODYS_ROLES
        if may_open(page.name, roles):
            return await page.answer(visit)
        if visit.visitor is None:
            back = scope["path"] if page.method == "GET" else "/"
            return Redirect(f"/sign-in?next={quote(back)}")
        # Whose workspace an id names is nobody else's to know.
        if visit.membership is None and POLICY[page.name] <= WORKSPACE_ROLES:
            raise nothing_here()
        raise PageForbiddenError(text("error.forbidden"))

    def _written(self, answer: Answer, visit: Visit, *, is_new: bool) -> Response[bytes]:
        match answer:
            case File():
                kept = {**_HEADERS, "Cache-Control": "public, max-age=3600"}
                return Response(answer.content, media_type=answer.media_type, headers=kept)
            case Redirect():
                fields = {**_HEADERS, **_PRIVATE, "Location": answer.to}
                if answer.token is not None:
                    fields["Set-Cookie"] = self._session_cookie(answer.token)
                return Response(b"", status_code=303, media_type="text/plain", headers=fields)
            case Shown():
                new = {"Set-Cookie": self._session_cookie(visit.secret)} if is_new else {}
                return self._page(answer, visit, new)

    def _session_cookie(self, token: str) -> str:
        seconds = int(LONGEST.total_seconds()) if token else 0
        return forms.set_cookie(self._cookie, token, seconds=seconds, secure=self._secure)

    def _page(
        self, shown: Shown, visit: Visit | None, more: Mapping[str, str] | None = None
    ) -> Response[bytes]:
        facts = {
            "person": visit.visitor if visit else None,
            "workspace": visit.membership if visit else None,
            "form_token": forms.form_token(visit.secret) if visit else "",
            "done": _confirmation(visit),
            "refusal": None,
            **shown.facts,
        }
        body = render(self._templates, shown.template, facts)
        fields = {**_HEADERS, **_PRIVATE, **(more or {})}
        return Response(
            body, status_code=shown.status, media_type="text/html; charset=utf-8", headers=fields
        )

    def _refused(self, scope: Any, error: Exception) -> Response[bytes]:
        if isinstance(error, UNAVAILABLE):
            error = unavailable("the database does not answer")
        if not isinstance(error, ApiError):
            log.error("page_failed", path=scope["path"], exc_info=error)
            error = InternalError(text("error.internal"))
        return self._page(_error_page(error, scope), None)


def _error_page(error: ApiError, scope: Any) -> Shown:
    facts = {
        "status_code": error.status,
        "code": error.code,
        "message": error.message,
        "request_id": scope["tokportal_request_id"],
    }
    return Shown("error.html", facts, error.status)


async def _visitor(conn: Connection, secret: str | None) -> Person | None:
    return await find_person(conn, secret) if secret else None


def _membership(visitor: Person | None, path: Mapping[str, str]) -> Membership | None:
    """Find the workspace that an address names among the visitor's own."""
    if visitor is None or "workspace" not in path:
        return None
    try:
        wanted = UUID(path["workspace"])
    except ValueError:
        raise nothing_here() from None
    return next((one for one in visitor.workspaces if one.id == wanted), None)


def _confirmation(visit: Visit | None) -> str | None:
    """Give the sentence that the address asks for, if we have one: ``?done=claimed``."""
    return TEXTS.get(f"done.{visit.query.get('done')}") if visit else None
