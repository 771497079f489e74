"""From a request to a page: who comes, whether they may, what they see.

1. Find the page of the address; read the form, before a connection is taken.
2. Find who the cookie stands for and, if the address names a workspace, their role in it.
3. Hold page and roles against the policy; on an unsafe method, prove that the form is ours.
4. Answer. Whatever is refused is a page too, in the same layout.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote
from uuid import UUID

import structlog
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive

from tokportal_server.http.client_address import client_address
from tokportal_server.http.errors import InternalError
from tokportal_server.http.request import Request as BodyReader
from tokportal_server.http.validation import refuse, unstorable_text
from tokportal_server.lib.db import UNAVAILABLE, Connection, unavailable
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.pages import forms
from tokportal_server.pages.errors import FormUnreadableError, PageForbiddenError
from tokportal_server.pages.page import Answer, Page, Redirect, Visit, nothing_here
from tokportal_server.pages.policy import POLICY, WORKSPACE_ROLES, Role, may_open
from tokportal_server.pages.sessions import Membership, Person, find_person
from tokportal_server.pages.texts import text
from tokportal_server.pages.writing import Writer, live_address

log = structlog.get_logger(__name__)

ROOTS: Final = (
    "/",
    "/sign-in",
    "/sign-out",
    "/password",
    "/you",
    "/desk",
    "/console",
    "/admin",
    "/invitation",
    "/notices",
    "/search",
    "/assets",
)
# Forms that work during maintenance: coming, going, and the switch itself.
_ALWAYS: Final = frozenset(
    {"sign_in", "code", "sign_out", "admin_maintenance_on", "admin_maintenance_off"}
)
_METHODS: Final = [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST]
_NOBODYS_ROLES: Final = frozenset[Role]({"anybody"})
_MOST_PARAMETERS = 50


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A request whose page is known; ``secret`` is what the browser's cookie says."""

    page: Page
    path: Mapping[str, str]
    scope: Any
    receive: Receive
    headers: Mapping[bytes, bytes]
    secret: str | None


class Pages:
    """The pages as an ASGI application."""

    def __init__(self, pages: Sequence[Page], ports: Ports) -> None:
        if unnamed := {page.name for page in pages} - POLICY.keys():
            raise ValueError(f"pages without a line in the policy: {sorted(unnamed)}")
        self._pages = pages
        self._ports = ports
        self._origin = ports.settings.origin()
        self._writer = Writer(ports, (page for page in pages if page.name in _ALWAYS))

    def route(self) -> HTTPRouteHandler:
        """Give the route of everything below the pages' addresses."""
        below = [f"{root}/{{rest:path}}" for root in ROOTS if root != "/"]

        @route([*ROOTS, *below], http_method=_METHODS, status_code=200)
        async def pages(request: Request[Any, Any, Any]) -> Response[Any]:
            """A page, whatever its address."""
            return await self.answer(request.scope, request.receive)

        return pages

    async def answer(self, scope: Any, receive: Receive) -> Response[Any]:
        """Answer one request."""
        headers = dict(scope["headers"])
        secret = forms.cookies_of(headers).get(self._writer.cookie)
        try:
            page, path = self._find(scope["method"], scope["path"])
            scope["tokportal_operation"] = f"page:{page.name}"
            arrived = _Arrived(page, path, scope, receive, headers, secret)
            return await self._way(page)(arrived)
        except Exception as error:  # noqa: BLE001 - every failure has its page
            return self._refused(scope, error)

    def _way(self, page: Page) -> Callable[[_Arrived], Awaitable[Response[Any]]]:
        if page.takes_file is not None:
            return self._serve_file
        return self._serve_slowly if page.goes_outside else self._serve

    async def _serve(self, arrived: _Arrived) -> Response[Any]:
        page, form = arrived.page, {}
        if page.method == "POST":
            form = await forms.read_form(
                BodyReader(arrived.scope, arrived.receive), arrived.headers
            )
            self._require_own_form(arrived, form)
        async with self._ports.database.connection() as conn:
            visit = replace(await self._visit(arrived, conn), connection=conn, form=form)
            try:
                answer = _turned_away(page, visit)
                if answer is None:
                    visit = replace(visit, live=await live_address(conn, visit))
                    answer = await page.answer(visit)
            except ApiError as error:
                return self._writer.error_page(error, _request_id(arrived.scope), visit)
        return self._writer.write(answer, visit, is_new=arrived.secret is None)

    async def _serve_file(self, arrived: _Arrived) -> Response[Any]:
        """Answer a page that takes a file: who comes is asked first, and no connection is held.

        Whoever may not open the page has sent for nothing: not a byte of the file is read.
        """
        page, settings = arrived.page, self._ports.settings
        if page.takes_file is None:
            raise RuntimeError("the page takes no file")
        forms.require_own_origin(arrived.headers, self._origin)
        async with self._ports.database.connection() as conn:
            visit = await self._visit(arrived, conn)
        try:
            answer = _turned_away(page, visit)
            if answer is None:
                async with forms.receive_file(
                    BodyReader(arrived.scope, arrived.receive),
                    arrived.headers,
                    limits=page.takes_file(settings),
                    directory=settings.incoming,
                ) as (form, upload):
                    self._require_own_form(arrived, form)
                    answer = await page.answer(replace(visit, form=form, upload=upload))
        except ApiError as error:
            return self._writer.error_page(error, _request_id(arrived.scope), visit)
        return self._writer.write(answer, visit, is_new=arrived.secret is None)

    async def _serve_slowly(self, arrived: _Arrived) -> Response[Any]:
        """Answer what works outside the database: no connection is held meanwhile."""
        form: dict[str, str] = {}
        if arrived.page.method == "POST":
            body = BodyReader(arrived.scope, arrived.receive)
            form = await forms.read_form(body, arrived.headers)
            self._require_own_form(arrived, form)
        async with self._ports.database.connection() as conn:
            visit = replace(await self._visit(arrived, conn), form=form)
        try:
            answer = _turned_away(arrived.page, visit) or await arrived.page.answer(visit)
        except ApiError as error:
            return self._writer.error_page(error, _request_id(arrived.scope), visit)
        return self._writer.write(answer, visit, is_new=arrived.secret is None)

    def _require_own_form(self, arrived: _Arrived, form: Mapping[str, str]) -> None:
        forms.require_own_form(arrived.headers, form, secret=arrived.secret, origin=self._origin)

    async def _visit(self, arrived: _Arrived, conn: Connection) -> Visit:
        """Find out who comes; the visit does not have the connection yet."""
        scope, secret = arrived.scope, arrived.secret
        await self._ports.maintenance.look(conn)
        visitor = await find_person(conn, secret) if secret else None
        return Visit(
            ports=self._ports,
            connection=None,
            path=arrived.path,
            query=_query(scope["query_string"]),
            form={},
            secret=secret or secrets.token_urlsafe(32),
            address=client_address(scope, self._ports.settings.trusted_proxies),
            user_agent=arrived.headers.get(b"user-agent", b"").decode("latin-1"),
            at=scope["path"],
            method=scope["method"],
            visitor=visitor,
            membership=_membership(visitor, arrived.path),
        )

    def _find(self, method: str, address: str) -> tuple[Page, dict[str, str]]:
        """Give the page of an address and its parameters."""
        wanted = "POST" if method == "POST" else "GET"
        address = address.rstrip("/") or "/"
        if method in ("GET", "HEAD", "POST"):
            for page in self._pages:
                if page.method == wanted and (path := page.match(address)) is not None:
                    return page, path
        raise nothing_here()

    def _refused(self, scope: Any, error: Exception) -> Response[bytes]:
        if isinstance(error, UNAVAILABLE):
            error = unavailable("the database does not answer")
        if not isinstance(error, ApiError):
            log.error("page_failed", path=scope["path"], exc_info=error)
            error = InternalError(text("error.internal"))
        return self._writer.error_page(error, _request_id(scope))


def _turned_away(page: Page, visit: Visit) -> Answer | None:
    """Give where a visitor who has to sign in is sent; nothing for one who may open the page.

    Raises:
        PageForbiddenError, PageNotFoundError: their roles do not have it.
        MaintenanceError: the form would write, and nothing is written now.
    """
    roles = visit.visitor.roles(visit.membership) if visit.visitor else _NOBODYS_ROLES
    if may_open(page.name, roles):
        notice = visit.ports.maintenance.notice
        if notice is not None and page.method == "POST" and page.name not in _ALWAYS:
            raise notice.refusal()
        return None
    if visit.visitor is None:
        back = visit.at if page.method == "GET" else "/"
        return Redirect(f"/sign-in?next={quote(back)}")
    # Whose workspace an id names is nobody else's to know.
    if visit.membership is None and POLICY[page.name] <= WORKSPACE_ROLES:
        raise nothing_here()
    raise PageForbiddenError(text("error.forbidden"))


def _request_id(scope: Any) -> str:
    return str(scope["tokportal_request_id"])


def _query(raw: bytes) -> dict[str, str]:
    """Read what follows the question mark; of a name that is given twice the last counts.

    Raises:
        FormUnreadableError, ValidationError: it has too many parts, or what is no text.
    """
    try:
        pairs = parse_qsl(raw.decode("latin-1"), max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise FormUnreadableError("The address has too many parts after `?`.") from None
    query = dict(pairs)
    refuse(list(unstorable_text(query)))
    return query


def _membership(visitor: Person | None, path: Mapping[str, str]) -> Membership | None:
    """Find the workspace that an address names among the visitor's own."""
    if visitor is None or "workspace" not in path:
        return None
    try:
        wanted = UUID(path["workspace"])
    except ValueError:
        raise nothing_here() from None
    return next((one for one in visitor.workspaces if one.id == wanted), None)
